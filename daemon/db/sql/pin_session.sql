-- What a session must not take from the defaults of its role or database (docs/design.md §7), whatever a
-- migration has set before. $1: lock_timeout, $2: idle_session_timeout, $3: whether it only reads. Settings that this
-- server does not know are left out. DateStyle and TimeZone are the database's own: submitted SQL may depend on them, schemagate's does not.
-- What only reads asks the same long questions again and again: planning one takes longer than answering it, and
-- compiling one (on a large catalog) longer still.
SELECT pg_catalog.set_config(name, setting, false)
FROM (VALUES
    ('client_connection_check_interval', '1s'),
    ('client_encoding', 'UTF8'),
    ('default_transaction_deferrable', 'off'),
    ('default_transaction_isolation', 'read committed'),
    ('default_transaction_read_only', $3::text),
    ('idle_in_transaction_session_timeout', '0'),
    ('idle_session_timeout', $2::text),
    ('jit', CASE WHEN $3::text::bool THEN 'off' ELSE current_setting('jit') END),
    ('lock_timeout', $1::text),
    ('plan_cache_mode', CASE WHEN $3::text::bool THEN 'force_generic_plan' ELSE 'auto' END),
    ('row_security', 'on'),
    ('search_path', 'pg_catalog, pg_temp'),
    ('standard_conforming_strings', 'on'),
    ('statement_timeout', '0'),
    ('synchronous_commit', 'on'),
    ('tcp_keepalives_count', '3'),
    ('tcp_keepalives_idle', '5'),
    ('tcp_keepalives_interval', '2'),
    ('transaction_timeout', '0')) AS pinned (name, setting)
WHERE pg_catalog.current_setting(name, true) IS NOT NULL;
