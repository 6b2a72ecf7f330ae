-- The two ways out of hiding: back, or gone for good (hide.sql).

CREATE OR REPLACE FUNCTION schemagate.end_hidden(h schemagate.hidden, purged boolean) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF purged THEN
        DELETE FROM schemagate.hidden
        WHERE version = h.version AND relation = h.relation AND "column" = h."column";
    ELSE
        UPDATE schemagate.hidden SET restored = true, hidden_as = NULL
        WHERE version = h.version AND relation = h.relation AND "column" = h."column";
    END IF;
    IF h.put_back ? 'hidden_in' THEN
        EXECUTE format('DROP SCHEMA %I', h.put_back->>'hidden_in');
    END IF;
END $$;

CREATE OR REPLACE FUNCTION schemagate.restore_column(of_version bigint, of_relation text, of_column text)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    migrating text := current_setting('role');
    h schemagate.hidden := schemagate.take_hidden(of_version, of_relation, of_column);
BEGIN
    IF h.way = 'rename' THEN
        EXECUTE format('ALTER TABLE %s RENAME COLUMN %I TO %I', h.object, h.hidden_as, of_column);
        PERFORM schemagate.follow_rename(h.object, h.hidden_as, of_column);
    ELSIF h.way = 'revoke' THEN
        PERFORM schemagate.put_grants_back(h.object, h.put_back->'grants');
    ELSE
        RETURN;
    END IF;
    PERFORM set_config('role', 'none', true);
    PERFORM schemagate.end_hidden(h, false);
    PERFORM set_config('role', migrating, true);
END $$;

-- NOT NULL comes back in three transactions, none of which reads the table under a lock that makes others wait: what to
-- prove is written down (check), then proved (validate), then believed (finish). Rows that were written meanwhile without a
-- value leave the column nullable, which is told. One that was NOT VALID (PostgreSQL 18) is so again, and proved to nobody.
CREATE OR REPLACE FUNCTION schemagate.restore_not_null(of_version bigint, of_relation text, of_column text,
                                                       part text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    migrating text := current_setting('role');
    h schemagate.hidden;
    proof text;
    empty_rows bigint := 0;
BEGIN
    PERFORM set_config('role', 'none', true);
    SELECT * INTO h FROM schemagate.hidden
    WHERE version = of_version AND relation = of_relation AND "column" = of_column;
    PERFORM set_config('role', migrating, true);
    IF h.note IS NOT NULL OR coalesce(h.put_back->>'not_null', 'false') = 'false' THEN
        RETURN;
    ELSIF (h.put_back->>'unproved')::bool THEN
        IF part = 'check' THEN
            EXECUTE format('ALTER TABLE %s ADD NOT NULL %I NOT VALID', h.object, of_column);
        END IF;
        RETURN;
    END IF;
    proof := format('schemagate_restored_%s_%s', of_version, h.number);
    IF part = 'check' THEN
        EXECUTE format('SELECT count(*) FROM %s WHERE %I IS NULL', h.object, of_column) INTO empty_rows;
        IF empty_rows = 0 THEN
            EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I CHECK (%I IS NOT NULL) NOT VALID', h.object,
                           proof, of_column);
        END IF;
    ELSIF part = 'validate' THEN
        BEGIN
            EXECUTE format('ALTER TABLE %s VALIDATE CONSTRAINT %I', h.object, proof);
        EXCEPTION WHEN check_violation THEN
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', h.object, proof);
            EXECUTE format('SELECT count(*) FROM %s WHERE %I IS NULL', h.object, of_column) INTO empty_rows;
        END;
    ELSE
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', h.object, of_column);
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', h.object, proof);
    END IF;
    IF empty_rows > 0 THEN
        PERFORM set_config('role', 'none', true);
        UPDATE schemagate.hidden
        SET note = format('%s rows have no value, written while it was hidden: it was NOT NULL, and stays '
                          'nullable', empty_rows)
        WHERE version = of_version AND relation = of_relation AND "column" = of_column;
        PERFORM set_config('role', migrating, true);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION schemagate.restore_table(of_version bigint, of_relation text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    migrating text := current_setting('role');
    h schemagate.hidden := schemagate.take_hidden(of_version, of_relation, '');
BEGIN
    IF h.way = 'rename' THEN
        EXECUTE format('ALTER TABLE %s SET SCHEMA %I', h.object, h.put_back->>'schema');
    ELSIF h.way = 'revoke' THEN
        PERFORM schemagate.put_grants_back(h.object, h.put_back->'grants');
    ELSE
        RETURN;
    END IF;
    PERFORM set_config('role', 'none', true);
    PERFORM schemagate.end_hidden(h, false);
    PERFORM set_config('role', migrating, true);
END $$;

-- What was granted on the whole table before it could not be, below one column, comes back with the column gone.
CREATE OR REPLACE FUNCTION schemagate.purge_column(of_version bigint, of_relation text, of_column text,
                                                   drops_dependents boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    migrating text := current_setting('role');
    h schemagate.hidden := schemagate.take_hidden(of_version, of_relation, of_column);
    called regprocedure;
BEGIN
    IF h.version IS NULL THEN
        RETURN;
    END IF;
    SELECT p.oid INTO called FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
    WHERE NOT t.tgisinternal AND h.way = 'rename' AND strpos(p.prosrc, h.hidden_as) > 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the trigger function % still uses column "%" of %', called, of_column, h.object
            USING ERRCODE = 'SG004',
                  DETAIL = 'Every write would fail once the column is gone.',
                  HINT = 'Drop the trigger or change the function, then retry.';
    END IF;
    EXECUTE format('ALTER TABLE %s DROP COLUMN %I%s', h.object, h.hidden_as,
                   CASE WHEN drops_dependents THEN ' CASCADE' END);
    IF h.way = 'revoke' THEN
        PERFORM schemagate.put_grants_back(h.object, h.put_back->'grants');
    END IF;
    PERFORM set_config('role', 'none', true);
    PERFORM schemagate.end_hidden(h, true);
    PERFORM set_config('role', migrating, true);
END $$;

CREATE OR REPLACE FUNCTION schemagate.purge_table(of_version bigint, of_relation text,
                                                  drops_dependents boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    migrating text := current_setting('role');
    h schemagate.hidden := schemagate.take_hidden(of_version, of_relation, '');
    kind text;
BEGIN
    IF h.version IS NULL THEN
        RETURN;
    END IF;
    SELECT CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE'
                        ELSE 'TABLE' END INTO kind
    FROM pg_class WHERE oid = h.object;
    EXECUTE format('DROP %s %s%s', kind, h.object, CASE WHEN drops_dependents THEN ' CASCADE' END);
    PERFORM set_config('role', 'none', true);
    PERFORM schemagate.end_hidden(h, true);
    PERFORM set_config('role', migrating, true);
END $$;
