-- What a grant to many was ordered to do, written with its key, so that a job can finish what a process has left. Null when
-- it is finished, and for keys that an earlier release has claimed.
ALTER TABLE "bulk_grants" ADD COLUMN "placed_order" JSONB;
-- The job that finishes it when its process cannot.
ALTER TABLE "bulk_grants" ADD COLUMN "job_id" UUID;
-- They are few among many, and are counted whenever metrics are read.
CREATE INDEX "bulk_grants_unfinished" ON "bulk_grants"("created_at") WHERE "result" IS NULL;
