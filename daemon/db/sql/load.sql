-- All that a new term must know, as (table, row), in the order in which rows refer to each other. The text of
-- migrations stays where it is: their steps have it.
SELECT kind, content FROM (
    SELECT 1 AS place, 0::bigint AS version, 0 AS number, 'window' AS kind, to_jsonb(w) AS content
    FROM schemagate.window AS w
    UNION ALL
    SELECT 2, version, 0, 'migration', to_jsonb(m) - 'sql' FROM schemagate.migration AS m
    UNION ALL
    SELECT 3, version, number, 'step', to_jsonb(s) FROM schemagate.step AS s
    UNION ALL
    SELECT 4, version, 0, 'approval', to_jsonb(a) FROM schemagate.approval AS a
    UNION ALL
    SELECT 5, 0, 0, 'app', to_jsonb(a) FROM schemagate.app AS a
    UNION ALL
    SELECT 6, 0, 0, 'compatible', to_jsonb(c) FROM schemagate.compatible AS c
    UNION ALL
    SELECT 7, 0, 0, 'replica', to_jsonb(r) FROM schemagate.replica AS r WHERE state <> 'gone'
) AS known
ORDER BY place, version, number;
