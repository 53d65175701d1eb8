-- What a check of the ledger has found, and what it has repaired of that. Columns with a constant default are added without
-- rewriting the table; the lock is held for a moment. A process of the earlier release repairs nothing, and writes the
-- defaults.
ALTER TABLE "reconciliations" ADD COLUMN "violations_found" INTEGER, ADD COLUMN "repaired_lots" INTEGER NOT NULL DEFAULT 0;
