-- Archives of the data of users who asked for it. A process of the earlier release does not know them.
CREATE TABLE "data_exports" (
    "user_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "rows" INTEGER NOT NULL,
    "asked_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "ready_at" TIMESTAMPTZ(3),

    CONSTRAINT "data_exports_pkey" PRIMARY KEY ("user_id", "id")
);
CREATE INDEX "data_exports_expires_at_idx" ON "data_exports"("expires_at");
ALTER TABLE "data_exports" ADD CONSTRAINT "data_exports_user_id_fkey"
    FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE NO ACTION;
