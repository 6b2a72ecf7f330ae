-- All that a new term must know, as (table, row), in the order in which rows refer to each other. The text of
-- migrations stays where it is: their steps have it.
SELECT kind, content FROM (
    SELECT 1 AS place, 0::bigint AS version, 0::bigint AS number, 'window' AS kind,
           to_jsonb(w) || jsonb_build_object(
               'last_event', (SELECT max(id) FROM schemagate.event)) AS content
    FROM schemagate.window AS w
    UNION ALL
    SELECT 2, version, 0, 'migrations',
           to_jsonb(m) - 'sql' || jsonb_build_object(
               'last_event', (SELECT max(id) FROM schemagate.event AS e WHERE e.version = m.version))
    FROM schemagate.migration AS m
    UNION ALL
    SELECT 3, version, number, 'steps', to_jsonb(s) FROM schemagate.step AS s
    UNION ALL
    SELECT 4, version, 0, 'approvals', to_jsonb(a) FROM schemagate.approval AS a
    UNION ALL
    SELECT 5, version, 0, 'waivers', to_jsonb(v) FROM schemagate.waiver AS v
    UNION ALL
    SELECT 5, h.version, h.number, 'hidden', told.content
    FROM schemagate.hidden AS h, schemagate.hidden_row(h) AS told (content)
    WHERE told.content IS NOT NULL
    UNION ALL
    SELECT 6, 0, 0, 'apps', to_jsonb(a) FROM schemagate.app AS a
    UNION ALL
    SELECT 7, 0, 0, 'compatible', to_jsonb(c) FROM schemagate.compatible AS c
    UNION ALL
    SELECT 8, (extract(epoch FROM seen_at) * 1000000)::bigint, 0, 'roles', to_jsonb(p)
    FROM schemagate.application_role AS p
    UNION ALL
    -- An instance's newest incarnation comes last.
    SELECT 9, CASE WHEN superseded THEN 0 ELSE 1 END,
           (extract(epoch FROM registered_at) * 1000000)::bigint, 'replicas', to_jsonb(r)
    FROM schemagate.replica AS r WHERE state <> 'gone'
) AS known
ORDER BY place, version, number;
