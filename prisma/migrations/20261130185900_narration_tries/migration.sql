-- Failed tries and ended workers are counted in the narration, because the queue counts every delivery alike. Both
-- columns have constant defaults, so that no row is rewritten, and an older process that writes no value goes on working.
ALTER TABLE "audios"
    ADD COLUMN "tries" INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN "deaths" INTEGER NOT NULL DEFAULT 0;
