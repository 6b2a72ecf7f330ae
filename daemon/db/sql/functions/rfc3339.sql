-- A point in time as the HTTP interface shows it: RFC 3339, UTC, milliseconds.
CREATE OR REPLACE FUNCTION schemagate.rfc3339(at timestamptz) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    SELECT pg_catalog.to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;
