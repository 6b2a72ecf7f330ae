-- Tries to take the migration lock $1. A blocking pg_advisory_lock() would hold a snapshot for which the holder's
-- CREATE INDEX CONCURRENTLY waits.
SELECT pg_try_advisory_lock($1::bigint), to_regclass('schemagate.coordinator') IS NOT NULL;
