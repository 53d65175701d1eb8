-- The revocation of a bulk grant: the order, under the idempotency key of the grant, and its result when it is finished.
CREATE TABLE "bulk_revocations" (
    "idempotency_key" TEXT NOT NULL,
    "actor_id" UUID NOT NULL,
    "reason" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "result" JSONB,
    "job_id" UUID NOT NULL,
    CONSTRAINT "bulk_revocations_pkey" PRIMARY KEY ("idempotency_key"),
    CONSTRAINT "bulk_revocations_idempotency_key_fkey" FOREIGN KEY ("idempotency_key")
        REFERENCES "bulk_grants"("idempotency_key") ON DELETE RESTRICT ON UPDATE NO ACTION
);
-- They are few among many, and are counted whenever metrics are read.
CREATE INDEX "bulk_revocations_unfinished" ON "bulk_revocations"("created_at") WHERE "result" IS NULL;

-- Finds the GRANT movements of a bulk grant by its key; other movements are not indexed. While the index is built, movements
-- wait: about a second for a few million rows.
CREATE INDEX "credit_transactions_of_bulk_grant" ON "credit_transactions"("idempotency_key", "user_id")
    WHERE "idempotency_key" LIKE 'bulk:%';
