-- Which backend, server and cluster a session speaks with. All sessions of a daemon must agree on the last four.
-- pg_control_checkpoint() would go on naming the old timeline after a promotion.
SELECT pg_backend_pid(),
       pg_is_in_recovery(),
       (SELECT system_identifier FROM pg_control_system()),
       CASE WHEN NOT pg_is_in_recovery() THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END,
       extract(epoch FROM pg_postmaster_start_time())::text,
       (SELECT oid FROM pg_database WHERE datname = current_database());
