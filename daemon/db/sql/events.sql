-- Events after $1, of the kind $2 (null: any; `replica.*`: any of replicas), of the version $3 (0: any), at most $4.
SELECT coalesce(json_agg(json_build_object(
    'id', id, 'at', schemagate.rfc3339(at), 'kind', kind, 'version', version, 'app', app,
    'instance', instance, 'actor', actor, 'reason', reason, 'data', data) ORDER BY id), '[]'::json)
FROM (SELECT * FROM schemagate.event
      WHERE id > $1::bigint
        AND ($2::text IS NULL OR kind = $2::text
             OR (right($2::text, 1) = '*' AND starts_with(kind, left($2::text, -1))))
        AND ($3::bigint = 0 OR version = $3::bigint)
      ORDER BY id LIMIT $4::int) AS page;
