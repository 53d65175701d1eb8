-- A worker looks which tasks were missed as soon as it starts, before it writes its own schedules. The schedules of an
-- earlier release skip what was missed: from here on they make up for it, also at the first start after this migration.
DO $$
BEGIN
    IF to_regclass('pgboss.schedule') IS NOT NULL THEN
        UPDATE pgboss.schedule SET options = coalesce(options, '{}') || '{"missed": "once"}';
    END IF;
END
$$;
