-- Everything that belongs to a user is keyed by (user_id, …), so that it can be distributed by user.

-- ------------------------------------------------------------------ the ledger's clock
-- The only clock that decides about points. A command reads it once, after the account is locked.
-- Cut, not rounded, to milliseconds: rounding would book things in the future.
CREATE FUNCTION "ledger_now"() RETURNS timestamptz
  LANGUAGE sql VOLATILE PARALLEL SAFE
  AS $$ SELECT date_trunc('milliseconds', clock_timestamp()) $$;

-- ------------------------------------------------------------------ people and their devices
CREATE TYPE "role" AS ENUM ('USER', 'ADMIN');

CREATE TABLE "users" (
    "id" UUID NOT NULL,
    "email" TEXT NOT NULL,
    "email_verified_at" TIMESTAMPTZ(3),
    "password_hash" TEXT NOT NULL,
    "display_name" TEXT,
    "role" "role" NOT NULL DEFAULT 'USER',
    "suspended_at" TIMESTAMPTZ(3),
    "monthly_credits" INTEGER,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "users_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "users_email_is_lower_case" CHECK ("email" = lower("email")),
    CONSTRAINT "users_monthly_credits_in_range" CHECK ("monthly_credits" BETWEEN 0 AND 1000000)
);
CREATE UNIQUE INDEX "users_email_key" ON "users"("email");

CREATE TABLE "sessions" (
    "user_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "device_name" TEXT,
    "user_agent" TEXT,
    "ip_address" TEXT,
    "transport" TEXT NOT NULL DEFAULT 'BODY',
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "last_used_at" TIMESTAMPTZ(3) NOT NULL,
    "absolute_expires_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "revoked_at" TIMESTAMPTZ(3),
    CONSTRAINT "sessions_pkey" PRIMARY KEY ("user_id", "id"),
    CONSTRAINT "sessions_transport_known" CHECK ("transport" IN ('BODY', 'COOKIE')),
    CONSTRAINT "sessions_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE NO ACTION
);

CREATE TABLE "refresh_tokens" (
    "user_id" UUID NOT NULL,
    "hash" BYTEA NOT NULL,
    "session_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "replaced_at" TIMESTAMPTZ(3),
    "successor_hash" BYTEA,
    "sealed_successor" BYTEA,
    CONSTRAINT "refresh_tokens_pkey" PRIMARY KEY ("user_id", "hash"),
    CONSTRAINT "refresh_tokens_hash_is_sha256" CHECK (length("hash") = 32),
    CONSTRAINT "refresh_tokens_replaced_whole" CHECK (
      ("replaced_at" IS NULL) = ("successor_hash" IS NULL)
      AND ("replaced_at" IS NULL) = ("sealed_successor" IS NULL)
    ),
    CONSTRAINT "refresh_tokens_user_id_session_id_fkey" FOREIGN KEY ("user_id", "session_id") REFERENCES "sessions"("user_id", "id") ON DELETE CASCADE ON UPDATE NO ACTION
);
CREATE INDEX "refresh_tokens_user_id_session_id_idx" ON "refresh_tokens"("user_id", "session_id");
-- A family has one living token, however many processes refresh it at once.
CREATE UNIQUE INDEX "refresh_tokens_one_living" ON "refresh_tokens"("user_id", "session_id") WHERE "replaced_at" IS NULL;

CREATE TABLE "signing_keys" (
    "kid" TEXT NOT NULL,
    "private_jwk" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "retired_at" TIMESTAMPTZ(3),
    CONSTRAINT "signing_keys_pkey" PRIMARY KEY ("kid")
);

CREATE TABLE "secrets" (
    "name" TEXT NOT NULL,
    "value" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "secrets_pkey" PRIMARY KEY ("name")
);

-- ------------------------------------------------------------------ stories and voices
CREATE TABLE "story_texts" (
    "hash" TEXT NOT NULL,
    "content" TEXT NOT NULL,
    "character_count" INTEGER NOT NULL,
    CONSTRAINT "story_texts_pkey" PRIMARY KEY ("hash"),
    CONSTRAINT "story_texts_hash_is_sha256" CHECK ("hash" ~ '^[0-9a-f]{64}$'),
    CONSTRAINT "story_texts_counted" CHECK ("character_count" = char_length("content"))
);

