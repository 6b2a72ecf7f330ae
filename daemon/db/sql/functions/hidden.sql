-- The rows of what is hidden, as the daemon reads and tells them.

-- NULL where there is nothing to tell: it was restored whole, or was never there.
CREATE OR REPLACE FUNCTION schemagate.hidden_row(h schemagate.hidden) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object('version', h.version, 'relation', h.relation,
                              'column', nullif(h."column", ''), 'way', h.way,
                              'hidden_as', h.hidden_as, 'note', h.note, 'hidden_at', h.hidden_at,
                              'restored', h.restored)
    WHERE h.way <> 'absent' AND (NOT h.restored OR h.note IS NOT NULL)
$$;

CREATE OR REPLACE FUNCTION schemagate.hidden_rows(of_version bigint) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(jsonb_agg(told.content ORDER BY h.number), '[]')
    FROM schemagate.hidden AS h, schemagate.hidden_row(h) AS told (content)
    WHERE h.version = of_version AND told.content IS NOT NULL
$$;

-- The changes, with their events about the version telling the rows too.
CREATE OR REPLACE FUNCTION schemagate.tell_hidden(changes jsonb, hidden jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT changes || jsonb_build_object('events', coalesce(jsonb_agg(
        CASE WHEN event->'version' = changes->'hidden'
             THEN event || jsonb_build_object('data', coalesce(event->'data', '{}')
                                                      || jsonb_build_object('hidden', hidden))
             ELSE event END ORDER BY place), '[]'))
    FROM jsonb_array_elements(coalesce(changes->'events', '[]')) WITH ORDINALITY AS list (event, place)
$$;
