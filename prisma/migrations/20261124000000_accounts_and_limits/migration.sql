-- A person who deleted their account, and the account that was closed with it: the ledger stays, and no
-- points come in any more.
ALTER TABLE "users" ADD COLUMN "deleted_at" TIMESTAMPTZ(3);
ALTER TABLE "credit_accounts" ADD COLUMN "closed_at" TIMESTAMPTZ(3);

-- So that a mail which was asked for before, and had to wait, does not open the account.
ALTER TABLE "users" ADD COLUMN "password_changed_at" TIMESTAMPTZ(3);

-- What was mailed to confirm an address or to set a new password, by SHA-256. Each is good once.
CREATE TABLE "email_tokens" (
    "user_id" UUID NOT NULL,
    "hash" BYTEA NOT NULL,
    "purpose" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "email_tokens_pkey" PRIMARY KEY ("user_id","hash"),
    CONSTRAINT "email_tokens_purpose_known" CHECK ("purpose" IN ('VERIFY', 'RESET')),
    CONSTRAINT "email_tokens_hash_is_sha256" CHECK (octet_length("hash") = 32)
);
ALTER TABLE "email_tokens" ADD CONSTRAINT "email_tokens_user_id_fkey"
    FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE NO ACTION;
CREATE INDEX "email_tokens_expires_at_idx" ON "email_tokens"("expires_at");

-- A recording whose files are being deleted, so that nobody is given it meanwhile, and who else has one.
ALTER TABLE "renditions" ADD COLUMN "erasing_since" TIMESTAMPTZ(3);
CREATE INDEX "audios_rendition_hash_idx" ON "audios"("rendition_hash");

-- What is pruned, in the order in which it lapsed.
CREATE INDEX "sessions_expires_at_idx" ON "sessions"("expires_at");
-- Whether an account was used from an address before; and of all the devices that were ever signed in, those
-- that are.
CREATE INDEX "sessions_user_id_ip_address_idx" ON "sessions"("user_id", "ip_address");
CREATE INDEX "sessions_live" ON "sessions"("user_id", "id") WHERE "revoked_at" IS NULL;

-- How often something was asked for. Written all the time and worth nothing after a crash: not logged.
CREATE UNLOGGED TABLE "rate_limits" (
    "key" VARCHAR(255) NOT NULL,
    "points" INTEGER NOT NULL DEFAULT 0,
    "expire" BIGINT,

    CONSTRAINT "rate_limits_pkey" PRIMARY KEY ("key")
);

-- Whoever remembers how a session stands hears at once that it stands otherwise, whoever changed it.
CREATE FUNCTION tell_who_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('talebank_standing', to_jsonb(OLD) ->> TG_ARGV[0]);
    RETURN NULL;
END
$$;
CREATE TRIGGER "sessions_tell_end" AFTER UPDATE ON "sessions" FOR EACH ROW
    WHEN (NEW."revoked_at" IS DISTINCT FROM OLD."revoked_at" OR NEW."expires_at" < OLD."expires_at")
    EXECUTE FUNCTION tell_who_changed('user_id');
CREATE TRIGGER "sessions_tell_deletion" AFTER DELETE ON "sessions" FOR EACH ROW
    WHEN (OLD."revoked_at" IS NULL AND OLD."expires_at" > now())
    EXECUTE FUNCTION tell_who_changed('user_id');
CREATE TRIGGER "users_tell_standing" AFTER UPDATE ON "users" FOR EACH ROW
    WHEN (NEW."role" <> OLD."role" OR NEW."suspended_at" IS DISTINCT FROM OLD."suspended_at")
    EXECUTE FUNCTION tell_who_changed('id');
