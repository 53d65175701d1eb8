-- Lapses that were booked more than an hour after they took effect: because no sweep ran, or by the refund of a debit whose
-- lot had lapsed. There are few. A balance in the past must know of them whenever they were booked. Making the index reads
-- the transactions once, and holds up movements meanwhile: about a second for two million.
CREATE INDEX "credit_transactions_late" ON "credit_transactions"("user_id", "seq", "effective_at")
    WHERE "recorded_at" - "effective_at" > interval '01:00:00';
