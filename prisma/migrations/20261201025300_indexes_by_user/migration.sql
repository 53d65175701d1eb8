-- A unique index of a table that is distributed by user must have the user's id, because each server can only compare the
-- rows that it has. A transaction is still found by its id alone, and its id is unique because the server makes it with 74
-- random bits (UUIDv7). The new index comes first, so that such a read never lacks one. Making it blocks movements: about a
-- second for a million transactions. Dropping the other one blocks the reads of transactions for a moment.
CREATE INDEX "credit_transactions_id_idx" ON "credit_transactions"("id");
DROP INDEX "credit_transactions_id_key";
