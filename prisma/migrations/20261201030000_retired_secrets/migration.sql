-- From when on what a secret signed is refused. A process of the earlier release knows the first secret alone, which
-- signs until `npm run keys -- rotate-addresses` is run.
ALTER TABLE "secrets" ADD COLUMN "retired_at" TIMESTAMPTZ(3);
