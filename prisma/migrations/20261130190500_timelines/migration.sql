-- The times of the sentences of recordings. A process of the earlier release does not know this table: its recordings
-- have no row, and their times are found from the sentences' own rows. The foreign key locks "renditions" for writing
-- for a moment, because the new table is empty.
CREATE TABLE "rendition_timelines" (
    "rendition_hash" TEXT NOT NULL,
    "duration_ms" INTEGER NOT NULL,
    "voice_id" TEXT NOT NULL,
    "language" TEXT NOT NULL,
    "character_count" INTEGER NOT NULL,
    "made_at" TIMESTAMPTZ(3) NOT NULL,
    "sentences" JSON[] NOT NULL,
    CONSTRAINT "rendition_timelines_pkey" PRIMARY KEY ("rendition_hash"),
    CONSTRAINT "rendition_timelines_characters" CHECK ("character_count" > 0 AND "duration_ms" > 0),
    CONSTRAINT "rendition_timelines_rendition_hash_fkey" FOREIGN KEY ("rendition_hash")
      REFERENCES "renditions"("hash") ON DELETE CASCADE ON UPDATE NO ACTION
);
-- Finds how fast a voice has read a language lately.
CREATE INDEX "rendition_timelines_voice_id_language_made_at_idx"
  ON "rendition_timelines"("voice_id", "language", "made_at");
