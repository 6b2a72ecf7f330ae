-- All that a new term must know, as (table, row) in the order in which rows refer to each other: window, migrations,
-- steps, approvals, apps, compatible, replicas that are not gone. The text of migrations stays where it is.
SELECT kind, row FROM (
    SELECT 1 AS place, 0::bigint AS version, 0 AS number, 'window' AS kind,
           to_jsonb(w) || jsonb_build_object('paused_since', schemagate.rfc3339(paused_since)) AS row
    FROM schemagate.window AS w
    UNION ALL
    SELECT 2, version, 0, 'migration',
           to_jsonb(m) - 'sql' || jsonb_build_object(
               'submitted_at', schemagate.rfc3339(submitted_at),
               'phase_since', schemagate.rfc3339(phase_since),
               'paused_since', schemagate.rfc3339(paused_since))
    FROM schemagate.migration AS m
    UNION ALL
    SELECT 3, version, number, 'step',
           to_jsonb(s) || jsonb_build_object('started_at', schemagate.rfc3339(started_at))
    FROM schemagate.step AS s
    UNION ALL
    SELECT 4, version, 0, 'approval',
           to_jsonb(a) || jsonb_build_object('approved_at', schemagate.rfc3339(approved_at))
    FROM schemagate.approval AS a
    UNION ALL
    SELECT 5, 0, 0, 'app',
           to_jsonb(a) || jsonb_build_object('created_at', schemagate.rfc3339(created_at))
    FROM schemagate.app AS a
    UNION ALL
    SELECT 6, 0, 0, 'compatible',
           to_jsonb(c) || jsonb_build_object('recorded_at', schemagate.rfc3339(recorded_at))
    FROM schemagate.compatible AS c
    UNION ALL
    SELECT 7, 0, 0, 'replica',
           to_jsonb(r) || jsonb_build_object(
               'registered_at', schemagate.rfc3339(registered_at),
               'state_since', schemagate.rfc3339(state_since))
    FROM schemagate.replica AS r WHERE state <> 'gone'
) AS known
ORDER BY place, version, number;
