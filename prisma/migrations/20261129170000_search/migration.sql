-- What a story or a person is found by: their words, folded by the server as a search is (domain/text.ts), because how
-- Postgres compares letters depends on the locale of the database. Null until the server has folded them: after this
-- migration, and whenever a statement of somebody else has changed what they are folded of.
ALTER TABLE "stories" ADD COLUMN "search_text" TEXT COLLATE "C";
ALTER TABLE "users" ADD COLUMN "search_text" TEXT COLLATE "C";

CREATE FUNCTION "forget_search_text"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW."search_text" := NULL;
    RETURN NEW;
END
$$;
CREATE TRIGGER "stories_forget_search_text" BEFORE UPDATE ON "stories" FOR EACH ROW
    WHEN ((OLD."title", OLD."author", OLD."description") IS DISTINCT FROM (NEW."title", NEW."author", NEW."description"))
    EXECUTE FUNCTION "forget_search_text"();
CREATE TRIGGER "users_forget_search_text" BEFORE UPDATE ON "users" FOR EACH ROW
    WHEN ((OLD."email", OLD."display_name") IS DISTINCT FROM (NEW."email", NEW."display_name"))
    EXECUTE FUNCTION "forget_search_text"();

-- Every run of three characters without a space. The index needs no extension, because not everybody may create one, and
-- because pg_trgm knows letters by the locale of the database. The cost lets the planner compare words first.
CREATE FUNCTION "search_grams"("folded" text) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 5000
    AS $$
      SELECT array_agg(DISTINCT gram) FROM (
        SELECT one || lead(one, 1, ' ') OVER places || lead(one, 2, ' ') OVER places AS gram
        FROM unnest(string_to_array(folded, NULL)) WITH ORDINALITY AS characters(one, place)
        WINDOW places AS (ORDER BY place)
      ) grams
      WHERE strpos(gram, ' ') = 0
    $$;
CREATE INDEX "stories_search" ON "stories" USING gin ("search_grams"("search_text"))
    WHERE "published" AND "deleted_at" IS NULL;
CREATE INDEX "users_search" ON "users" USING gin ("search_grams"("search_text")) WHERE "deleted_at" IS NULL;
-- What is still to be folded.
CREATE INDEX "stories_unfolded" ON "stories"("id") WHERE "search_text" IS NULL AND "deleted_at" IS NULL;
CREATE INDEX "users_unfolded" ON "users"("id") WHERE "search_text" IS NULL AND "deleted_at" IS NULL;
