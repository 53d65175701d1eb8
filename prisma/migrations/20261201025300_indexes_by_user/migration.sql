-- A unique index of a table that is distributed by user must have the user's id, because each server can only compare the
-- rows that it has. A transaction is still found by its id alone, and its id is unique because the server makes it with 74
-- random bits (UUIDv7). The next migration drops the unique index, so that reads never lack one. Making the new index
-- blocks movements: about a second for a million transactions.
CREATE INDEX "credit_transactions_id_idx" ON "credit_transactions"("id");
