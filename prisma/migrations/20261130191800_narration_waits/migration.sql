-- What an unfinished narration waits for besides a worker, and since when it has waited in this attempt. Neither column has
-- a default, so that no row is rewritten.
ALTER TABLE "audios"
    ADD COLUMN "waiting_for" TEXT,
    ADD COLUMN "waiting_since" TIMESTAMPTZ(3);
