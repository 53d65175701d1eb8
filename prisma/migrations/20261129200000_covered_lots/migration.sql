-- The hash of a transaction now covers every column of it, the terms of the lots that it makes, and the lots that it
-- revokes. What was written before is format 1 and stays verifiable as such. The first movement of format 2 of an account
-- covers the lots that were there already. The default is for a process of the earlier release that still runs.
ALTER TABLE "credit_transactions"
    ADD COLUMN "format" SMALLINT NOT NULL DEFAULT 1,
    -- As they are hashed: an array of arrays of strings, without spaces. JSON, because JSONB would not keep the text.
    ADD COLUMN "lot_terms" JSON,
    ADD COLUMN "revoked_lots" UUID[],
    ADD CONSTRAINT "credit_transactions_format_known" CHECK ("format" IN (1, 2)),
    ADD CONSTRAINT "credit_transactions_terms_are_a_list" CHECK (json_typeof("lot_terms") = 'array'),
    ADD CONSTRAINT "credit_transactions_format_1_covers_no_lots" CHECK (
      "format" <> 1 OR ("lot_terms" IS NULL AND "revoked_lots" IS NULL)
    );

-- A lot that holds nothing is revoked without a transaction. The next transaction covers that.
ALTER TABLE "credit_accounts" ADD COLUMN "uncovered_revocations" UUID[] NOT NULL DEFAULT ARRAY[]::UUID[];

-- What vouches for the instant at which a lot that held nothing was revoked.
CREATE INDEX "audit_entries_revocations" ON "audit_entries"("target", "at") WHERE "action" = 'revokeCreditLot';

CREATE FUNCTION "refuse_to_rewrite_lot"() RETURNS trigger
  LANGUAGE plpgsql
  AS $$
BEGIN
  RAISE EXCEPTION '% on % is refused: only "remaining" may change, and "revoked_at" be set once', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation';
END
$$;
-- The condition costs a movement next to nothing, because the function is called only when it holds.
CREATE TRIGGER "credit_lots_keep_terms" BEFORE UPDATE ON "credit_lots" FOR EACH ROW
    WHEN (
      (OLD."user_id", OLD."id", OLD."source", OLD."priority", OLD."granted", OLD."granted_at", OLD."expires_at",
        OLD."parent_lot_id", OLD."period")
      IS DISTINCT FROM
      (NEW."user_id", NEW."id", NEW."source", NEW."priority", NEW."granted", NEW."granted_at", NEW."expires_at",
        NEW."parent_lot_id", NEW."period")
      OR (OLD."revoked_at" IS NOT NULL AND NEW."revoked_at" IS DISTINCT FROM OLD."revoked_at")
    )
    EXECUTE FUNCTION "refuse_to_rewrite_lot"();
CREATE TRIGGER "credit_lots_no_delete" BEFORE DELETE ON "credit_lots"
    FOR EACH ROW EXECUTE FUNCTION "refuse_to_rewrite_lot"();
CREATE TRIGGER "credit_lots_no_truncate" BEFORE TRUNCATE ON "credit_lots"
    FOR EACH STATEMENT EXECUTE FUNCTION "refuse_to_rewrite_lot"();
