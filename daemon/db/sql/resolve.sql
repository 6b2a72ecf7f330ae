-- Looks up the relations $1 ([{"relation", "level", "parents"}]) as submitted SQL would, and notes them for watch.sql,
-- which knows those that are hidden; then gives back the daemon's own role and search path. What is not there yet is
-- locked by nobody.
SELECT pg_catalog.set_config('schemagate.watched', coalesce(
           (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                'relation', pg_catalog.to_regclass(relation)::pg_catalog.oid::pg_catalog.int8,
                'named', relation, 'level', level, 'parents', parents))
            FROM pg_catalog.jsonb_to_recordset($1::pg_catalog.jsonb)
                AS named (relation pg_catalog.text, level pg_catalog.int4, parents pg_catalog.bool))::pg_catalog.text,
           '[]'), true),
       pg_catalog.set_config('role', 'none', true),
       pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
