-- A BRIN index has no summary of a new range of pages before a vacuum, and each search reads all pages that have none. The
-- notices search the newest transactions every minute, and without these settings they would read up to a fifth of the
-- table. Postgres now summarizes a range when the next one begins. It also vacuums after 100,000 new rows, however large
-- the table is, because a request to summarize may be dropped. No row is rewritten. The index is locked for a moment
-- against reads and writes.
ALTER INDEX "credit_transactions_period" SET (autosummarize = on);
ALTER TABLE "credit_transactions" SET (autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 100000);
