-- Notices to users, and the settings of what they are told by mail. A process of the earlier release neither writes nor
-- reads them. The columns have constant defaults, so that no row of "users" is rewritten.
ALTER TABLE "users" ADD COLUMN "locale" TEXT NOT NULL DEFAULT 'en';
ALTER TABLE "users" ADD COLUMN "mail_on" TEXT[] NOT NULL DEFAULT '{}';

CREATE TABLE "notices" (
    "user_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "key" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "read_at" TIMESTAMPTZ(3),
    "points" INTEGER,
    "lapses_at" TIMESTAMPTZ(3),
    "audio_id" UUID,
    "seq" INTEGER,
    "mail_due" BOOLEAN NOT NULL,
    CONSTRAINT "notices_pkey" PRIMARY KEY ("user_id", "id"),
    CONSTRAINT "notices_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE NO ACTION
);
CREATE UNIQUE INDEX "notices_user_id_key_key" ON "notices"("user_id", "key");
CREATE INDEX "notices_at_idx" ON "notices"("at");
CREATE INDEX "notices_unread" ON "notices"("user_id", "id") WHERE "read_at" IS NULL;
CREATE INDEX "notices_mail_due" ON "notices"("id") WHERE "mail_due";

-- The instant up to which the ledger was read for notices. What happened before this migration makes none.
CREATE TABLE "notice_marks" (
    "id" INTEGER NOT NULL,
    "read_until" TIMESTAMPTZ(3) NOT NULL,
    CONSTRAINT "notice_marks_pkey" PRIMARY KEY ("id")
);
INSERT INTO "notice_marks" ("id", "read_until") VALUES (1, ledger_now());

-- Followers are told of new notices, once for each statement.
CREATE FUNCTION "note_notices"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.live_changes (topic) SELECT DISTINCT 'notices ' || added."user_id" FROM added;
    RETURN NULL;
END
$$;
CREATE TRIGGER "notices_note" AFTER INSERT ON "notices" REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION "note_notices"();
