-- Notes as $1, for functions/fence.sql, what decides on whose behalf and how carefully submitted SQL runs. Any role may, and
-- whatever the search path is.
SELECT pg_catalog.set_config($1::pg_catalog.text, pg_catalog.jsonb_build_object(
    'role', pg_catalog.current_setting('role'),
    'session_authorization', session_user,
    'search_path', pg_catalog.current_setting('search_path'),
    'lock_timeout', pg_catalog.current_setting('lock_timeout'),
    'synchronous_commit', pg_catalog.current_setting('synchronous_commit'))::pg_catalog.text, true);
