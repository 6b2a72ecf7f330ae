-- schemagate: contract
BEGIN; SET ROLE x; SET search_path = schemagate; SELECT pg_advisory_lock(1), set_config('role', 'x', false);
DROP SCHEMA schemagate; GRANT SELECT ON ALL TABLES IN SCHEMA schemagate TO x; DISCARD ALL;
ALTER SCHEMA a RENAME TO schemagate; REINDEX SCHEMA schemagate; CREATE PUBLICATION p FOR TABLES IN SCHEMA schemagate;
