-- The addresses that users had when a change was requested or confirmed, one row for each mail about it. The row of
-- "email_changes" has only the newest change, and its mails would otherwise go to the address of a later change. A
-- process of the earlier release does not know this table, and sends its mails as before.
CREATE TABLE "former_emails" (
    "user_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "email" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "former_emails_pkey" PRIMARY KEY ("user_id", "id"),
    CONSTRAINT "former_emails_user_id_fkey" FOREIGN KEY ("user_id")
        REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE NO ACTION
);
CREATE INDEX "former_emails_created_at_idx" ON "former_emails"("created_at");
