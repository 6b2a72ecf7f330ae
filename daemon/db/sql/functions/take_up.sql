-- What an attempt at a statement outside of transactions has left behind that was interrupted: by a crash, a cancel, a
-- failed check. What was there before the first attempt is noted in step.begun, so that only what is ours is touched.

-- What the step works on, as its SQL writes it; no row where the step is none of a migration's.
CREATE OR REPLACE FUNCTION schemagate.step_names(of_version bigint, of_section text, of_number int)
RETURNS TABLE (relation text, object text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT step.locks->0->>'relation', step.object FROM schemagate.step
    WHERE step.version = of_version AND step.section = of_section AND step.number = of_number
$$;

-- An index that somebody is building at this moment is waited for: dropping it would wait behind the build, and then
-- drop what has become valid.
CREATE OR REPLACE FUNCTION schemagate.drop_left_over(index oid) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_stat_progress_create_index
               WHERE datname = current_database() AND pid <> pg_backend_pid()
                 AND relid = (SELECT indrelid FROM pg_index WHERE indexrelid = index)) THEN
        RAISE EXCEPTION 'another session builds an index on the table of %', index::regclass
            USING ERRCODE = 'lock_not_available';
    END IF;
    RETURN format('DROP INDEX CONCURRENTLY IF EXISTS %s', index::regclass);
END $$;

-- CREATE INDEX CONCURRENTLY. A relation that had the name before is somebody else's: then the statement runs, and says so.
CREATE OR REPLACE FUNCTION schemagate.take_up_index(step schemagate.step, on_table oid) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text := (SELECT names[cardinality(names)] FROM parse_ident(step.object) AS list (names));
    taken oid := (SELECT c.oid FROM pg_class AS c
                  WHERE c.relname = name
                    AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = on_table));
    valid bool;
BEGIN
    IF step.begun IS NULL THEN
        IF taken IS NULL THEN
            UPDATE schemagate.step AS s SET begun = '{}'
            WHERE (s.version, s.section, s.number) = (step.version, step.section, step.number);
        END IF;
        RETURN NULL;
    END IF;
    SELECT indisvalid AND indisready INTO valid FROM pg_index WHERE indexrelid = taken AND indrelid = on_table;
    RETURN CASE WHEN valid THEN '' WHEN NOT valid THEN schemagate.drop_left_over(taken) END;
END $$;

-- DROP INDEX CONCURRENTLY: one that was there, and is not any more, has been dropped.
CREATE OR REPLACE FUNCTION schemagate.take_up_index_drop(step schemagate.step, index oid) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF step.begun IS NOT NULL THEN
        RETURN CASE WHEN EXISTS (SELECT FROM pg_class WHERE oid = (step.begun->>'index')::oid) THEN NULL ELSE '' END;
    END IF;
    IF index IS NOT NULL THEN
        UPDATE schemagate.step AS s SET begun = jsonb_build_object('index', index::bigint)
        WHERE (s.version, s.section, s.number) = (step.version, step.section, step.number);
    END IF;
    RETURN NULL;
END $$;

-- REINDEX CONCURRENTLY: it builds beside the old ones, under names of its own; then it begins anew.
CREATE OR REPLACE FUNCTION schemagate.take_up_reindex(step schemagate.step, object oid) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    half_built oid[] := ARRAY(
        SELECT i.indexrelid FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
        WHERE i.indrelid = coalesce((SELECT indrelid FROM pg_index WHERE indexrelid = object), object)
          AND NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$');
BEGIN
    IF step.begun IS NULL THEN
        UPDATE schemagate.step AS s SET begun = jsonb_build_object('others', to_jsonb(half_built::bigint[]))
        WHERE (s.version, s.section, s.number) = (step.version, step.section, step.number);
        RETURN NULL;
    END IF;
    RETURN (SELECT schemagate.drop_left_over(index) FROM unnest(half_built) AS list (index)
            WHERE NOT step.begun->'others' @> to_jsonb(index::bigint) LIMIT 1);
END $$;

-- DETACH PARTITION CONCURRENTLY (PostgreSQL 14 and later). Half detached, it can only be finished.
CREATE OR REPLACE FUNCTION schemagate.take_up_detach(step schemagate.step, parent oid, part oid) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    pending bool := (SELECT (to_jsonb(i)->>'inhdetachpending')::bool FROM pg_inherits AS i
                     WHERE inhparent = parent AND inhrelid = part);
BEGIN
    IF step.begun IS NULL THEN
        IF NOT pending THEN
            UPDATE schemagate.step AS s SET begun = '{}'
            WHERE (s.version, s.section, s.number) = (step.version, step.section, step.number);
        END IF;
        RETURN NULL;
    END IF;
    RETURN CASE WHEN pending IS NULL THEN ''
                WHEN pending THEN format('ALTER TABLE %s DETACH PARTITION %s FINALIZE', parent::regclass,
                                         part::regclass) END;
END $$;

-- NULL: the statement is to be run; '': it has been done; else what is to be run before this is asked again.
CREATE OR REPLACE FUNCTION schemagate.take_up(of_version bigint, of_section text, of_number int, relation oid, object oid)
RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    this schemagate.step;
BEGIN
    SELECT * INTO this FROM schemagate.step
    WHERE version = of_version AND section = of_section AND number = of_number;
    RETURN CASE this.kind
        WHEN 'index' THEN schemagate.take_up_index(this, relation)
        WHEN 'index-drop' THEN schemagate.take_up_index_drop(this, object)
        WHEN 'reindex' THEN schemagate.take_up_reindex(this, object)
        WHEN 'detach' THEN schemagate.take_up_detach(this, relation, object) END;
END $$;