CREATE TABLE "stories" (
    "id" UUID NOT NULL,
    "slug" TEXT NOT NULL,
    "title" TEXT NOT NULL,
    "author" TEXT NOT NULL,
    "language" TEXT NOT NULL,
    "description" TEXT,
    "cover_url" TEXT,
    "published" BOOLEAN NOT NULL DEFAULT false,
    "text_hash" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deleted_at" TIMESTAMPTZ(3),
    CONSTRAINT "stories_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "stories_text_hash_fkey" FOREIGN KEY ("text_hash") REFERENCES "story_texts"("hash") ON DELETE RESTRICT ON UPDATE NO ACTION
);
CREATE INDEX "stories_text_hash_idx" ON "stories"("text_hash");
-- A deleted story gives its slug back.
CREATE UNIQUE INDEX "stories_slug_of_living" ON "stories"("slug") WHERE "deleted_at" IS NULL;
-- The library in its order.
CREATE INDEX "stories_published" ON "stories"("id") WHERE "published" AND "deleted_at" IS NULL;

CREATE TABLE "voices" (
    "id" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "provider_voice" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "languages" TEXT[],
    "gender" TEXT,
    "available" BOOLEAN NOT NULL DEFAULT true,
    "position" INTEGER NOT NULL DEFAULT 0,
    CONSTRAINT "voices_pkey" PRIMARY KEY ("id")
);

-- ------------------------------------------------------------------ narrations
CREATE TYPE "audio_status" AS ENUM ('QUEUED', 'PROCESSING', 'READY', 'FAILED', 'CANCELLED');

CREATE TABLE "audios" (
    "user_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "story_id" UUID NOT NULL,
    "voice_id" TEXT NOT NULL,
    "text_hash" TEXT NOT NULL,
    "status" "audio_status" NOT NULL,
    "attempt" INTEGER NOT NULL,
    "claim" INTEGER NOT NULL DEFAULT 0,
    "progress" REAL NOT NULL DEFAULT 0,
    "job_id" UUID NOT NULL,
    "debit_seq" INTEGER NOT NULL,
    "rendition_hash" TEXT,
    "duration_ms" INTEGER,
    "length_bytes" INTEGER,
    "failure_reason" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "ready_at" TIMESTAMPTZ(3),
    CONSTRAINT "audios_pkey" PRIMARY KEY ("user_id", "id"),
    CONSTRAINT "audios_progress_in_range" CHECK ("progress" BETWEEN 0 AND 1),
    CONSTRAINT "audios_ready_is_whole" CHECK (
      ("status" = 'READY') = ("ready_at" IS NOT NULL)
      AND ("status" <> 'READY' OR ("rendition_hash" IS NOT NULL AND "duration_ms" IS NOT NULL AND "length_bytes" IS NOT NULL))
    ),
    CONSTRAINT "audios_failed_says_why" CHECK (("status" = 'FAILED') = ("failure_reason" IS NOT NULL)),
    CONSTRAINT "audios_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE RESTRICT ON UPDATE NO ACTION
);
-- One narration for each user, story text and voice.
CREATE UNIQUE INDEX "audios_user_id_story_id_text_hash_voice_id_key" ON "audios"("user_id", "story_id", "text_hash", "voice_id");
-- What the reaper looks through.
CREATE INDEX "audios_unsettled" ON "audios"("updated_at") WHERE "status" IN ('QUEUED', 'PROCESSING');

CREATE TABLE "audio_requests" (
    "user_id" UUID NOT NULL,
    "idempotency_key" TEXT NOT NULL,
    "request_hash" BYTEA NOT NULL,
    "audio_id" UUID NOT NULL,
    "debit_seq" INTEGER,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    CONSTRAINT "audio_requests_pkey" PRIMARY KEY ("user_id", "idempotency_key")
);

CREATE TABLE "renditions" (
    "hash" TEXT NOT NULL,
    "duration_ms" INTEGER NOT NULL,
    "length_bytes" INTEGER NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "renditions_pkey" PRIMARY KEY ("hash")
);

