-- What a gate needs, read in one snapshot behind the fence. Replicas that a gate need not tell apart are counted
-- together; one of them is named.
SELECT jsonb_build_object(
    'replicas', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'app', app, 'release', release, 'min', min, 'max', max, 'knows', knows, 'state', state,
            'count', count, 'instance', split_part(one, ' ', 1),
            'incarnation', substr(one, strpos(one, ' ') + 1))), '[]'::jsonb)
        FROM (SELECT app, release, min, max, knows, state, count(*) AS count,
                     min((instance || ' ' || incarnation) COLLATE "C") AS one
              FROM schemagate.replica WHERE state <> 'gone'
              GROUP BY app, release, min, max, knows, state) AS alike),
    'apps', (SELECT coalesce(jsonb_agg(to_jsonb(a)), '[]'::jsonb) FROM schemagate.app AS a),
    'compatible', (SELECT coalesce(jsonb_agg(to_jsonb(c)), '[]'::jsonb)
                   FROM schemagate.compatible AS c),
    'window', (SELECT to_jsonb(w) FROM schemagate.window AS w));
