-- Terminates the session $1 if it is the one that began at $2 (as witness.sql writes it): whether it was there.
SELECT coalesce(bool_or(pg_terminate_backend(pid)), false)
FROM pg_stat_activity
WHERE pid = $1::int
  AND to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') = $2::text;
