-- Backfills in batches (include/schemagate/plan/work.h has the pieces of a statement). A batch is one call of
-- schemagate.backfill_batch: it goes on from the progress that the batch before has left, and returns the next one,
-- which is committed with it.
--
-- Progress: {"relation", "only", "estimate": rows to go through, "whole": why it runs as one statement, or null,
--   "repeats", "unmet": see below, "pass": 1…, "rows": changed in all, "walked": gone through in this pass,
--   "verifying": the pass is through, and one look at all rows is next, "left": rows that the last look found (null:
--   there was none), "done", "verified": it found none (null: no look could tell),
--   "vacuum": the command, where many dead rows are left behind, or null,
--   "part": the table that is gone through, or the last one, with its "oid"; "open": whether it is not at its end;
--   "key": [{"name", "type", "collation"}], "last": [texts], "end": [texts]     -- by a key
--   "page", "pages", "per_page"}                                                -- by pages, where "key" is null
--
-- Rows are gone through in the order of a key, so that each is met once; those that are written meanwhile are met or
-- not, as their keys lie. Where a statement repeats (running it again changes no row twice) each pass ends with a look
-- at all rows in one snapshot, for rows come and move while batches go from place to place: it counts those that are
-- left to do. Further passes follow until it finds none; they read pages in order, which is cheaper. Pages alone are
-- enough only for such statements: rows move between pages.

-- The tables of a family that hold rows, in the order in which they are gone through.
CREATE OR REPLACE FUNCTION schemagate.backfill_family(relation oid, only_itself bool)
RETURNS TABLE (part oid, name text, kind "char")
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE family AS (
        SELECT relation AS member
        UNION
        SELECT inhrelid FROM pg_inherits JOIN family ON inhparent = member WHERE NOT only_itself
    )
    SELECT c.oid, format('%I.%I', nspname, relname), relkind
    FROM family JOIN pg_class AS c ON c.oid = member JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE relkind <> 'p'
    ORDER BY format('%I.%I', nspname, relname) COLLATE "C"
$$;

-- The key by which a table is gone through: its primary key, or a unique index that is as good; null where there is
-- none. Types whose text is not always their value (floating point), columns that the statement sets, and those that are
-- generated from others while it sets any, are none. A domain, an enum and varchar are what their operator class is for.
CREATE OR REPLACE FUNCTION schemagate.backfill_key(part oid, assigned text[]) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_agg(jsonb_build_object(
               'name', quote_ident(attname),
               'type', format_type(atttypid, -1), -- with -1 it says bpchar; without, character, which has one letter
               'collation', (SELECT format('%I.%I', nspname, collname)
                             FROM pg_collation AS c JOIN pg_namespace AS n ON n.oid = collnamespace
                             WHERE c.oid = indcollation[place - 1]),
               'schema', (SELECT quote_ident(nspname) -- of its comparisons; an extension's may not be on the search_path
                          FROM pg_amop AS p JOIN pg_operator AS c ON c.oid = amopopr
                          JOIN pg_namespace AS n ON n.oid = oprnamespace
                          WHERE amopfamily = opcfamily AND amoplefttype = opcintype AND amoprighttype = opcintype
                            AND amopstrategy = 1)) ORDER BY place)
    FROM pg_index AS i
    CROSS JOIN LATERAL generate_series(1, indnkeyatts) AS place
    JOIN pg_attribute AS a ON attrelid = indrelid AND attnum = indkey[place - 1]
    JOIN pg_opclass AS o ON o.oid = indclass[place - 1]
    JOIN pg_type AS compared ON compared.oid = opcintype
    JOIN pg_am AS m ON m.oid = opcmethod
    WHERE indrelid = part AND indisunique AND indimmediate AND indisvalid AND indisready
      AND indpred IS NULL AND indexprs IS NULL
    GROUP BY indexrelid, indnkeyatts, indisprimary
    HAVING count(*) = indnkeyatts
       -- a NOT NULL that is NOT VALID (PostgreSQL 18) says nothing of the rows that were there
       AND NOT EXISTS (SELECT FROM pg_constraint AS k
                       WHERE k.conrelid = part AND k.contype = 'n' AND NOT k.convalidated
                         AND k.conkey <@ array_agg(attnum))
       AND bool_and(attnotnull AND attname <> ALL (assigned) AND opcdefault AND amname = 'btree'
                    AND (attgenerated = '' OR cardinality(assigned) = 0)
                    AND compared.typname IN (
                        'int2', 'int4', 'int8', 'numeric', 'oid', 'text', 'bpchar', 'name', 'citext', 'anyenum', 'uuid',
                        'bool', 'date', 'time', 'timestamp', 'timestamptz', 'bytea', 'inet', 'macaddr', 'macaddr8')
                    AND (compared.typname <> 'oid' OR atttypid = opcintype)) -- regclass and its like change their texts
       AND count(DISTINCT indoption[place - 1] & 1) = 1 -- all columns run the same way
    ORDER BY indisprimary DESC, indnkeyatts, indexrelid
    LIMIT 1
