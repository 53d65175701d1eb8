-- These triggers fire in whatever session changes a row, also in an operator's, whose search_path may lack the schema
-- of the tables: then the change itself would fail. So the table is named with its schema.
CREATE OR REPLACE FUNCTION "note_audio_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.live_changes (topic) VALUES ('audio ' || NEW."user_id" || ' ' || NEW."id");
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION "note_credit_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.live_changes (topic) VALUES ('credits ' || NEW."user_id");
    RETURN NULL;
END
$$;
