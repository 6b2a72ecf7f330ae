-- Milliseconds from the last old replica's goodbye to the end of contract 2, by the audit trail.
WITH event AS (
    SELECT (e ->> 'at')::timestamptz AS at, e ->> 'kind' AS kind, (e ->> 'version')::bigint AS version,
           e ->> 'instance' AS instance
    FROM jsonb_array_elements(:'events'::jsonb -> 'items') AS e
), complete AS (
    SELECT at FROM event WHERE kind = 'migration.complete' AND version = 2
)
SELECT round(extract(epoch FROM complete.at - max(event.at)) * 1000)
FROM complete, event
WHERE event.kind = 'replica.gone' AND event.at <= complete.at
GROUP BY complete.at;
