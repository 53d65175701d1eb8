-- A sentence as it was spoken, under the hash of everything that decides how it sounds: paid for once, whoever
-- asks for it, in whichever text. While someone speaks it, it is leased, and has no bytes yet.
CREATE TABLE "spoken_sentences" (
    "hash" TEXT NOT NULL,
    "leased_by" UUID NOT NULL,
    "leased_until" TIMESTAMPTZ(3) NOT NULL,
    "spoken_at" TIMESTAMPTZ(3),
    "key" TEXT,
    "offset_bytes" INTEGER,
    "length_bytes" INTEGER,
    "samples" INTEGER,
    "sample_rate_hz" INTEGER,
    CONSTRAINT "spoken_sentences_pkey" PRIMARY KEY ("hash"),
    CONSTRAINT "spoken_sentences_hash_is_sha256" CHECK ("hash" ~ '^[0-9a-f]{64}$'),
    CONSTRAINT "spoken_sentences_spoken_whole" CHECK (
      num_nulls("spoken_at", "key", "offset_bytes", "length_bytes", "samples", "sample_rate_hz") IN (0, 6)
    ),
    CONSTRAINT "spoken_sentences_not_empty" CHECK ("offset_bytes" >= 0 AND "length_bytes" > 0 AND "samples" > 0)
);
-- What goes when a file goes, and what the sweep of files looks up.
CREATE INDEX "spoken_sentences_key_idx" ON "spoken_sentences"("key");
-- What is in no recording yet, or was never spoken: pruned when nobody came back for it.
CREATE INDEX "spoken_sentences_loose" ON "spoken_sentences"("leased_until")
    WHERE "key" IS NULL OR "key" = "hash" || '.part';

-- Whoever follows a narration or a balance hears when it has changed, whoever changed it. The payload is the
-- topic, as services/live knows it.
CREATE FUNCTION "tell_audio_followers"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('talebank_live', 'audio ' || NEW."user_id" || ' ' || NEW."id");
    RETURN NULL;
END
$$;
CREATE TRIGGER "audios_tell_followers" AFTER UPDATE ON "audios" FOR EACH ROW
    WHEN (NEW."status" <> OLD."status" OR NEW."progress" <> OLD."progress" OR NEW."attempt" <> OLD."attempt")
    EXECUTE FUNCTION "tell_audio_followers"();

CREATE FUNCTION "tell_credit_followers"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('talebank_live', 'credits ' || NEW."user_id");
    RETURN NULL;
END
$$;
CREATE TRIGGER "credit_accounts_tell_followers" AFTER UPDATE ON "credit_accounts" FOR EACH ROW
    WHEN (NEW."last_seq" <> OLD."last_seq")
    EXECUTE FUNCTION "tell_credit_followers"();
