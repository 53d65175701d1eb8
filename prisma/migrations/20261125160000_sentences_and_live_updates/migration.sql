-- A sentence as it was spoken, under the hash of everything that decides how it sounds: paid for once, whoever
-- asks for it, in whichever text. While someone speaks it, it is leased, and has no bytes yet.
CREATE TABLE "spoken_sentences" (
    "hash" TEXT NOT NULL,
    "leased_by" UUID NOT NULL,
    "leased_until" TIMESTAMPTZ(3) NOT NULL,
    "key" TEXT,
    "offset_bytes" INTEGER,
    "length_bytes" INTEGER,
    "samples" INTEGER,
    "sample_rate_hz" INTEGER,
    CONSTRAINT "spoken_sentences_pkey" PRIMARY KEY ("hash"),
    CONSTRAINT "spoken_sentences_hash_is_sha256" CHECK ("hash" ~ '^[0-9a-f]{64}$'),
    CONSTRAINT "spoken_sentences_spoken_whole" CHECK (
      num_nulls("key", "offset_bytes", "length_bytes", "samples", "sample_rate_hz") IN (0, 5)
    ),
    CONSTRAINT "spoken_sentences_not_empty" CHECK ("offset_bytes" >= 0 AND "length_bytes" > 0 AND "samples" > 0)
);
-- What goes when a file goes, and what the sweep of files looks up.
CREATE INDEX "spoken_sentences_key_idx" ON "spoken_sentences"("key");
-- What is in no recording yet, or was never spoken: pruned when nobody came back for it.
CREATE INDEX "spoken_sentences_loose" ON "spoken_sentences"("leased_until")
    WHERE "key" IS NULL OR "key" = "hash" || '.part';

-- For whom a recording is being erased: of two who had it and left, one does it.
ALTER TABLE "renditions" ADD COLUMN "erasing_by" UUID;

-- Of a narration that was READY: its recording was lost, and is made once more without a charge.
ALTER TABLE "audios" ADD COLUMN "remade" BOOLEAN NOT NULL DEFAULT false;

-- Whoever follows a narration or a balance hears when it has changed, whoever changed it. A trigger that notified would
-- make every commit wait for every other one, because Postgres lets transactions that notify commit one by one: so
-- the topics are left here, and told from here by transactions of their own. Not logged: after a crash of the database
-- everybody looks anew.
CREATE UNLOGGED TABLE "live_changes" (
    "id" BIGSERIAL NOT NULL,
    "topic" TEXT NOT NULL,
    CONSTRAINT "live_changes_pkey" PRIMARY KEY ("id")
);

CREATE FUNCTION "note_audio_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO live_changes (topic) VALUES ('audio ' || NEW."user_id" || ' ' || NEW."id");
    RETURN NULL;
END
$$;
CREATE TRIGGER "audios_note_change" AFTER UPDATE ON "audios" FOR EACH ROW
    WHEN (NEW."status" <> OLD."status" OR NEW."progress" <> OLD."progress" OR NEW."attempt" <> OLD."attempt")
    EXECUTE FUNCTION "note_audio_change"();

CREATE FUNCTION "note_credit_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO live_changes (topic) VALUES ('credits ' || NEW."user_id");
    RETURN NULL;
END
$$;
CREATE TRIGGER "credit_accounts_note_change" AFTER UPDATE ON "credit_accounts" FOR EACH ROW
    WHEN (NEW."last_seq" <> OLD."last_seq")
    EXECUTE FUNCTION "note_credit_change"();