-- ------------------------------------------------------------------ the ledger
CREATE TYPE "credit_source" AS ENUM ('EVENT', 'MONTHLY', 'REFERRAL', 'ADD_ON', 'FREE');
CREATE TYPE "credit_transaction_type" AS ENUM ('GRANT', 'DEBIT', 'REFUND', 'EXPIRY', 'REVOCATION');

CREATE TABLE "credit_accounts" (
    "user_id" UUID NOT NULL,
    "last_seq" INTEGER NOT NULL DEFAULT 0,
    "head_hash" BYTEA NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    CONSTRAINT "credit_accounts_pkey" PRIMARY KEY ("user_id"),
    CONSTRAINT "credit_accounts_head_hash_is_sha256" CHECK (length("head_hash") = 32),
    CONSTRAINT "credit_accounts_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE RESTRICT ON UPDATE NO ACTION
);

CREATE TABLE "credit_lots" (
    "user_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "source" "credit_source" NOT NULL,
    "priority" INTEGER NOT NULL,
    "granted" INTEGER NOT NULL,
    "remaining" INTEGER NOT NULL,
    "granted_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),
    "parent_lot_id" UUID,
    "period" TEXT,
    CONSTRAINT "credit_lots_pkey" PRIMARY KEY ("user_id", "id"),
    CONSTRAINT "credit_lots_granted_positive" CHECK ("granted" > 0),
    CONSTRAINT "credit_lots_remaining_in_range" CHECK (0 <= "remaining" AND "remaining" <= "granted"),
    CONSTRAINT "credit_lots_lapse_after_grant" CHECK ("expires_at" > "granted_at"),
    CONSTRAINT "credit_lots_period_is_a_month" CHECK ("period" ~ '^\d{4}-(0[1-9]|1[0-2])$'),
    CONSTRAINT "credit_lots_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "credit_accounts"("user_id") ON DELETE RESTRICT ON UPDATE NO ACTION,
    CONSTRAINT "credit_lots_user_id_parent_lot_id_fkey" FOREIGN KEY ("user_id", "parent_lot_id") REFERENCES "credit_lots"("user_id", "id") ON DELETE RESTRICT ON UPDATE NO ACTION
);
CREATE INDEX "credit_lots_user_id_granted_at_id_idx" ON "credit_lots"("user_id", "granted_at", "id");
-- One grant for each user, source and month, whatever the application believes.
CREATE UNIQUE INDEX "credit_lots_one_a_period" ON "credit_lots"("user_id", "source", "period") WHERE "period" IS NOT NULL;
-- The lots that a balance or a debit looks at, in the order in which they burn.
CREATE INDEX "credit_lots_open" ON "credit_lots"("user_id", "priority", "expires_at", "granted_at", "id") WHERE "remaining" > 0 AND "revoked_at" IS NULL;
-- The lots that the sweep looks at, oldest first.
CREATE INDEX "credit_lots_lapsing" ON "credit_lots"("expires_at") WHERE "remaining" > 0 AND "revoked_at" IS NULL AND "expires_at" IS NOT NULL;

