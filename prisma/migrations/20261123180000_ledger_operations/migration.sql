-- ------------------------------------------------------------------ what administrators did
CREATE TABLE "audit_entries" (
    "id" UUID NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "actor_id" UUID,
    "action" TEXT NOT NULL,
    "target" TEXT,
    "reason" TEXT,
    CONSTRAINT "audit_entries_pkey" PRIMARY KEY ("id")
);
CREATE TRIGGER "audit_entries_append_only" BEFORE UPDATE OR DELETE ON "audit_entries"
  FOR EACH ROW EXECUTE FUNCTION "refuse_to_rewrite_history"();
CREATE TRIGGER "audit_entries_no_truncate" BEFORE TRUNCATE ON "audit_entries"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_to_rewrite_history"();

-- ------------------------------------------------------------------ grants to many at once
-- The key of the whole and, when it is done, its result. The grants themselves are keyed in the ledger.
CREATE TABLE "bulk_grants" (
    "idempotency_key" TEXT NOT NULL,
    "request_hash" BYTEA NOT NULL,
    "actor_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "result" JSONB,
    CONSTRAINT "bulk_grants_pkey" PRIMARY KEY ("idempotency_key"),
    CONSTRAINT "bulk_grants_request_hash_is_sha256" CHECK (length("request_hash") = 32)
);

-- ------------------------------------------------------------------ what the checks of the whole ledger found
CREATE TABLE "reconciliations" (
    "id" UUID NOT NULL,
    "checked_at" TIMESTAMPTZ(3) NOT NULL,
    "accounts" INTEGER NOT NULL,
    "transactions" BIGINT NOT NULL,
    "checks" JSONB NOT NULL,
    CONSTRAINT "reconciliations_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "reconciliations_checked_at_idx" ON "reconciliations"("checked_at");

-- ------------------------------------------------------------------ indexes
-- The sweep goes on where it stopped, also among lots that lapse at the same instant.
DROP INDEX "credit_lots_lapsing";
CREATE INDEX "credit_lots_lapsing" ON "credit_lots"("expires_at", "user_id", "id") WHERE "remaining" > 0 AND "revoked_at" IS NULL AND "expires_at" IS NOT NULL;
-- An administrator names a lot or a narration without its owner.
CREATE INDEX "credit_lots_id_idx" ON "credit_lots"("id");
CREATE INDEX "audios_id_idx" ON "audios"("id");
-- Reports read a period. Movements come in the order in which they are recorded, so that this costs next to nothing.
CREATE INDEX "credit_transactions_period" ON "credit_transactions" USING brin ("recorded_at") WITH (pages_per_range = 32);
-- A list of one type or of a period, newest first, must not read all the others.
CREATE INDEX "credit_transactions_by_type" ON "credit_transactions"("user_id", "type", "seq");
-- Who gets the monthly allowance, in the order in which the job goes through them.
CREATE INDEX "users_monthly" ON "users"("id") WHERE "suspended_at" IS NULL AND "email_verified_at" IS NOT NULL;
