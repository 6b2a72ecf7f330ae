-- Terminates the session $1 if it is the one that began at $2 (as witness.sql writes it), is still in the transaction
-- that began at $3 ('': any), and, where $4, leaves that transaction idle: whether it was there.
SELECT coalesce(bool_or(pg_terminate_backend(pid)), false)
FROM pg_stat_activity
WHERE pid = $1::int
  AND to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') = $2::text
  AND ($3::text = '' OR
       to_char(xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') = $3::text)
  AND (NOT $4::bool OR state LIKE 'idle in transaction%');
