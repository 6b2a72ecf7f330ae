-- What pg_stat_statements shows (functions/statements.sql). $1: roles that the configuration calls applications', $2: ids
-- of statements whose texts are asked for; both as JSON arrays.
SELECT schemagate.read_statements($1::jsonb, $2::jsonb);
