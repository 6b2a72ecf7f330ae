-- Looks up the table $1 and the object $2 of a statement outside of transactions as its SQL would, notes both for
-- functions/online.sql, and gives back the daemon's own role and search path. What is not there is noted as null.
SELECT pg_catalog.set_config('schemagate.online', pg_catalog.jsonb_build_object(
           'relation', pg_catalog.to_regclass($1)::pg_catalog.oid::pg_catalog.int8,
           'object', pg_catalog.to_regclass($2)::pg_catalog.oid::pg_catalog.int8,
           'toast', pg_catalog.has_schema_privilege('pg_toast', 'USAGE'))::pg_catalog.text, true),
       pg_catalog.set_config('role', 'none', true),
       pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
