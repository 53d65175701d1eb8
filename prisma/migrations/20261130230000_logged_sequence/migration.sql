-- The sequence of an unlogged table is unlogged, too. A standby has no contents of it. After the standby was promoted,
-- each use fails with "bad magic number in sequence" (seen with 15.18), and with it every change of an account or a
-- narration, because their triggers insert into this table. So the sequence is logged, and the table stays unlogged. It is
-- made anew instead of altered, because a database that has failed over already cannot read the old one.
LOCK TABLE "live_changes" IN ACCESS EXCLUSIVE MODE;
ALTER TABLE "live_changes" ALTER COLUMN "id" DROP DEFAULT;
DROP SEQUENCE "live_changes_id_seq";
CREATE SEQUENCE "live_changes_id_seq" OWNED BY "live_changes"."id";
SELECT setval('"live_changes_id_seq"', (SELECT coalesce(max("id"), 0) + 1 FROM "live_changes"), false);
ALTER TABLE "live_changes" ALTER COLUMN "id" SET DEFAULT nextval('"live_changes_id_seq"');
