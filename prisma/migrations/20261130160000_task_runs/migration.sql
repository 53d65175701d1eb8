-- The newest run of each scheduled task, so that every process can tell when a task last succeeded, whichever process
-- ran it and however it was started. The times are those of the database's clock.
CREATE TABLE "task_runs" (
    "task" TEXT NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "succeeded_at" TIMESTAMPTZ(3),
    "duration_ms" INTEGER,
    CONSTRAINT "task_runs_pkey" PRIMARY KEY ("task")
);
