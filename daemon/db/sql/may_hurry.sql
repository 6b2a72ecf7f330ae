-- Whether this role may set deadlock_timeout, so that an autovacuum makes way at once (PostgreSQL 15 and later; before,
-- only superusers may: is_superuser.sql).
SELECT has_parameter_privilege('deadlock_timeout', 'SET');
