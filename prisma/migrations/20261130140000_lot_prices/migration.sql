-- What was paid for a whole lot, in minor units of a currency of ISO 4217. Null: the lot was free. A grace lot has no price
-- of its own, because it makes good for points of a lot whose price covers them.
ALTER TABLE "credit_lots"
    ADD COLUMN "price_minor" BIGINT,
    ADD COLUMN "currency" TEXT,
    ADD CONSTRAINT "credit_lots_price_has_a_currency" CHECK (("price_minor" IS NULL) = ("currency" IS NULL)),
    ADD CONSTRAINT "credit_lots_price_in_range" CHECK ("price_minor" BETWEEN 1 AND 1000000000000),
    -- Reports multiply the price by points of the lot.
    ADD CONSTRAINT "credit_lots_price_times_points_is_a_bigint" CHECK ("price_minor" <= 9000000000000000000 / "granted"),
    ADD CONSTRAINT "credit_lots_currency_is_a_code" CHECK ("currency" ~ '^[A-Z]{3}$'),
    ADD CONSTRAINT "credit_lots_grace_has_no_price" CHECK ("parent_lot_id" IS NULL OR "price_minor" IS NULL);

-- A price is a term of the lot and never changes.
DROP TRIGGER "credit_lots_keep_terms" ON "credit_lots";
CREATE TRIGGER "credit_lots_keep_terms" BEFORE UPDATE ON "credit_lots" FOR EACH ROW
    WHEN (
      (OLD."user_id", OLD."id", OLD."source", OLD."priority", OLD."granted", OLD."granted_at", OLD."expires_at",
        OLD."parent_lot_id", OLD."period", OLD."price_minor", OLD."currency")
      IS DISTINCT FROM
      (NEW."user_id", NEW."id", NEW."source", NEW."priority", NEW."granted", NEW."granted_at", NEW."expires_at",
        NEW."parent_lot_id", NEW."period", NEW."price_minor", NEW."currency")
      OR (OLD."revoked_at" IS NOT NULL AND NEW."revoked_at" IS DISTINCT FROM OLD."revoked_at")
    )
    EXECUTE FUNCTION "refuse_to_rewrite_lot"();

-- Auditors see both: columns are added at the end of a view.
CREATE OR REPLACE VIEW "audit"."credit_lots" AS
SELECT "user_id", "id", "source"::text AS "source", "priority", "granted", "remaining", "granted_at", "expires_at",
    "revoked_at", "parent_lot_id", "period", "price_minor", "currency"
FROM "public"."credit_lots";
