-- The id of a transaction is unique in the whole ledger, not only for its user. Two indexes were written for each
-- transaction, and the one with the user in front in a place of its own each time. Making the unique index holds up every
-- movement. It comes first, because replacing the trigger then also holds up the reads of accounts.
CREATE UNIQUE INDEX "credit_transactions_id_key" ON "credit_transactions"("id");
DROP INDEX "credit_transactions_user_id_id_key";
DROP INDEX "credit_transactions_id_idx";

-- A batch changes hundreds of accounts with one statement. Their changes are noted once for each statement rather than once
-- for each row. EXCEPT leaves out accounts whose last number has not changed, and needs no join, whose plan would be made
-- for the length of the first batch.
DROP TRIGGER "credit_accounts_note_change" ON "credit_accounts";
CREATE OR REPLACE FUNCTION "note_credit_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.live_changes (topic)
    SELECT 'credits ' || moved."user_id"
    FROM (SELECT "user_id", "last_seq" FROM changed EXCEPT SELECT "user_id", "last_seq" FROM before) moved;
    RETURN NULL;
END
$$;
CREATE TRIGGER "credit_accounts_note_change" AFTER UPDATE ON "credit_accounts"
    REFERENCING OLD TABLE AS before NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION "note_credit_change"();
