-- What a server shows of this database's sessions, as JSON: client sessions but those of the pids $1 (the daemon's own)
-- and of a daemon that stands by (its role and its name together tell), pins, lag, and where the log is. Runs on the
-- primary and on standbys. A role that may not see the type or the times of a session gets them as they are: unknown.
--
-- Pins are pairs of shared advisory locks (functions/pin.sql). A session that is just replacing its pin holds two pairs,
-- and counts by the strictest of both; a half one has not been checked yet, and its other end holds nothing.
SELECT json_build_object(
    'sees_all', pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
    'lsn', CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                ELSE pg_current_wal_flush_lsn() END,
    'lag_seconds', coalesce((SELECT extract(epoch FROM max(replay_lag))::double precision
                             FROM pg_stat_replication), 0),
    'sessions', (
        SELECT coalesce(json_agg(json_build_object(
            'pid', pid,
            'backend_start', to_char(backend_start AT TIME ZONE 'UTC',
                                     'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
            'role', role, 'application_name', coalesce(application_name, ''),
            'address', coalesce(host(client_addr), ''), 'state', coalesce(state, ''),
            'since', to_char(state_change AT TIME ZONE 'UTC',
                             'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')) ORDER BY pid), '[]'::json)
        -- What the view pg_stat_activity reads, without its joins.
        FROM pg_stat_get_activity(NULL), pg_get_userbyid(usesysid) AS role
        WHERE datid = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND usesysid IS NOT NULL
          AND coalesce(backend_type, 'client backend') = 'client backend'
          AND pid <> ALL ($1::int[])
          AND NOT (role = current_user
                   AND application_name IN ('schemagate coordinator', 'schemagate store',
                                            'schemagate witness'))),
    'pins', (
        SELECT coalesce(json_agg(json_build_object('pid', pid, 'min', min, 'max', max)
                                 ORDER BY pid), '[]'::json)
        FROM (SELECT pid,
                     coalesce(max(version) FILTER (WHERE tag = x'5349'::bigint), 0) AS min,
                     coalesce(min(version) FILTER (WHERE tag = x'5348'::bigint),
                              (1::bigint << 48) - 1) AS max
              FROM (SELECT pid, key >> 48 AS tag, key & ((1::bigint << 48) - 1) AS version
                    FROM (SELECT pid, (classid::bigint << 32) | objid::bigint AS key
                          FROM pg_locks
                          WHERE locktype = 'advisory' AND objsubid = 1 AND granted
                            AND mode = 'ShareLock' AND pid IS NOT NULL
                            AND database = (SELECT oid FROM pg_database
                                            WHERE datname = current_database())) AS keys) AS locks
              WHERE tag IN (x'5348'::bigint, x'5349'::bigint)
              GROUP BY pid) AS pinned));
