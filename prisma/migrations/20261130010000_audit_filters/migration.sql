-- The audit log by who, what, about whom and when. Entries wait while an index is made: about a second for a million of them.
CREATE INDEX "audit_entries_actor_id_id_idx" ON "audit_entries"("actor_id", "id");
CREATE INDEX "audit_entries_action_id_idx" ON "audit_entries"("action", "id");
CREATE INDEX "audit_entries_target_id_idx" ON "audit_entries"("target", "id");
CREATE INDEX "audit_entries_at_idx" ON "audit_entries"("at");
