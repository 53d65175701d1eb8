-- When the words of a sentence are heard. Null for sentences whose provider gave no times, and for those of earlier
-- releases, whose processes do not write it.
ALTER TABLE "spoken_sentences" ADD COLUMN "words" INTEGER[];
