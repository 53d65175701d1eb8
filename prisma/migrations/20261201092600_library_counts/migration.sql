-- How many published stories have each language and each tag, so that the settings read a few rows instead of all
-- stories. Triggers keep the counts, so a process of the earlier release and any other program keep them, too. Writers
-- of stories wait while the stories are counted once: less than a second for 50,000.
CREATE TABLE "library_counts" (
    "kind" TEXT NOT NULL,
    "value" TEXT COLLATE "C" NOT NULL,
    "stories" INTEGER NOT NULL,

    CONSTRAINT "library_counts_pkey" PRIMARY KEY ("kind", "value"),
    CONSTRAINT "library_counts_kind_known" CHECK ("kind" IN ('LANGUAGE', 'TAG'))
);
CREATE INDEX "library_counts_kind_stories_value_idx" ON "library_counts"("kind", "stories" DESC, "value");

-- Under what a story is counted.
CREATE FUNCTION "counted_under"("counted" boolean, "language" text, "tags" text[])
    RETURNS TABLE ("kind" text, "value" text) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT 'LANGUAGE', language WHERE counted
  UNION ALL SELECT 'TAG', tag FROM unnest(tags) AS t(tag) WHERE counted
$$;

-- Adds to the counts, in one order, so that two writers do not wait for each other in a circle.
CREATE FUNCTION "change_library_counts"("kinds" text[], "entries" text[], "changes" integer[])
    RETURNS void LANGUAGE sql AS $$
  INSERT INTO public.library_counts AS c (kind, value, stories)
  SELECT kind, value, sum(change) FROM unnest(kinds, entries, changes) AS u(kind, value, change)
  GROUP BY kind, value HAVING sum(change) <> 0
  ORDER BY kind, value COLLATE "C"
  ON CONFLICT (kind, value) DO UPDATE SET stories = c.stories + excluded.stories;
  DELETE FROM public.library_counts c USING unnest(kinds, entries) AS u(kind, value)
  WHERE c.kind = u.kind AND c.value = u.value AND c.stories = 0;
$$;

-- Once for each statement, because many rows of one statement often have the same language.
CREATE FUNCTION "count_library"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kinds text[];
    entries text[];
    changes integer[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(u.kind), array_agg(u.value), array_agg(1) INTO kinds, entries, changes
        FROM gained s, public.counted_under(s.published AND s.deleted_at IS NULL, s.language, s.tags) u;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(u.kind), array_agg(u.value), array_agg(-1) INTO kinds, entries, changes
        FROM lost s, public.counted_under(s.published AND s.deleted_at IS NULL, s.language, s.tags) u;
    ELSE
        SELECT array_agg(u.kind), array_agg(u.value), array_agg(u.change) INTO kinds, entries, changes
        FROM (
            SELECT n.kind, n.value, 1 AS change
            FROM gained s, public.counted_under(s.published AND s.deleted_at IS NULL, s.language, s.tags) n
            UNION ALL
            SELECT o.kind, o.value, -1
            FROM lost s, public.counted_under(s.published AND s.deleted_at IS NULL, s.language, s.tags) o
        ) u;
    END IF;
    PERFORM public.change_library_counts(kinds, entries, changes);
    RETURN NULL;
END
$$;
CREATE TRIGGER "stories_gained" AFTER INSERT ON "stories" REFERENCING NEW TABLE AS gained
    FOR EACH STATEMENT EXECUTE FUNCTION "count_library"();
CREATE TRIGGER "stories_edited" AFTER UPDATE ON "stories" REFERENCING OLD TABLE AS lost NEW TABLE AS gained
    FOR EACH STATEMENT EXECUTE FUNCTION "count_library"();
CREATE TRIGGER "stories_lost" AFTER DELETE ON "stories" REFERENCING OLD TABLE AS lost
    FOR EACH STATEMENT EXECUTE FUNCTION "count_library"();

INSERT INTO "library_counts" ("kind", "value", "stories")
SELECT u."kind", u."value", count(*)
FROM "stories" s, "counted_under"(s."published" AND s."deleted_at" IS NULL, s."language", s."tags") u
GROUP BY u."kind", u."value";
