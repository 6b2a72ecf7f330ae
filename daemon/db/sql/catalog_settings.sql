-- For the transaction of catalog.sql: it never waits for a lock worth mentioning, nor works for long; and it is planned
-- once a session, since planning it costs more than running it.
SELECT set_config(name, setting, true)
FROM (VALUES ('lock_timeout', '50ms'), ('statement_timeout', '2s'), ('jit', 'off'),
             ('plan_cache_mode', 'force_generic_plan')) AS local (name, setting);
