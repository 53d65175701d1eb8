-- Whether recordings of a story begin with its title and author. A process of the earlier release makes them without,
-- under another hash, and leaves the column to its default. The default is a constant, so that no row is rewritten.
ALTER TABLE "stories" ADD COLUMN "announced" BOOLEAN NOT NULL DEFAULT true;
