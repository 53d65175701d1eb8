-- They are few among many, and all of them are locked to see whether one is left.
CREATE INDEX "users_administrators" ON "users"("id") WHERE "role" = 'ADMIN' AND "suspended_at" IS NULL;
