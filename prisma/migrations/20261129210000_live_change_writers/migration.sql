-- Which transaction wrote a change. Numbers are taken before they are committed, so that a smaller number may appear later;
-- but Postgres knows of every transaction whether it has ended. So a process remembers up to which transactions it has
-- looked, and does not read again what was deleted since (services/live/tell.sql.ts). The table is a queue that is nearly
-- empty: rewriting it takes a moment, under its own lock. Changes that an earlier release writes get the default, too.
ALTER TABLE "live_changes" ADD COLUMN "writer" XID8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX "live_changes_writer_idx" ON "live_changes"("writer");

-- Its rows live for some 40 milliseconds: what they leave behind is cleared away by their number, not by their share.
ALTER TABLE "live_changes" SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0);
-- Statistics of what is gone in a moment say nothing, and make the planner look for the ends of the index among dead rows.
ALTER TABLE "live_changes" ALTER COLUMN "id" SET STATISTICS 0, ALTER COLUMN "writer" SET STATISTICS 0;
