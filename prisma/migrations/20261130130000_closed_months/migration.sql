-- The months whose books are closed. Closing one closes all before it: no movement may take effect by its end any more.
CREATE TABLE "closed_months" (
    "period" TEXT NOT NULL,
    "ends_at" TIMESTAMPTZ(3) NOT NULL,
    "closed_at" TIMESTAMPTZ(3) NOT NULL,
    "journal_root" BYTEA,
    CONSTRAINT "closed_months_pkey" PRIMARY KEY ("period"),
    CONSTRAINT "closed_months_ended" CHECK ("closed_at" > "ends_at"),
    CONSTRAINT "closed_months_journal_root_is_a_hash" CHECK (octet_length("journal_root") = 32)
);
CREATE UNIQUE INDEX "closed_months_ends_at_key" ON "closed_months"("ends_at");

CREATE TRIGGER "closed_months_no_rewrite" BEFORE UPDATE ON "closed_months" FOR EACH ROW
    WHEN (
      (OLD."period", OLD."ends_at", OLD."closed_at") IS DISTINCT FROM (NEW."period", NEW."ends_at", NEW."closed_at")
      OR OLD."journal_root" IS NOT NULL
    )
    EXECUTE FUNCTION "refuse_to_rewrite_history"();
CREATE TRIGGER "closed_months_no_delete" BEFORE DELETE ON "closed_months"
    FOR EACH ROW EXECUTE FUNCTION "refuse_to_rewrite_history"();
CREATE TRIGGER "closed_months_no_truncate" BEFORE TRUNCATE ON "closed_months"
    FOR EACH STATEMENT EXECUTE FUNCTION "refuse_to_rewrite_history"();

-- Closing a month locks credit_transactions first, so a movement is either committed before the month is closed, or finds the
-- closed month here. The error is serialization_failure, because transact() retries that with a later clock reading.
CREATE FUNCTION "refuse_closed_month"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed_until timestamptz := (SELECT max("ends_at") FROM public.closed_months);
BEGIN
    IF EXISTS (SELECT FROM added WHERE "effective_at" <= closed_until) THEN
        RAISE EXCEPTION 'a movement would take effect by %, up to which the books are closed', closed_until
            USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NULL;
END
$$;
-- Once for each statement, because a batch writes all its movements with one. Making the trigger waits for movements that
-- are being written, and holds up others for a moment.
CREATE TRIGGER "credit_transactions_in_an_open_month" AFTER INSERT ON "credit_transactions"
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION "refuse_closed_month"();

CREATE VIEW "audit"."closed_months" AS
SELECT "period", "ends_at", "closed_at", "journal_root"
FROM "public"."closed_months";
