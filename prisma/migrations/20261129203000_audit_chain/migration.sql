-- Audit entries say what changed, and follow from each other by hashes: one chain for all of them.
ALTER TABLE "audit_entries"
    ADD COLUMN "seq" INTEGER,
    -- JSON, because JSONB would not keep the text that is hashed.
    ADD COLUMN "details" JSON,
    ADD COLUMN "hash" BYTEA,
    ADD CONSTRAINT "audit_entries_details_are_an_object" CHECK (json_typeof("details") = 'object'),
    ADD CONSTRAINT "audit_entries_hash_is_sha256" CHECK (length("hash") = 32),
    ADD CONSTRAINT "audit_entries_chained_whole" CHECK (num_nulls("seq", "hash") IN (0, 2));

-- The end of the chain, in a single row. A transaction that adds entries locks it.
CREATE TABLE "audit_chain" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "last_seq" INTEGER NOT NULL,
    "head_hash" BYTEA NOT NULL,
    CONSTRAINT "audit_chain_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "audit_chain_is_one" CHECK ("id" = 1),
    CONSTRAINT "audit_chain_head_hash_is_sha256" CHECK (length("head_hash") = 32)
);
CREATE TRIGGER "audit_chain_no_delete" BEFORE DELETE ON "audit_chain"
    FOR EACH ROW EXECUTE FUNCTION "refuse_to_rewrite_history"();
CREATE TRIGGER "audit_chain_no_truncate" BEFORE TRUNCATE ON "audit_chain"
    FOR EACH STATEMENT EXECUTE FUNCTION "refuse_to_rewrite_history"();

-- The entries that are there are sealed as they are, in the order of their ids, which grow with time.
ALTER TABLE "audit_entries" DISABLE TRIGGER "audit_entries_append_only";
DO $$
DECLARE
    one RECORD;
    place INTEGER := 0;
    head BYTEA := decode(repeat('00', 32), 'hex');
BEGIN
    FOR one IN SELECT * FROM "audit_entries" ORDER BY "id" LOOP
        place := place + 1;
        head := sha256(head || convert_to(concat('["', place, '","', one."id", '","',
            to_char(one."at" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), '","', one."actor_id", '",',
            to_json(one."action"), ',', to_json(coalesce(one."target", '')), ',', to_json(coalesce(one."reason", '')),
            ',""]'), 'UTF8'));
        UPDATE "audit_entries" SET "seq" = place, "hash" = head WHERE "id" = one."id";
    END LOOP;
    INSERT INTO "audit_chain" ("last_seq", "head_hash") VALUES (place, head);
END
$$;
ALTER TABLE "audit_entries" ENABLE TRIGGER "audit_entries_append_only";
CREATE UNIQUE INDEX "audit_entries_seq_key" ON "audit_entries"("seq");
-- Entries outside of the chain. The server adds none.
CREATE INDEX "audit_entries_unchained" ON "audit_entries"("id") WHERE "seq" IS NULL;
