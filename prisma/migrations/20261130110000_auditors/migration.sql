-- A role that sees what administrators see, and changes nothing but its own account.
ALTER TYPE "role" ADD VALUE 'AUDITOR';

-- A movement by its id alone, for those who may see everybody's. Ids grow with time, so that entries are added at the end.
-- Making the index reads the transactions once, and holds up movements meanwhile: about two seconds for two million.
CREATE INDEX "credit_transactions_id_idx" ON "credit_transactions"("id");
-- The movements of a source are found through its lots. No update of a lot changes what this names.
CREATE INDEX "credit_lots_by_source" ON "credit_lots"("user_id", "source", "id");

-- What an auditor reads in SQL. The views have the names of their tables, so that the queries of docs/ledger.md find them
-- where search_path begins with this schema. They are the only way to these tables for a role that may read nothing else.
-- Enums are text, and every column is named: what is added to a table is not added to its view. No role is granted anything
-- here, because roles belong to the whole cluster: docs/ledger.md has the statements.
-- A schema that an administrator of the database has made before does as well.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'audit') THEN
        CREATE SCHEMA "audit";
    END IF;
END
$$;

CREATE VIEW "audit"."credit_accounts" AS
SELECT a."user_id", a."last_seq", a."head_hash", a."closed_at", a."uncovered_revocations",
    u."role"::text AS "role", u."created_at" AS "registered_at", u."email_verified_at", u."suspended_at", u."deleted_at",
    u."monthly_credits"
FROM "public"."credit_accounts" a LEFT JOIN "public"."users" u ON u."id" = a."user_id";

CREATE VIEW "audit"."credit_lots" AS
SELECT "user_id", "id", "source"::text AS "source", "priority", "granted", "remaining", "granted_at", "expires_at",
    "revoked_at", "parent_lot_id", "period"
FROM "public"."credit_lots";

CREATE VIEW "audit"."credit_transactions" AS
SELECT "user_id", "seq", "id", "format", "type"::text AS "type", "amount", "balance_after", "effective_at", "recorded_at",
    "reason", "idempotency_key", "request_hash", "audio_id", "story_id", "debit_seq", "actor_id", "lot_terms",
    "revoked_lots", "hash"
FROM "public"."credit_transactions";

CREATE VIEW "audit"."credit_allocations" AS
SELECT "user_id", "seq", "ordinal", "lot_id", "amount"
FROM "public"."credit_allocations";

CREATE VIEW "audit"."audit_entries" AS
SELECT "id", "seq", "at", "actor_id", "action", "target", "reason", "details", "hash"
FROM "public"."audit_entries";

CREATE VIEW "audit"."audit_chain" AS
SELECT "last_seq", "head_hash"
FROM "public"."audit_chain";

CREATE VIEW "audit"."credit_checkpoints" AS
SELECT "user_id", "last_seq", "head_hash", "state_hash", "reconciliation_id"
FROM "public"."credit_checkpoints";
