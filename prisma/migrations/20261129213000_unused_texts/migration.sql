-- Since when neither a story nor a narration has a text. Pruning sets it, and deletes the text when that was long ago; who
-- writes the same words again clears it. Adding the column changes no row.
ALTER TABLE "story_texts" ADD COLUMN "unused_since" TIMESTAMPTZ(3);
CREATE INDEX "story_texts_unused" ON "story_texts"("unused_since") WHERE "unused_since" IS NOT NULL;