CREATE TABLE "credit_transactions" (
    "user_id" UUID NOT NULL,
    "seq" INTEGER NOT NULL,
    "id" UUID NOT NULL,
    "type" "credit_transaction_type" NOT NULL,
    "amount" INTEGER NOT NULL,
    "balance_after" INTEGER NOT NULL,
    "reason" TEXT,
    "audio_id" UUID,
    "story_id" UUID,
    "debit_seq" INTEGER,
    "actor_id" UUID,
    "idempotency_key" TEXT,
    "request_hash" BYTEA,
    "effective_at" TIMESTAMPTZ(3) NOT NULL,
    "recorded_at" TIMESTAMPTZ(3) NOT NULL,
    "hash" BYTEA NOT NULL,
    CONSTRAINT "credit_transactions_pkey" PRIMARY KEY ("user_id", "seq"),
    CONSTRAINT "credit_transactions_seq_positive" CHECK ("seq" > 0),
    CONSTRAINT "credit_transactions_sign_fits_type" CHECK (
      CASE WHEN "type" IN ('GRANT', 'REFUND') THEN "amount" > 0 ELSE "amount" < 0 END
    ),
    CONSTRAINT "credit_transactions_balance_not_negative" CHECK ("balance_after" >= 0),
    CONSTRAINT "credit_transactions_refund_names_its_debit" CHECK (("type" = 'REFUND') = ("debit_seq" IS NOT NULL)),
    CONSTRAINT "credit_transactions_debit_comes_first" CHECK ("debit_seq" < "seq"),
    CONSTRAINT "credit_transactions_hash_is_sha256" CHECK (length("hash") = 32),
    CONSTRAINT "credit_transactions_key_is_visible_ascii" CHECK ("idempotency_key" ~ '^[!-~]+$' AND length("idempotency_key") <= 300),
    CONSTRAINT "credit_transactions_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "credit_accounts"("user_id") ON DELETE RESTRICT ON UPDATE NO ACTION,
    CONSTRAINT "credit_transactions_user_id_debit_seq_fkey" FOREIGN KEY ("user_id", "debit_seq") REFERENCES "credit_transactions"("user_id", "seq") ON DELETE RESTRICT ON UPDATE NO ACTION
);
CREATE UNIQUE INDEX "credit_transactions_user_id_id_key" ON "credit_transactions"("user_id", "id");
CREATE UNIQUE INDEX "credit_transactions_one_a_key" ON "credit_transactions"("user_id", "idempotency_key") WHERE "idempotency_key" IS NOT NULL;
-- The debit and the refunds of a narration.
CREATE INDEX "credit_transactions_of_audio" ON "credit_transactions"("user_id", "audio_id", "seq") WHERE "audio_id" IS NOT NULL;
-- The refunds of a debit.
CREATE INDEX "credit_transactions_of_debit" ON "credit_transactions"("user_id", "debit_seq") WHERE "debit_seq" IS NOT NULL;

CREATE TABLE "credit_allocations" (
    "user_id" UUID NOT NULL,
    "seq" INTEGER NOT NULL,
    "ordinal" INTEGER NOT NULL,
    "lot_id" UUID NOT NULL,
    "amount" INTEGER NOT NULL,
    CONSTRAINT "credit_allocations_pkey" PRIMARY KEY ("user_id", "seq", "ordinal"),
    CONSTRAINT "credit_allocations_amount_not_zero" CHECK ("amount" <> 0),
    CONSTRAINT "credit_allocations_user_id_seq_fkey" FOREIGN KEY ("user_id", "seq") REFERENCES "credit_transactions"("user_id", "seq") ON DELETE RESTRICT ON UPDATE NO ACTION,
    CONSTRAINT "credit_allocations_user_id_lot_id_fkey" FOREIGN KEY ("user_id", "lot_id") REFERENCES "credit_lots"("user_id", "id") ON DELETE RESTRICT ON UPDATE NO ACTION
);
CREATE INDEX "credit_allocations_user_id_lot_id_seq_idx" ON "credit_allocations"("user_id", "lot_id", "seq");

-- ------------------------------------------------------------------ history only accumulates
CREATE FUNCTION "refuse_to_rewrite_history"() RETURNS trigger
  LANGUAGE plpgsql
  AS $$
BEGIN
  RAISE EXCEPTION '% on % is refused: the ledger only accumulates', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation';
END
$$;

CREATE TRIGGER "credit_transactions_append_only" BEFORE UPDATE OR DELETE ON "credit_transactions"
  FOR EACH ROW EXECUTE FUNCTION "refuse_to_rewrite_history"();
CREATE TRIGGER "credit_transactions_no_truncate" BEFORE TRUNCATE ON "credit_transactions"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_to_rewrite_history"();
CREATE TRIGGER "credit_allocations_append_only" BEFORE UPDATE OR DELETE ON "credit_allocations"
  FOR EACH ROW EXECUTE FUNCTION "refuse_to_rewrite_history"();
CREATE TRIGGER "credit_allocations_no_truncate" BEFORE TRUNCATE ON "credit_allocations"
  FOR EACH STATEMENT EXECUTE FUNCTION "refuse_to_rewrite_history"();