$$;

-- Functions of other schemas than PostgreSQL's own that one of the names, with or without a schema, may stand for.
CREATE OR REPLACE FUNCTION schemagate.backfill_called(names text[])
RETURNS TABLE (name text, kind "char", volatility "char", language name)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('%I.%I', nspname, proname), prokind, provolatile, lanname
    FROM pg_proc AS f
    JOIN pg_namespace AS n ON n.oid = pronamespace
    JOIN pg_language AS l ON l.oid = prolang
    WHERE (proname = ANY (names) OR concat(nspname, '.', proname) = ANY (names))
      AND nspname NOT IN ('pg_catalog', 'information_schema')
$$;

-- Why batches would change what the functions give that the statement calls, or null. An aggregate over the rows of the
-- statement would see those of one batch. A STABLE function reads tables as they were when the statement began: in batches
-- it may see what others have changed. (VOLATILE ones see that of the same statement, too; IMMUTABLE ones, and those
-- written in C, are not taken to read tables.)
CREATE OR REPLACE FUNCTION schemagate.backfill_calls_obstacle(pieces jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM (
        SELECT format('%s is an aggregate, and looks at rows of other batches', name)
        FROM schemagate.backfill_called((pieces->>'wide_calls')::text[]) WHERE kind IN ('a', 'w')
        UNION ALL
        SELECT format('%s is STABLE, and may read what other batches have changed', name)
        FROM schemagate.backfill_called((pieces->>'calls')::text[])
        WHERE kind = 'f' AND volatility = 's' AND language NOT IN ('c', 'internal')) AS obstacles
    LIMIT 1
$$;

-- Why the statement has to run as one, by what the catalog says; null where it can run in batches.
CREATE OR REPLACE FUNCTION schemagate.backfill_obstacle(relation oid, pieces jsonb, role text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    assigned text[] := pieces->>'assigned';
    only_itself bool := pieces->'only';
    itself pg_class := c FROM pg_class AS c WHERE oid = relation;
    parts oid[] := array(SELECT part FROM schemagate.backfill_family(relation, only_itself));
    actor name := CASE role WHEN 'none' THEN current_user ELSE role END;
    keyless text;
BEGIN
    IF itself.relkind NOT IN ('r', 'p') THEN
        RETURN 'it is no ordinary table';
    ELSIF EXISTS (SELECT FROM pg_rewrite WHERE ev_class = relation) THEN
        RETURN 'the table has rules';
    END IF;
    IF parts <> array[relation] THEN
        IF (pieces->'one_table')::bool THEN
            RETURN 'it names whole rows, and the order of columns may differ between partitions';
        ELSIF itself.relrowsecurity THEN
            RETURN 'the row security of a table does not hold for its partitions';
        ELSIF EXISTS (SELECT FROM pg_trigger
                      WHERE tgrelid = relation AND NOT tgisinternal AND tgtype & 1 = 0) THEN
            RETURN 'triggers for whole statements on a table do not fire for its partitions';
        ELSIF EXISTS (SELECT FROM pg_class WHERE oid = ANY (parts) AND relkind <> 'r') THEN
            RETURN 'one of its partitions is no ordinary table';
        ELSIF EXISTS (SELECT FROM pg_class
                      WHERE oid = ANY (parts) AND NOT pg_has_role(actor, relowner, 'USAGE')) THEN
            RETURN 'its partitions have other owners';
        ELSIF itself.relkind = 'p' AND cardinality(assigned) > 0 AND EXISTS (
            WITH RECURSIVE tree AS (
                SELECT relation AS member
                UNION
                SELECT inhrelid FROM pg_inherits JOIN tree ON inhparent = member
            )
            SELECT FROM tree JOIN pg_partitioned_table ON partrelid = member
            LEFT JOIN pg_attribute ON attrelid = member AND attnum = ANY (partattrs::int2[])
            WHERE partexprs IS NOT NULL OR attname = ANY (assigned)) THEN
            RETURN 'it may move rows to other partitions';
        END IF;
    END IF;
    IF NOT (pieces->'repeats')::bool THEN
        SELECT name INTO keyless FROM schemagate.backfill_family(relation, only_itself)
        WHERE schemagate.backfill_key(part, assigned) IS NULL LIMIT 1;
        IF FOUND THEN
            RETURN format('%s has no unique key, valid and not deferrable, of columns that are NOT NULL, that it '
                          'leaves alone, and that are of types that compare as their texts say (floating point '
                          'does not)', keyless);
        END IF;
    END IF;
    RETURN schemagate.backfill_calls_obstacle(pieces);
END $$;

-- Whether the server reads ranges of ctid without reading the whole table: from PostgreSQL 14 on.
CREATE OR REPLACE FUNCTION schemagate.backfill_has_ranges() RETURNS bool
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT current_setting('server_version_num')::int >= 140000
$$;

-- How many rows a page of the table holds, and how many the table has, about.
CREATE OR REPLACE FUNCTION schemagate.backfill_size(part oid, OUT pages bigint, OUT per_page double precision)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pg_relation_size(part) / current_setting('block_size')::bigint,
           CASE WHEN relpages > 0 AND reltuples > 0 THEN reltuples / relpages ELSE 60 END
    FROM pg_class WHERE oid = part
$$;

-- The predicate for rows that an INSERT … ON CONFLICT DO NOTHING into `target` has still to take, besides its condition:
-- nothing is in their way. It compares as the index of the conflict does. Null where there is no such index, or one of its
-- columns may be null: nothing is in the way of a null, and a further pass would insert its row again.
CREATE OR REPLACE FUNCTION schemagate.backfill_unmet(target oid, pieces jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('NOT EXISTS (SELECT FROM %s AS schemagate_met WHERE %s)',
                  (SELECT format('%I.%I', nspname, relname)
                   FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace WHERE c.oid = target),
                  string_agg(format('schemagate_met.%I OPERATOR(%I.%s) %s.%I::%s%s', attname, nspname, oprname,
                                    pieces->>'alias', source, format_type(atttypid, atttypmod),
                                    (SELECT format(' COLLATE %I.%I', nspname, collname)
                                     FROM pg_collation AS l JOIN pg_namespace AS m ON m.oid = collnamespace
                                     WHERE l.oid = indcollation[place - 1])), ' AND '))
    FROM pg_index AS i
    CROSS JOIN LATERAL generate_series(1, indnkeyatts) AS place
    JOIN pg_attribute AS a ON attrelid = indrelid AND attnum = indkey[place - 1]
    JOIN pg_opclass AS o ON o.oid = indclass[place - 1]
    JOIN pg_amop AS p ON amopfamily = opcfamily AND amoplefttype = opcintype AND amoprighttype = opcintype
                         AND amopstrategy = 3
    JOIN pg_operator AS c ON c.oid = amopopr
    JOIN pg_namespace AS n ON n.oid = oprnamespace
    JOIN unnest((pieces->>'conflict')::text[], (pieces->>'taken')::text[]) AS taken (met, source) ON met = attname
    WHERE indrelid = target AND indisunique AND indimmediate AND indisvalid AND indpred IS NULL AND indexprs IS NULL
    GROUP BY indexrelid, indnkeyatts
    HAVING count(*) = indnkeyatts AND count(*) = cardinality((pieces->>'conflict')::text[]) AND bool_and(attnotnull)
    LIMIT 1
$$;

-- target: the table that an INSERT writes, or null.
CREATE OR REPLACE FUNCTION schemagate.backfill_begin(relation oid, target oid, pieces jsonb, role text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unmet text := schemagate.backfill_unmet(target, pieces);
    repeats bool := (pieces->'repeats')::bool AND (pieces->>'into' IS NULL OR unmet IS NOT NULL);
BEGIN
    RETURN jsonb_build_object(
        'relation', (SELECT format('%I.%I', nspname, relname)
                     FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
                     WHERE c.oid = relation),
        'estimate', (SELECT coalesce(sum(pages * per_page), 0)::bigint
                     FROM schemagate.backfill_family(relation, (pieces->'only')::bool),
                          schemagate.backfill_size(part)),
        'repeats', repeats, 'unmet', unmet,
        'whole', schemagate.backfill_obstacle(relation, pieces || jsonb_build_object('repeats', repeats), role),
        'pass', 1, 'rows', 0, 'walked', 0, 'open', false, 'verifying', false, 'done', false);
END $$;

-- These texts are made several times a batch: plpgsql keeps its plans, a function in SQL is planned at each call.

-- The columns of a key as the statement `alias` names them, each with what `template` says: %1$s the column, %2$s its
-- type, %3$s its collation, %4$L its text in `place`.
CREATE OR REPLACE FUNCTION schemagate.backfill_columns(alias text, key jsonb, place jsonb, template text)
RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN string_agg(format(template, alias || '.' || (part->>'name'), part->>'type',
                             coalesce(' COLLATE ' || (part->>'collation'), ''),
                             place->>(number - 1)::int), ', ' ORDER BY number)
    FROM jsonb_array_elements(key) WITH ORDINALITY AS parts (part, number);
END $$;

-- The predicate for keys behind `low` (null: from the first on) up to `high`, for a scan that reads in the order of the
-- index and ends by its LIMIT. Bounds of the first column alone tell the planner how few rows these are.
CREATE OR REPLACE FUNCTION schemagate.backfill_range(alias text, key jsonb, low jsonb, high jsonb)
RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN concat_ws(' AND ',
        CASE WHEN low <> 'null' THEN concat_ws(' AND ',
            schemagate.backfill_columns(alias, jsonb_build_array(key->0), low, '%1$s%3$s >= %4$L::%2$s%3$s'),
            format('(%s) > (%s)', schemagate.backfill_columns(alias, key, low, '%1$s%3$s'),
                   schemagate.backfill_columns(alias, key, low, '%4$L::%2$s%3$s'))) END,
        schemagate.backfill_columns(alias, jsonb_build_array(key->0), high, '%1$s%3$s <= %4$L::%2$s%3$s'),
        format('(%s) <= (%s)', schemagate.backfill_columns(alias, key, high, '%1$s%3$s'),
               schemagate.backfill_columns(alias, key, high, '%4$L::%2$s%3$s')));
END $$;

-- The comparison of one column of a key with a text. Operators outside of pg_catalog are named with their schema: others
-- may be found in its place, which compare otherwise than the index (citext's as text's).
CREATE OR REPLACE FUNCTION schemagate.backfill_compare(alias text, part jsonb, operator text, value text)
RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN format('%s.%s %s %L::%s%s', alias, part->>'name',
                  CASE WHEN part->>'schema' <> 'pg_catalog' THEN format('OPERATOR(%s.%s)', part->>'schema', operator)
                       ELSE operator END,
                  value, part->>'type', coalesce(' COLLATE ' || (part->>'collation'), ''));
END $$;

-- How many columns at the front of two keys are equal: not by their texts alone, for 1.0 and 1.00 are, too.
CREATE OR REPLACE FUNCTION schemagate.backfill_common(key jsonb, low jsonb, high jsonb) RETURNS int
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_equal bool;
BEGIN
    FOR place IN 0 .. jsonb_array_length(key) - 2 LOOP
        IF low->>place <> high->>place THEN
            EXECUTE format('SELECT %s FROM (SELECT %L::%s AS value) AS low',
                           schemagate.backfill_compare('low', key->place || '{"name": "value"}', '=', high->>place),
                           low->>place, key->place->>'type') INTO is_equal;
            IF NOT is_equal THEN
                RETURN place;
            END IF;
        END IF;
    END LOOP;
    RETURN jsonb_array_length(key) - 1; -- the last one never is
END $$;

-- The keys behind `low` (null: from the first on) up to `high`: predicates that no two rows share, each with columns that
-- equal a value, then bounds of one more. An index scan begins and ends where such a predicate does; by a comparison of
-- rows it goes on to the end of what is equal in the first column, which may be the whole table.
CREATE OR REPLACE FUNCTION schemagate.backfill_ranges(alias text, key jsonb, low jsonb, high jsonb)
RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    final int := jsonb_array_length(key) - 1;
    fork int := CASE low WHEN 'null' THEN 0 ELSE schemagate.backfill_common(key, low, high) END;
    equal_low text[] := '{}';
    equal_high text[] := '{}';
BEGIN
    FOR place IN 0 .. fork - 1 LOOP
        equal_high := equal_high || schemagate.backfill_compare(alias, key->place, '=', high->>place);
    END LOOP;
    equal_low := equal_high;
    FOR place IN fork .. final LOOP
        IF low <> 'null' AND place > fork THEN
            RETURN NEXT array_to_string(
                equal_low || schemagate.backfill_compare(alias, key->place, '>', low->>place), ' AND ');
        END IF;
        RETURN NEXT array_to_string(
            equal_high || CASE WHEN low <> 'null' AND place = fork THEN
                               schemagate.backfill_compare(alias, key->place, '>', low->>place) END
                       || schemagate.backfill_compare(alias, key->place,
                                                      CASE WHEN place = final THEN '<=' ELSE '<' END, high->>place),
            ' AND ');
        IF low <> 'null' THEN
            equal_low := equal_low || schemagate.backfill_compare(alias, key->place, '=', low->>place);
        END IF;
        equal_high := equal_high || schemagate.backfill_compare(alias, key->place, '=', high->>place);
    END LOOP;
END $$;

-- The predicate for the rows of the pages from `low` up to, and without, `high`. Where the server has no ranges each place
-- is named. A heap page has at most as many as rows of no column fit in (MaxHeapTuplesPerPage): a header of 24 bytes, then
-- 4 for the line pointer and 24 for the row. Places that are empty are passed over. The list is made by a query of its own,
-- once, so that the statement's plan is a Tid Scan; in an array constant it would be planned place by place.
CREATE OR REPLACE FUNCTION schemagate.backfill_pages(alias text, low bigint, high bigint, ranges bool)
RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN ranges THEN
        format('%1$s.ctid >= ''(%2$s,0)''::pg_catalog.tid AND %1$s.ctid < ''(%3$s,0)''::pg_catalog.tid',
               alias, low, high)
    ELSE
        format('%1$s.ctid = ANY (ARRAY(SELECT pg_catalog.format(''(%%s,%%s)'', page, line)::pg_catalog.tid '
               'FROM pg_catalog.generate_series(%2$s, %3$s) AS page, '
               'pg_catalog.generate_series(1, %4$s) AS line))',
               alias, low, high - 1, (current_setting('block_size')::int - 24) / 28)
    END
$$;

-- The end of it all.
CREATE OR REPLACE FUNCTION schemagate.backfill_done(progress jsonb, pieces jsonb, verified bool) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT progress || jsonb_build_object(
        'done', true, 'verifying', false, 'verified', verified,
        'vacuum', CASE WHEN (progress->'rows')::bigint > greatest(10000, (progress->'estimate')::bigint / 10)
                        AND pieces->>'into' IS NULL
                       THEN 'VACUUM (ANALYZE) ' || (progress->>'relation') END)
$$;

-- The next table of the family; or, at the end of a pass, the look that verifies it, or the end.
CREATE OR REPLACE FUNCTION schemagate.backfill_next(progress jsonb, pieces jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    repeats bool := progress->'repeats';
    next record;
    key jsonb;
BEGIN
    SELECT part, name, size.* INTO next
    FROM schemagate.backfill_family(to_regclass(progress->>'relation'), (pieces->'only')::bool),
         schemagate.backfill_size(part) AS size
    WHERE progress->>'part' IS NULL OR name > (progress->>'part') COLLATE "C" LIMIT 1;
    IF FOUND THEN
        IF (progress->'pass')::int = 1 OR NOT schemagate.backfill_has_ranges() THEN
            key := schemagate.backfill_key(next.part, (pieces->>'assigned')::text[]);
        END IF;
        IF key IS NULL AND NOT repeats THEN -- it had one when the backfill began, or was not there
            RAISE object_not_in_prerequisite_state USING
                MESSAGE = format('%s has no unique key to go by any more', next.name),
                HINT = 'give it the primary key or unique index that the others have, then retry';
        END IF;
        RETURN progress || jsonb_build_object(
            'part', next.name, 'oid', next.part::bigint, 'open', true, 'key', key, 'last', NULL, 'end', NULL, 'page', 0,
            'pages', next.pages, 'per_page', next.per_page);
    ELSIF repeats THEN
        RETURN progress || '{"verifying": true}';
    END IF;
    RETURN schemagate.backfill_done(progress, pieces, NULL);
END $$;

-- Whether the open table, a partition, was dropped meanwhile. One that has another name now is an error: its rows were
-- met up to the last key, and would be missed, or met again, under the other name.
CREATE OR REPLACE FUNCTION schemagate.backfill_is_gone(progress jsonb) RETURNS bool
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_gone bool := progress->>'part' <> progress->>'relation' AND to_regclass(progress->>'part') IS NULL;
BEGIN
    IF is_gone AND EXISTS (SELECT FROM pg_class WHERE oid = (progress->>'oid')::oid) THEN
        RAISE undefined_table USING
            MESSAGE = format('%s was renamed while its rows were gone through', progress->>'part'),
            DETAIL = format('It is %s now.', (progress->>'oid')::oid::regclass),
            HINT = 'give it its name back, then retry; it can be renamed when the backfill is done';
    END IF;
    RETURN is_gone;
END $$;

-- Both of these run the author's SQL, or read his table, as `role` and with the session's search_path. What calls them sets
-- no search_path of its own, and therefore names the schema of whatever it calls.
CREATE OR REPLACE FUNCTION schemagate.backfill_run(statement text, role text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    changed bigint;
BEGIN
    PERFORM pg_catalog.set_config('role', role, true);
    EXECUTE statement;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF pg_catalog.current_setting('role') OPERATOR(pg_catalog.<>) role THEN
        RAISE EXCEPTION 'the statement changed role from "%" to "%"', role, pg_catalog.current_setting('role')
            USING ERRCODE = 'SG002', DETAIL = 'Nothing of it was kept.';
    END IF;
    PERFORM pg_catalog.set_config('role', 'none', true);
    RETURN changed;
END $$;

CREATE OR REPLACE FUNCTION schemagate.backfill_ask(query text, role text) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    answer jsonb;
BEGIN
    PERFORM pg_catalog.set_config('role', role, true);
    EXECUTE query INTO answer;
    PERFORM pg_catalog.set_config('role', 'none', true);
    RETURN answer;
END $$;

-- Asks about keys: so that the comparisons of their index are found, and no others.
CREATE OR REPLACE FUNCTION schemagate.backfill_seek(query text, key jsonb, role text) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    path text := pg_catalog.current_setting('search_path');
    schemas text := schemas FROM (
        SELECT pg_catalog.string_agg(DISTINCT part->>'schema', ', ') AS schemas
        FROM pg_catalog.jsonb_array_elements(key) AS parts (part)
        WHERE part->>'schema' <> 'pg_catalog') AS others;
    answer jsonb;
BEGIN
    IF schemas IS NOT NULL THEN
        PERFORM pg_catalog.set_config('search_path', schemas, true);
    END IF;
    answer := schemagate.backfill_ask(query, role);
    PERFORM pg_catalog.set_config('search_path', path, true);
    RETURN answer;
END $$;

CREATE OR REPLACE FUNCTION schemagate.backfill_statement(progress jsonb, pieces jsonb, predicate text)
RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN concat(pieces->>'head', 'ONLY ', progress->>'part', ' AS ', pieces->>'alias', pieces->>'body',
                  '(', predicate, ')', pieces->>'tail');
END $$;

-- The next `count` keys of the open table. Where it ends is settled when it is opened: rows that are added behind that are
-- not run after.
CREATE OR REPLACE FUNCTION schemagate.backfill_by_key(before jsonb, pieces jsonb, count bigint, role text)
RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    p jsonb := before;
    alias text := pieces->>'alias';
    source text := pg_catalog.format('FROM ONLY %s AS %s', p->>'part', alias);
    -- As texts: numbers of JSON lose digits on their way. Those of to_jsonb do not depend on DateStyle.
    keys text := 'SELECT pg_catalog.jsonb_build_array('
        || schemagate.backfill_columns(alias, p->'key', NULL, 'pg_catalog.to_jsonb(%1$s) #>> ''{}''')
        || ') ';
    upto jsonb;
    walked bigint := count;
    changed bigint := 0;
    range text;
BEGIN
    IF p->'end' = 'null' THEN
        upto := schemagate.backfill_seek(keys || source || ' ORDER BY '
            || schemagate.backfill_columns(alias, p->'key', NULL, '%1$s%3$s DESC') || ' LIMIT 1', p->'key', role);
        IF upto IS NULL THEN
            RETURN p || '{"open": false}';
        END IF;
        p := p || pg_catalog.jsonb_build_object('end', upto);
    END IF;
    range := schemagate.backfill_range(alias, p->'key', p->'last', p->'end');
    -- The texts are made of the last key alone: those of all that are passed over would take a sixth of the batch's time.
    upto := schemagate.backfill_seek(keys || 'FROM (SELECT '
        || schemagate.backfill_columns(alias, p->'key', NULL, '%1$s') || ' ' || source || ' WHERE ' || range
        || ' ORDER BY ' || schemagate.backfill_columns(alias, p->'key', NULL, '%1$s%3$s')
        || pg_catalog.format(' OFFSET %s LIMIT 1) AS %s', count - 1, alias), p->'key', role);
    IF upto IS NULL OR upto = p->'end' THEN
        p := p || '{"open": false}';
        upto := p->'end';
        walked := schemagate.backfill_seek('SELECT pg_catalog.to_jsonb(pg_catalog.count(*)) ' || source
                                           || ' WHERE ' || range, p->'key', role);
    END IF;
    FOR range IN SELECT schemagate.backfill_ranges(alias, p->'key', p->'last', upto) LOOP
        changed := changed + schemagate.backfill_run(schemagate.backfill_statement(p, pieces, range), role);
    END LOOP;
    RETURN p || pg_catalog.jsonb_build_object(
        'last', upto, 'walked', (p->'walked')::bigint + walked, 'rows', (p->'rows')::bigint + changed);
END $$;

-- The next pages, with about `count` rows.
CREATE OR REPLACE FUNCTION schemagate.backfill_by_page(before jsonb, pieces jsonb, count bigint, role text)
RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    page bigint := before->'page';
    pages bigint := before->'pages';
    per_page double precision := before->'per_page';
    upto bigint := least(pages, page + greatest(1, pg_catalog.ceil(count / per_page))::bigint);
    range text := schemagate.backfill_pages(pieces->>'alias', page, upto, schemagate.backfill_has_ranges());
    changed bigint := 0;
BEGIN
    IF upto > page THEN
        changed := schemagate.backfill_run(schemagate.backfill_statement(before, pieces, range), role);
    END IF;
    RETURN before || pg_catalog.jsonb_build_object(
        'open', upto < pages, 'page', upto,
        'walked', (before->'walked')::bigint + pg_catalog.round((upto - page) * per_page)::bigint,
        'rows', (before->'rows')::bigint + changed);
END $$;

-- The look at all rows: one statement, and so one snapshot, that counts those which are left to do. It reads only, and
-- keeps nobody from writing. The end, or the next pass. That ends, too, where a pass leaves as many as the one before it:
-- then the statement does not end its own condition (its expression gives null, say).
CREATE OR REPLACE FUNCTION schemagate.backfill_verify(p jsonb, pieces jsonb, role text) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    pass int := p->'pass';
    found bigint := schemagate.backfill_ask(
        pg_catalog.concat('SELECT pg_catalog.to_jsonb(pg_catalog.count(*)) FROM ',
                          CASE WHEN (pieces->'only')::bool THEN 'ONLY ' END, p->>'relation', ' AS ', pieces->>'alias',
                          ' WHERE (', pieces->>'condition', E'\n)', ' AND ' || (p->>'unmet')), role);
    is_stuck bool := pass > 5 OR (pass > 2 AND found >= (p->'left')::bigint);
BEGIN
    p := p || pg_catalog.jsonb_build_object('left', found);
    IF found = 0 OR is_stuck THEN
        RETURN schemagate.backfill_done(p, pieces, found = 0);
    END IF;
    RETURN p || pg_catalog.jsonb_build_object('verifying', false, 'part', NULL, 'pass', pass + 1, 'walked', 0);
END $$;

-- Where a name of the author's leads to, by his search_path; null: nowhere.
CREATE OR REPLACE FUNCTION schemagate.backfill_find(name text, role text) RETURNS oid
LANGUAGE plpgsql AS $$
BEGIN
    RETURN schemagate.backfill_ask(pg_catalog.format(
        'SELECT pg_catalog.to_jsonb(pg_catalog.to_regclass(%L)::pg_catalog.oid::pg_catalog.int8)', name), role);
END $$;

-- One batch: at most about `count` rows, also of several small tables; 0: none. `whole`: the statement as its author wrote it.
-- The progress is left in schemagate.progress for the end of the transaction (backfill_end.sql).
CREATE OR REPLACE FUNCTION schemagate.backfill_batch(pieces jsonb, whole text, before jsonb, count bigint,
                                                     role text)
RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    p jsonb := before;
    relation oid;
    left_over bigint := count;
    walked bigint;
    all_rows bigint;
BEGIN
    IF p IS NULL THEN
        relation := schemagate.backfill_find(pieces->>'relation', role);
        IF relation IS NULL THEN
            RAISE undefined_table USING
                MESSAGE = pg_catalog.format('relation %s does not exist', pieces->>'relation');
        END IF;
        p := schemagate.backfill_begin(relation, schemagate.backfill_find(pieces->>'into', role), pieces, role);
        IF p->>'whole' IS NOT NULL THEN
            left_over := 0; -- that it will run for long is told before it does
        END IF;
    END IF;
    WHILE left_over > 0 AND NOT (p->'done')::bool LOOP
        walked := p->'walked';
        IF p->>'whole' IS NOT NULL THEN
            p := schemagate.backfill_done(
                p || pg_catalog.jsonb_build_object('rows', schemagate.backfill_run(whole, role),
                                                   'walked', p->'estimate'), pieces, NULL);
        ELSIF (p->'verifying')::bool THEN
            all_rows := greatest((p->'estimate')::bigint, (p->'walked')::bigint);
            -- That it reads for long is told before it does; and then nothing else holds locks beside it.
            EXIT WHEN all_rows > left_over AND (left_over < count OR before->'verifying' IS DISTINCT FROM 'true');
            p := schemagate.backfill_verify(p, pieces, role);
            left_over := left_over - all_rows;
            CONTINUE;
        ELSIF NOT (p->'open')::bool THEN
            p := schemagate.backfill_next(p, pieces);
            walked := 0;
            CONTINUE;
        ELSIF schemagate.backfill_is_gone(p) THEN
            p := p || '{"open": false}';
        ELSIF p->'key' <> 'null' THEN
            p := schemagate.backfill_by_key(p, pieces, left_over, role);
        ELSE
            p := schemagate.backfill_by_page(p, pieces, left_over, role);
        END IF;
        left_over := left_over - ((p->'walked')::bigint - walked);
    END LOOP;
    -- A crash of the server may take the last batches back, and their progress with them: only the end has to last.
    IF NOT (p->'done')::bool THEN
        PERFORM pg_catalog.set_config('synchronous_commit', 'off', true);
    END IF;
    PERFORM pg_catalog.set_config('schemagate.progress', p::text, true);
    RETURN p;
END $$;
