-- Whom a story is for, what it is about, its cover, and what the library is ordered by. The defaults are constants, so
-- that adding the columns rewrites no row. The update does: it takes a second for 50,000 stories, and readers wait for
-- it. A process of the earlier release leaves the new columns to their defaults and to the triggers.
ALTER TABLE "stories"
    ADD COLUMN "age_from" INTEGER,
    ADD COLUMN "age_to" INTEGER,
    ADD COLUMN "tags" TEXT[] NOT NULL DEFAULT '{}',
    ADD COLUMN "cover_color" TEXT,
    ADD COLUMN "cover_width" INTEGER,
    ADD COLUMN "cover_height" INTEGER,
    -- The length of the text, so that one index has the order by length.
    ADD COLUMN "character_count" INTEGER NOT NULL DEFAULT 0,
    -- The folded title. The server writes it together with the search text.
    ADD COLUMN "title_key" TEXT COLLATE "C",
    ADD CONSTRAINT "stories_ages" CHECK ("age_from" BETWEEN 0 AND 99 AND "age_to" BETWEEN 0 AND 99 AND "age_from" <= "age_to"),
    ADD CONSTRAINT "stories_tags_bounded" CHECK (cardinality("tags") <= 10),
    ADD CONSTRAINT "stories_cover_color_is_hexadecimal" CHECK ("cover_color" ~ '^#[0-9a-f]{6}$'),
    ADD CONSTRAINT "stories_cover_has_a_size" CHECK ("cover_width" > 0 AND "cover_height" > 0);

-- A story has the length of its text, whichever program writes it.
CREATE FUNCTION "measure_story"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW."character_count" := coalesce((SELECT "character_count" FROM public."story_texts" WHERE "hash" = NEW."text_hash"), 0);
    RETURN NEW;
END
$$;
CREATE TRIGGER "stories_are_measured" BEFORE INSERT OR UPDATE OF "text_hash" ON "stories" FOR EACH ROW
    EXECUTE FUNCTION "measure_story"();

CREATE FUNCTION "forget_title_key"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW."title_key" := NULL;
    RETURN NEW;
END
$$;
CREATE TRIGGER "stories_forget_title_key" BEFORE UPDATE ON "stories" FOR EACH ROW
    WHEN (OLD."title" IS DISTINCT FROM NEW."title")
    EXECUTE FUNCTION "forget_title_key"();

-- The next start folds the titles together with the search texts.
UPDATE "stories" s SET "character_count" = t."character_count", "search_text" = NULL
FROM "story_texts" t WHERE t."hash" = s."text_hash";

CREATE INDEX "stories_published_title" ON "stories"((coalesce("title_key", left("search_text", 200), '')), "id")
    WHERE "published" AND "deleted_at" IS NULL;
CREATE INDEX "stories_published_length" ON "stories"("character_count", "id") WHERE "published" AND "deleted_at" IS NULL;
CREATE INDEX "stories_published_tags" ON "stories" USING gin ("tags") WHERE "published" AND "deleted_at" IS NULL;
