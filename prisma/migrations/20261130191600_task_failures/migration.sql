-- The end of the newest failed run of each task. An earlier release leaves it as it is.
ALTER TABLE "task_runs" ADD COLUMN "failed_at" TIMESTAMPTZ(3);
