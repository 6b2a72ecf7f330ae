-- Milliseconds from the last old replica's goodbye to the end of contract 2, by the audit trail: a line of
-- JSON for each event.
WITH event AS (
    SELECT (e ->> 'at')::timestamptz AS at, e ->> 'kind' AS kind, (e ->> 'version')::bigint AS version
    FROM regexp_split_to_table(:'events', '\n') AS line, LATERAL (SELECT line::jsonb) AS parsed (e)
    WHERE line <> ''
), complete AS (
    SELECT at FROM event WHERE kind = 'migration.complete' AND version = 2
)
SELECT round(extract(epoch FROM complete.at - max(event.at)) * 1000)
FROM complete, event
WHERE event.kind = 'replica.gone' AND event.at <= complete.at
GROUP BY complete.at;
