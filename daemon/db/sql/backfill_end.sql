-- The last statement before COMMIT of a batch, as execution_end.sql is that of a migration's transaction: the lock is $1, the
-- changes $2 hold the step, whose progress the batch has left behind. Returns how busy the server is; the sessions at work are
-- counted where $3 says so, and are null where the role may not see what others do.
SELECT schemagate.prove_lock_kept($1::bigint),
       schemagate.write_steps(jsonb_set($2::jsonb->'steps', '{0,progress}',
                                        current_setting('schemagate.progress')::jsonb)),
       json_build_object(
           'lag_seconds', coalesce((SELECT extract(epoch FROM max(replay_lag))::double precision
                                    FROM pg_stat_replication), 0),
           'wal_bytes', pg_current_wal_insert_lsn() - '0/0'::pg_lsn,
           'slot', (SELECT json_build_object('name', slot_name, 'active', active,
                                             'retained_bytes', pg_current_wal_insert_lsn() - restart_lsn)
                    FROM pg_get_replication_slots()
                    WHERE restart_lsn IS NOT NULL AND wal_status IS DISTINCT FROM 'lost' -- that holds nothing any more
                    ORDER BY restart_lsn LIMIT 1),
           'active_sessions', CASE WHEN $3::bool AND pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
                                   THEN (SELECT count(*) FROM pg_stat_get_activity(NULL)
                                         WHERE state = 'active' AND pid <> pg_backend_pid()
                                           AND backend_type = 'client backend'
                                           AND datid = (SELECT oid FROM pg_database
                                                        WHERE datname = current_database())) END);
