-- Narrations that were not made, for the list of all users' narrations. Few narrations are in it, and the making of a
-- narration does not touch it. Building it reads the table once (about a second for a million narrations) and blocks
-- writes to it meanwhile.
CREATE INDEX "audios_unmade" ON "audios"("id") WHERE "status" IN ('FAILED', 'CANCELLED');
