-- Statements outside of transactions leave something half done behind when they are interrupted. Before the first
-- attempt the step notes what was there, in a transaction of its own (step.progress, {"begun": true, …}); a later attempt
-- can tell by it what is a left-over of this step. Only that is touched; somebody else's is an error that names it.

-- How an index is built, in the words of struct plan_work, shape; an expression is '*'.
CREATE OR REPLACE FUNCTION schemagate.index_shape(index_oid oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT concat(CASE WHEN i.indisunique THEN 'unique ' END, am.amname,
                  ' (', string_agg(coalesce(a.attname, '*'), ', ' ORDER BY key.place)
                        FILTER (WHERE key.place <= i.indnkeyatts), ')',
                  ' include (' || string_agg(a.attname, ', ' ORDER BY key.place)
                        FILTER (WHERE key.place > i.indnkeyatts) || ')',
                  CASE WHEN i.indpred IS NOT NULL THEN ' where' END)
    FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_am AS am ON am.oid = c.relam
    CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS key (number, place)
    LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = key.number AND key.number <> 0
    WHERE i.indexrelid = index_oid
    GROUP BY am.amname, i.indisunique, i.indpred IS NOT NULL -- pg_index has no primary key before PostgreSQL 14
$$;

CREATE OR REPLACE FUNCTION schemagate.note_begun(s schemagate.step, noted jsonb) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE schemagate.step SET progress = '{"begun": true}' || noted
    WHERE version = s.version AND section = s.section AND number = s.number
$$;

-- A build or rebuild of another session is waited for, as for a lock.
CREATE OR REPLACE FUNCTION schemagate.refuse_while_built(built oid[], name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    builder int;
BEGIN
    SELECT pid INTO builder FROM pg_stat_progress_create_index
    WHERE (relid = ANY (built) OR index_relid = ANY (built)) AND pid <> pg_backend_pid() LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'another session (pid %) is building on %', builder, name
            USING ERRCODE = 'lock_not_available', HINT = 'Wait until it has ended.';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION schemagate.begin_index(s schemagate.step, seen jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    on_table oid := seen->>'relation';
    names text[] := parse_ident(s.object);
    ours bool := coalesce((s.progress->>'table')::oid = on_table, false);
    found_oid oid;
    found_table oid;
    is_valid bool;
BEGIN
    IF on_table IS NULL THEN
        RETURN '[""]';
    END IF;
    SELECT c.oid, i.indrelid, i.indisvalid INTO found_oid, found_table, is_valid
    FROM pg_class AS c LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
    WHERE c.relname = names[array_upper(names, 1)]::name
      AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = on_table);
    IF NOT FOUND THEN
        PERFORM schemagate.note_begun(s, jsonb_build_object('table', on_table::bigint));
        RETURN '[""]';
    END IF;
    IF found_table IS DISTINCT FROM on_table THEN
        RAISE EXCEPTION '% is there already, and is no index on %', found_oid::regclass, on_table::regclass
            USING ERRCODE = 'duplicate_table',
                  DETAIL = 'It is not of this migration, and was left as it is.',
                  HINT = format('Rename it, or submit the migration with another name; or drop it, then '
                                '`schemagate retry %s`.', s.version);
    ELSIF NOT ours AND NOT is_valid THEN
        RAISE EXCEPTION 'the index % is there already, and is INVALID', found_oid::regclass
            USING ERRCODE = 'duplicate_table',
                  DETAIL = 'Somebody else has not finished building it, or is still at it. It was left as it is.',
                  HINT = format('If nobody is building it: DROP INDEX CONCURRENTLY %s; then `schemagate retry %s`.',
                                found_oid::regclass, s.version);
    ELSIF s.shape <> schemagate.index_shape(found_oid) THEN
        RAISE EXCEPTION 'the index % is there already, with another definition', found_oid::regclass
            USING ERRCODE = 'duplicate_table',
                  DETAIL = format('It was left as it is: %s.', pg_get_indexdef(found_oid)),
                  HINT = format('Rename or drop it, then `schemagate retry %s`; or submit the migration with '
                                'another name.', s.version);
    ELSIF ours AND is_valid THEN
        RETURN '[]';
    ELSIF ours THEN
        PERFORM schemagate.refuse_while_built(ARRAY[found_oid], found_oid::regclass::text);
        RETURN jsonb_build_array(format('DROP INDEX CONCURRENTLY %s', found_oid::regclass), '');
    END IF;
    RETURN '[""]'; -- with IF NOT EXISTS PostgreSQL takes it, else it says that it is there
END $$;

-- The index is known by its oid: another one may have its name by now.
CREATE OR REPLACE FUNCTION schemagate.begin_index_drop(s schemagate.step, seen jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    begun oid := s.progress->>'object';
    present oid := seen->>'object';
BEGIN
    IF begun IS NULL THEN
        IF present IS NOT NULL THEN
            PERFORM schemagate.note_begun(s, jsonb_build_object('object', present::bigint));
        END IF;
        RETURN '[""]';
    ELSIF NOT EXISTS (SELECT FROM pg_class WHERE oid = begun) THEN
        RETURN '[]';
    ELSIF begun IS DISTINCT FROM present THEN
        RAISE EXCEPTION 'the index that was to be dropped is called % now', begun::regclass
            USING ERRCODE = 'undefined_object',
                  DETAIL = format('Nothing was done to what is called %s.', s.object),
                  HINT = format('Drop it by hand, then `schemagate retry %s`.', s.version);
    ELSIF NOT (SELECT indisvalid FROM pg_index WHERE indexrelid = begun) THEN
        RETURN jsonb_build_array(format('DROP INDEX CONCURRENTLY %s', begun::regclass));
    END IF;
    RETURN '[""]';
END $$;

-- What REINDEX CONCURRENTLY may leave behind for the index or table `rebuilt`: PostgreSQL cuts long names, and adds a suffix.
CREATE OR REPLACE FUNCTION schemagate.reindex_leftovers(rebuilt oid) RETURNS SETOF oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH relations AS (
        SELECT rebuilt AS oid UNION SELECT relid FROM pg_partition_tree(rebuilt)
    ), tables AS (
        SELECT c.oid, NULL::name AS index FROM pg_class AS c JOIN relations USING (oid)
        UNION
        SELECT c.reltoastrelid, NULL FROM pg_class AS c JOIN relations USING (oid)
        UNION
        SELECT i.indrelid, c.relname FROM pg_index AS i JOIN relations ON relations.oid = i.indexrelid
        JOIN pg_class AS c ON c.oid = i.indexrelid
    )
    SELECT DISTINCT c.oid
    FROM tables JOIN pg_index AS i ON i.indrelid = tables.oid JOIN pg_class AS c ON c.oid = i.indexrelid
    WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$'
      AND (tables.index IS NULL
           OR starts_with(tables.index::text, regexp_replace(c.relname, '_cc(new|old)[0-9]*$', '')))
$$;

CREATE OR REPLACE FUNCTION schemagate.begin_reindex(s schemagate.step, seen jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rebuilt oid := seen->>'object';
    leftovers jsonb;
BEGIN
    IF rebuilt IS NULL THEN
        RETURN '[""]';
    ELSIF s.progress IS NULL THEN
        PERFORM schemagate.note_begun(s, jsonb_build_object('existed', (
            SELECT coalesce(jsonb_agg(l.oid::bigint), '[]') FROM schemagate.reindex_leftovers(rebuilt) AS l (oid))));
        RETURN '[""]';
    END IF;
    PERFORM schemagate.refuse_while_built(
        ARRAY(SELECT rebuilt UNION SELECT indrelid FROM pg_index WHERE indexrelid = rebuilt), s.object);
    SELECT coalesce(jsonb_agg(format('DROP INDEX CONCURRENTLY %s', l.oid::regclass) ORDER BY l.oid), '[]')
    INTO leftovers
    FROM schemagate.reindex_leftovers(rebuilt) AS l (oid) JOIN pg_class AS c ON c.oid = l.oid
    WHERE NOT s.progress->'existed' @> to_jsonb(l.oid::bigint)
      AND (c.relnamespace <> 'pg_toast'::regnamespace OR (seen->>'toast')::bool); -- else a superuser has to
    RETURN leftovers || '[""]';
END $$;

-- inhdetachpending is new in PostgreSQL 14, as DETACH CONCURRENTLY is. FINALIZE locks readers out while it waits: it gets the
-- short lock_timeout of a try in a transaction, and is tried again. So does all of it where the partition has foreign keys, or
-- is referred to: then the other tables' writers wait while it waits for one of them.
CREATE OR REPLACE FUNCTION schemagate.begin_detach(s schemagate.step, seen jsonb, lock_timeout text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    noted jsonb := coalesce(s.progress, seen);
    child oid := noted->>'object';
    parent oid := noted->>'relation';
    tries jsonb := jsonb_build_array(format('SET lock_timeout = %L', lock_timeout));
    whole jsonb := CASE WHEN EXISTS (SELECT FROM pg_constraint
                                     WHERE contype = 'f' AND child IN (conrelid, confrelid))
                        THEN tries ELSE '[]' END || '[""]';
    link jsonb;
BEGIN
    SELECT to_jsonb(i) INTO link FROM pg_inherits AS i WHERE inhrelid = child AND inhparent = parent;
    IF s.progress IS NULL THEN
        IF (link->'inhdetachpending')::bool IS FALSE THEN
            PERFORM schemagate.note_begun(s, seen);
        END IF;
        RETURN whole;
    ELSIF link IS NULL THEN
        RETURN '[]';
    ELSIF (link->'inhdetachpending')::bool THEN
        RETURN tries || jsonb_build_array(format('ALTER TABLE %s DETACH PARTITION %s FINALIZE',
                                                 parent::regclass, child::regclass));
    END IF;
    RETURN whole;
END $$;

-- The statements of the next attempt, in their order; "" is the submitted one. online_look.sql has noted what it names.
CREATE OR REPLACE FUNCTION schemagate.begin_online(term_epoch bigint, term_nonce text, of_version bigint,
                                                   of_section text, of_number int,
                                                   lock_timeout text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    seen jsonb := current_setting('schemagate.online');
    s schemagate.step;
BEGIN
    PERFORM schemagate.fence(term_epoch, term_nonce);
    SELECT * INTO STRICT s FROM schemagate.step
    WHERE version = of_version AND section = of_section AND number = of_number;
    CASE s.kind
        WHEN 'index' THEN RETURN schemagate.begin_index(s, seen);
        WHEN 'index-drop' THEN RETURN schemagate.begin_index_drop(s, seen);
        WHEN 'reindex' THEN RETURN schemagate.begin_reindex(s, seen);
        WHEN 'detach' THEN RETURN schemagate.begin_detach(s, seen, lock_timeout);
    END CASE;
END $$;

CREATE OR REPLACE FUNCTION schemagate.forget_online(term_epoch bigint, term_nonce text, of_version bigint,
                                                    of_section text, of_number int) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM schemagate.fence(term_epoch, term_nonce);
    UPDATE schemagate.step SET progress = NULL
    WHERE version = of_version AND section = of_section AND number = of_number;
END $$;
