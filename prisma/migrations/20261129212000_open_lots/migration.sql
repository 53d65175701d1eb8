-- Whether a lot holds points is a column of its own, and the indexes of open lots name it instead of "remaining". A debit
-- changes "remaining" each time, and Postgres writes an entry into every index of a table when a column changes that one of
-- them names, also in its condition. This one changes only when a lot becomes empty, or full again: all other debits write
-- the row alone. Postgres keeps it itself, so it cannot be wrong.
--
-- This rewrites credit_lots and makes its indexes anew, under a lock that holds up every read and write of lots: some thirteen
-- seconds for a million lots on two cores. It needs as much disk again as the table has. Rewriting leaves room in each page, too.
ALTER TABLE "credit_lots" SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000, autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
DROP INDEX "credit_lots_open";
DROP INDEX "credit_lots_lapsing";
ALTER TABLE "credit_lots" ADD COLUMN "is_open" BOOLEAN GENERATED ALWAYS AS ("remaining" > 0) STORED;

-- The lots that a balance or a debit looks at. The order in which they burn is decided by the server, which reads all of them.
CREATE INDEX "credit_lots_open" ON "credit_lots"("user_id") WHERE "is_open" AND "revoked_at" IS NULL;
-- The lots that the sweep looks at, oldest first.
CREATE INDEX "credit_lots_lapsing" ON "credit_lots"("expires_at", "user_id", "id")
    WHERE "is_open" AND "revoked_at" IS NULL AND "expires_at" IS NOT NULL;

-- Each movement changes the row of its account. The setting is for pages that are written from now on; in older ones, rows
-- that move away make room.
ALTER TABLE "credit_accounts" SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 1);
