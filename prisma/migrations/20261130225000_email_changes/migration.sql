-- Changes of e-mail addresses that wait for a mailed link. A process of the earlier release does not know them. The
-- table of tokens is small, because its rows live for a day, so the new check and column take no time.
CREATE TABLE "email_changes" (
    "user_id" UUID NOT NULL,
    "old_email" TEXT NOT NULL,
    "new_email" TEXT NOT NULL,
    "asked_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "confirmed_at" TIMESTAMPTZ(3),

    CONSTRAINT "email_changes_pkey" PRIMARY KEY ("user_id")
);
CREATE INDEX "email_changes_expires_at_idx" ON "email_changes"("expires_at");
ALTER TABLE "email_changes" ADD CONSTRAINT "email_changes_user_id_fkey"
    FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE NO ACTION;

ALTER TABLE "email_tokens"
    ADD COLUMN "email" TEXT,
    DROP CONSTRAINT "email_tokens_purpose_known",
    ADD CONSTRAINT "email_tokens_purpose_known" CHECK ("purpose" IN ('VERIFY', 'RESET') OR ("purpose" = 'CHANGE' AND "email" IS NOT NULL));
