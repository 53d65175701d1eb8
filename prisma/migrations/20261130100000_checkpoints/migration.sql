-- How each account stood when a check of the ledger last found nothing wrong with it. The next check reads what came later.
-- Without a row an account is read wholly, so that rows may be deleted. No foreign key: a checkpoint must outlive an account
-- that was taken away, and writing one must lock no account.
CREATE TABLE "credit_checkpoints" (
    "user_id" UUID NOT NULL,
    "last_seq" INTEGER NOT NULL,
    "head_hash" BYTEA NOT NULL,
    "state_hash" BYTEA NOT NULL,
    "moved" JSONB NOT NULL,
    "reconciliation_id" UUID NOT NULL,
    CONSTRAINT "credit_checkpoints_pkey" PRIMARY KEY ("user_id")
) WITH (fillfactor = 80);

-- Until now every check has read all history. A column with a constant default is added without rewriting the table; the
-- lock is held for a moment.
ALTER TABLE "reconciliations" ADD COLUMN "is_full" BOOLEAN NOT NULL DEFAULT true, ADD COLUMN "transactions_read" BIGINT;
