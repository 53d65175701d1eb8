-- What a listener does with stories and recordings: how far they have heard, bookmarks, favourites. A process of the
-- earlier release does not know these tables. The index is made first, because it reads all stories, and the exclusive
-- lock on "audios" must not be held meanwhile.

-- Counts the stories of each language.
CREATE INDEX "stories_published_language" ON "stories"("language") WHERE "published" AND "deleted_at" IS NULL;

-- Why a narration failed, for programs. Null for narrations that failed before this migration.
ALTER TABLE "audios" ADD COLUMN "failure_code" TEXT;

-- How far a listener has heard a narration, as the newest report of their devices says.
CREATE TABLE "listenings" (
    "user_id" UUID NOT NULL,
    "audio_id" UUID NOT NULL,
    "position_ms" INTEGER NOT NULL,
    "finished" BOOLEAN NOT NULL,
    "rate" REAL NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "session_id" UUID NOT NULL,
    CONSTRAINT "listenings_pkey" PRIMARY KEY ("user_id", "audio_id"),
    CONSTRAINT "listenings_position" CHECK ("position_ms" >= 0),
    CONSTRAINT "listenings_rate" CHECK ("rate" > 0),
    CONSTRAINT "listenings_user_id_audio_id_fkey" FOREIGN KEY ("user_id", "audio_id")
      REFERENCES "audios"("user_id", "id") ON DELETE CASCADE ON UPDATE NO ACTION
);
-- The narrations that a user has begun and not finished. "at" is left out, because every report changes it, and an update
-- that changes no indexed column need not touch the indexes.
CREATE INDEX "listenings_begun" ON "listenings"("user_id") WHERE NOT "finished";
ALTER TABLE "listenings" SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

CREATE TABLE "bookmarks" (
    "user_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "audio_id" UUID NOT NULL,
    "position_ms" INTEGER NOT NULL,
    "note" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    CONSTRAINT "bookmarks_pkey" PRIMARY KEY ("user_id", "id"),
    CONSTRAINT "bookmarks_position" CHECK ("position_ms" >= 0),
    CONSTRAINT "bookmarks_user_id_audio_id_fkey" FOREIGN KEY ("user_id", "audio_id")
      REFERENCES "audios"("user_id", "id") ON DELETE CASCADE ON UPDATE NO ACTION
);
CREATE INDEX "bookmarks_user_id_audio_id_position_ms_id_idx" ON "bookmarks"("user_id", "audio_id", "position_ms", "id");

CREATE TABLE "favourites" (
    "user_id" UUID NOT NULL,
    "story_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    CONSTRAINT "favourites_pkey" PRIMARY KEY ("user_id", "story_id"),
    CONSTRAINT "favourites_user_id_fkey" FOREIGN KEY ("user_id")
      REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE NO ACTION
);
