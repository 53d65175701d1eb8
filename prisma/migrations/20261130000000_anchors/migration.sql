-- The keys that sign anchors. The private part goes when the key is retired; the public part stays for ever, so that
-- every old anchor can be verified.
CREATE TABLE "anchor_keys" (
    "kid" TEXT NOT NULL,
    "public_jwk" JSONB NOT NULL,
    "private_jwk" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "retired_at" TIMESTAMPTZ(3),
    CONSTRAINT "anchor_keys_pkey" PRIMARY KEY ("kid"),
    CONSTRAINT "anchor_keys_retired_without_private" CHECK ("retired_at" IS NULL OR "private_jwk" IS NULL),
    CONSTRAINT "anchor_keys_public_is_public" CHECK (NOT "public_jwk" ? 'd')
);
CREATE TRIGGER "anchor_keys_no_delete" BEFORE DELETE ON "anchor_keys"
    FOR EACH ROW EXECUTE FUNCTION "refuse_to_rewrite_history"();
CREATE TRIGGER "anchor_keys_no_truncate" BEFORE TRUNCATE ON "anchor_keys"
    FOR EACH STATEMENT EXECUTE FUNCTION "refuse_to_rewrite_history"();

-- When the anchor of a check had reached every place that was configured. A column that may be null is added without
-- rewriting the table; the lock is held for a moment.
ALTER TABLE "reconciliations" ADD COLUMN "anchored_at" TIMESTAMPTZ(3);
