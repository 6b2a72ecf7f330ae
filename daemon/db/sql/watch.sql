-- Who would keep a try waiting on the relations that resolve.sql has noted, and who keeps the session $1 (the
-- executor's; 0: it is idle) waiting now, as JSON; and how far that session has come. Left out: the daemon's own
-- sessions $2, transactions younger than $3 milliseconds that hold a lock, and, where $4, an autovacuum: it yields.
--
-- Reads pg_locks once and the activity of the sessions that it names; takes no lock on any of the relations. Levels are
-- those of struct plan_relation_lock: 1 ACCESS SHARE … 8 ACCESS EXCLUSIVE. Without pg_read_all_stats the age of other
-- roles' transactions is hidden: then everybody counts.
WITH RECURSIVE wanted AS (
    SELECT coalesce(relation::oid, object) AS relation, level, parents
    FROM jsonb_to_recordset(current_setting('schemagate.watched')::jsonb)
        AS noted (relation bigint, named text, level int, parents bool)
    LEFT JOIN LATERAL (SELECT object FROM schemagate.hidden AS h
                       WHERE noted.relation IS NULL AND h.relation = named AND NOT restored) AS hidden ON true
    WHERE coalesce(relation::oid, object) IS NOT NULL
), tables AS (
    (SELECT relation, level FROM wanted
     UNION
     SELECT indrelid, level FROM wanted JOIN pg_index ON indexrelid = relation
     UNION
     SELECT confrelid, level FROM wanted JOIN pg_constraint ON conrelid = relation AND contype = 'f'
     WHERE parents)
    UNION
    SELECT inhrelid, level FROM tables JOIN pg_inherits ON inhparent = relation
), locks AS MATERIALIZED (
    SELECT locktype, database, pid, relation, mode, granted, virtualtransaction, transactionid
    FROM pg_lock_status()
), held AS (
    SELECT l.pid, l.virtualtransaction, l.relation
    FROM (SELECT pid, relation, virtualtransaction,
                 array_position(ARRAY['AccessShareLock', 'RowShareLock', 'RowExclusiveLock',
                                      'ShareUpdateExclusiveLock', 'ShareLock',
                                      'ShareRowExclusiveLock', 'ExclusiveLock',
                                      'AccessExclusiveLock'], mode) AS level
          FROM locks
          WHERE locktype = 'relation'
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS l
    JOIN tables ON tables.relation = l.relation
    WHERE l.level >= (ARRAY[8, 7, 5, 4, 3, 3, 2, 1])[tables.level]
      AND NOT (l.level = 5 AND tables.level = 5)
      AND (l.pid IS NULL OR l.pid <> ALL ($2::int[]))
), blocking AS (
    SELECT pid, NULL::oid AS relation, true AS blocks
    FROM unnest(CASE WHEN $1::int > 0 THEN pg_blocking_pids($1::int) END) AS pid
    WHERE pid > 0 AND pid <> ALL ($2::int[])
    UNION ALL
    SELECT pid, relation, false FROM held
), sessions AS (
    SELECT pid, min(regexp_replace(relation::regclass::text, '^public\.', '')) AS relation, bool_or(blocks) AS blocks
    FROM blocking WHERE pid IS NOT NULL GROUP BY pid
), prepared AS (
    SELECT own.transactionid, held.relation
    FROM held
    JOIN locks AS own ON own.locktype = 'transactionid' AND own.pid IS NULL
                     AND own.virtualtransaction = held.virtualtransaction
    WHERE held.pid IS NULL
    UNION ALL -- what pg_blocking_pids calls 0: a build waits for all writers, a batch for a row
    SELECT transactionid, NULL FROM locks WHERE pid = $1::int AND locktype = 'transactionid' AND NOT granted
), named AS (
    SELECT s.pid, s.relation, s.blocks, a.backend_start, a.xact_start, a.query_start, a.state_change,
           coalesce(a.state, '') AS state, coalesce(a.application_name, '') AS application_name,
           coalesce(pg_get_userbyid(a.usesysid), '') AS role, NULL::text AS gid, a.wait_event_type,
           CASE WHEN a.backend_type = 'autovacuum worker' AND a.query LIKE '%(to prevent wraparound)%'
                THEN 'autovacuum-wraparound'
                WHEN a.backend_type = 'autovacuum worker' THEN 'autovacuum'
                WHEN a.backend_type = 'walsender' THEN 'replication'
                WHEN coalesce(a.backend_type, 'client backend') = 'client backend' THEN 'session'
                ELSE 'background' END AS kind
    FROM sessions AS s, pg_stat_get_activity(s.pid) AS a
    UNION ALL
    SELECT NULL, min(regexp_replace(prepared.relation::regclass::text, '^public\.', '')), true, NULL, p.prepared, NULL, p.prepared, 'prepared', '',
           p.owner, p.gid, NULL, 'prepared-transaction'
    FROM prepared JOIN pg_prepared_xacts AS p ON p.transaction = prepared.transactionid
    GROUP BY p.prepared, p.owner, p.gid
), blockers AS (
    SELECT * FROM named
    WHERE blocks OR (coalesce(xact_start <= clock_timestamp() - $3::float8 * interval '1 millisecond', true)
                     AND NOT ($4::bool AND kind = 'autovacuum'))
    ORDER BY xact_start NULLS LAST, pid LIMIT 50
)
SELECT json_build_object(
    'sees_all', pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
    'yields', $4::bool,
    'blockers', (
        SELECT coalesce(json_agg(json_build_object(
            'pid', pid, 'gid', gid, 'kind', kind, 'relation', relation, 'role', role,
            'application_name', application_name, 'state', state, 'blocks', blocks,
            'waits_for', CASE WHEN wait_event_type = 'Lock' THEN pg_blocking_pids(pid) END,
            'backend_start', to_char(backend_start AT TIME ZONE 'UTC',
                                     'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
            'transaction_start', to_char(xact_start AT TIME ZONE 'UTC',
                                         'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
            'since', to_char(state_change AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
            'state_seconds', extract(epoch FROM clock_timestamp() - state_change)::float8,
            'transaction_seconds', extract(epoch FROM clock_timestamp() - xact_start)::float8,
            'query_seconds', extract(epoch FROM clock_timestamp() - query_start)::float8)
            ORDER BY xact_start NULLS LAST, pid), '[]'::json)
        FROM blockers),
    'progress', (
        SELECT json_build_object('phase', phase,
            'done', CASE WHEN lockers_total > lockers_done THEN lockers_done
                         WHEN tuples_total > 0 THEN tuples_done ELSE blocks_done END,
            'total', CASE WHEN lockers_total > lockers_done THEN lockers_total
                          WHEN tuples_total > 0 THEN tuples_total ELSE blocks_total END,
            'unit', CASE WHEN lockers_total > lockers_done THEN 'transactions to wait for'
                         WHEN tuples_total > 0 THEN 'rows' ELSE 'blocks' END)
        FROM pg_stat_progress_create_index WHERE pid = $1::int));
