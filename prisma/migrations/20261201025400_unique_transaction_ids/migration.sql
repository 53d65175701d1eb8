-- A transaction of its own, because a movement that waits for the index of the migration before, and a drop that waits
-- for what the movement has read, would wait for each other. Dropping blocks the reads of transactions for a moment.
DROP INDEX "credit_transactions_id_key";
