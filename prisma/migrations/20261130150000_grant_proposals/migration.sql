-- What an administrator has asked for that gives more points than one administrator may give alone: it waits for another
-- one. It lapses at "lapses_at" without anybody's doing, because its state is computed from this row and the ledger's clock.
CREATE TYPE "grant_command" AS ENUM ('GRANT_CREDITS', 'BULK_GRANT_CREDITS', 'SET_MONTHLY_CREDITS');
CREATE TYPE "grant_decision" AS ENUM ('APPROVED', 'DECLINED');

CREATE TABLE "grant_proposals" (
    "id" UUID NOT NULL,
    "command" "grant_command" NOT NULL,
    "natural_key" TEXT NOT NULL,
    "idempotency_key" TEXT,
    "request" JSONB NOT NULL,
    "request_hash" BYTEA NOT NULL,
    "points" INTEGER NOT NULL,
    "above" INTEGER NOT NULL,
    "recipients" INTEGER NOT NULL,
    "source" "credit_source" NOT NULL,
    "expires_at" TIMESTAMPTZ(3),
    "reason" TEXT NOT NULL,
    "user_id" UUID,
    "proposer_id" UUID NOT NULL,
    "proposed_at" TIMESTAMPTZ(3) NOT NULL,
    "lapses_at" TIMESTAMPTZ(3) NOT NULL,
    "decision" "grant_decision",
    "decider_id" UUID,
    "decided_at" TIMESTAMPTZ(3),
    "decision_reason" TEXT,
    CONSTRAINT "grant_proposals_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "grant_proposals_points" CHECK ("points" > 0),
    CONSTRAINT "grant_proposals_key" CHECK (("idempotency_key" IS NULL) = ("command" = 'SET_MONTHLY_CREDITS')),
    CONSTRAINT "grant_proposals_four_eyes" CHECK ("decider_id" <> "proposer_id"),
    CONSTRAINT "grant_proposals_decided_whole" CHECK (
        num_nonnulls("decision", "decider_id", "decided_at", "decision_reason") IN (0, 4)
    ),
    CONSTRAINT "grant_proposals_decided_in_time" CHECK ("decided_at" < "lapses_at")
);
-- A caller's key belongs to one proposal for ever; an allowance has no key, and can be proposed again.
CREATE UNIQUE INDEX "grant_proposals_one_a_key" ON "grant_proposals"("natural_key") WHERE "idempotency_key" IS NOT NULL;
CREATE INDEX "grant_proposals_natural_key_id_idx" ON "grant_proposals"("natural_key", "id");
-- Finds the few that wait among many, in their order, and counts them.
CREATE INDEX "grant_proposals_undecided" ON "grant_proposals"("id") WHERE "decision" IS NULL;
CREATE INDEX "grant_proposals_pending" ON "grant_proposals"("lapses_at") WHERE "decision" IS NULL;

CREATE TRIGGER "grant_proposals_decided_once" BEFORE UPDATE ON "grant_proposals" FOR EACH ROW
    WHEN (
      OLD."decision" IS NOT NULL
      OR to_jsonb(OLD) - ARRAY['decision', 'decider_id', 'decided_at', 'decision_reason']
        IS DISTINCT FROM to_jsonb(NEW) - ARRAY['decision', 'decider_id', 'decided_at', 'decision_reason']
    )
    EXECUTE FUNCTION "refuse_to_rewrite_history"();
CREATE TRIGGER "grant_proposals_no_delete" BEFORE DELETE ON "grant_proposals"
    FOR EACH ROW EXECUTE FUNCTION "refuse_to_rewrite_history"();
CREATE TRIGGER "grant_proposals_no_truncate" BEFORE TRUNCATE ON "grant_proposals"
    FOR EACH STATEMENT EXECUTE FUNCTION "refuse_to_rewrite_history"();

-- What each administrator has given without approval on a day (UTC). The row is locked by whoever adds to it.
CREATE TABLE "granting_days" (
    "actor_id" UUID NOT NULL,
    "day" DATE NOT NULL,
    "points" BIGINT NOT NULL,
    CONSTRAINT "granting_days_pkey" PRIMARY KEY ("actor_id", "day")
);
CREATE INDEX "granting_days_day_idx" ON "granting_days"("day");

-- Without the hash of the request, because a guess of an e-mail address could be tested against it.
CREATE VIEW "audit"."grant_proposals" AS
SELECT "id", "command"::text AS "command", "idempotency_key", "request", "points", "above", "recipients",
    "source"::text AS "source", "expires_at", "reason", "user_id", "proposer_id", "proposed_at", "lapses_at",
    "decision"::text AS "decision", "decider_id", "decided_at", "decision_reason"
FROM "public"."grant_proposals";
