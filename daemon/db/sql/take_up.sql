-- After execution_alone.sql, in its transaction: what an earlier attempt at step $3 of section $2 of migration $1 has left
-- behind (functions/take_up.sql). The names are looked up as the submitted SQL would, with the role $4, which stays.
SELECT pg_catalog.set_config('role', $4::pg_catalog.text, false),
       pg_catalog.set_config('schemagate.relation', coalesce(
           pg_catalog.to_regclass(names.relation)::pg_catalog.oid::pg_catalog.text, ''), false),
       pg_catalog.set_config('schemagate.object', coalesce(
           pg_catalog.to_regclass(names.object)::pg_catalog.oid::pg_catalog.text, ''), false),
       pg_catalog.set_config('role', 'none', false),
       schemagate.take_up($1::pg_catalog.int8, $2::pg_catalog.text, $3::pg_catalog.int4,
           nullif(pg_catalog.current_setting('schemagate.relation'), '')::pg_catalog.oid,
           nullif(pg_catalog.current_setting('schemagate.object'), '')::pg_catalog.oid),
       pg_catalog.set_config('role', $4::pg_catalog.text, false)
FROM (SELECT) AS always LEFT JOIN schemagate.step_names($1::pg_catalog.int8, $2::pg_catalog.text,
                                                        $3::pg_catalog.int4) AS names ON true;
