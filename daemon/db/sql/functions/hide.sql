-- Reversible contracts (docs/design.md §6): what a contract would drop is hidden first, and dropped by the purge. These
-- run inside a migration's fenced transaction, under the role of migrations, and read the catalog as it is then. Only the
-- rows of schemagate.hidden are written by the daemon's own role, which the session goes back to for that.

-- Lets the role of migrations call what hides. It runs with the rights of that role, which cannot write its rows.
CREATE OR REPLACE FUNCTION schemagate.admit_migrating(migrating text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    callable regprocedure;
BEGIN
    IF migrating = 'none' OR has_function_privilege(
        migrating, 'schemagate.hide_table(bigint, text, text, boolean)', 'EXECUTE') THEN
        RETURN;
    END IF;
    FOR callable IN
        SELECT oid FROM pg_proc
        WHERE pronamespace = 'schemagate'::regnamespace AND proname IN (
            'hide_column', 'hide_table', 'purge_column', 'purge_table', 'restore_column', 'restore_table',
            'restore_not_null', 'note_hidden', 'take_hidden', 'follow_rename', 'refuse_mention',
            'read_grants', 'revoke_grants', 'put_grants_back', 'refuse_reachable', 'end_hidden')
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', callable, migrating);
    END LOOP;
END $$;

-- Keeps what was hidden. The role is the migration's again afterwards.
CREATE OR REPLACE FUNCTION schemagate.note_hidden(of_version bigint, of_relation text, of_column text,
                                                  content jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    migrating text := current_setting('role');
BEGIN
    PERFORM set_config('role', 'none', true);
    INSERT INTO schemagate.hidden AS h (version, relation, "column", number, way, object, hidden_as, put_back)
    SELECT of_version, of_relation, of_column,
           (SELECT count(*) + 1 FROM schemagate.hidden WHERE version = of_version),
           content->>'way', (content->>'object')::oid, content->>'hidden_as',
           coalesce(content->'put_back', '{}')
    ON CONFLICT (version, relation, "column") DO UPDATE SET
        way = excluded.way, object = excluded.object, hidden_as = excluded.hidden_as,
        put_back = excluded.put_back, restored = false, note = NULL, hidden_at = excluded.hidden_at;
    PERFORM set_config('role', migrating, true);
END $$;

-- What is hidden under that name; a row of NULLs where IF EXISTS found nothing.
CREATE OR REPLACE FUNCTION schemagate.take_hidden(of_version bigint, of_relation text, of_column text)
RETURNS schemagate.hidden
LANGUAGE plpgsql AS $$
DECLARE
    migrating text := current_setting('role');
    found_row schemagate.hidden;
BEGIN
    PERFORM set_config('role', 'none', true);
    SELECT * INTO found_row FROM schemagate.hidden AS h
    WHERE h.version = of_version AND h.relation = of_relation AND h."column" = of_column AND NOT restored;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nothing of % % is recorded as hidden by version %', of_relation, of_column,
                        of_version
            USING ERRCODE = 'SG004', HINT = 'The rows of schemagate.hidden say what is.';
    END IF;
    PERFORM set_config('role', migrating, true);
    RETURN CASE WHEN found_row.way <> 'absent' THEN found_row END;
END $$;

-- Functions of triggers name a column as NEW.name or OLD.name. They go on with its new name, so that what keeps two
-- columns in step goes on doing so. What else mentions the column might break every write: that is refused.
CREATE OR REPLACE FUNCTION schemagate.follow_rename(object regclass, name_before text, name_after text)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    letters text := regexp_replace(name_before, '([^a-zA-Z0-9_])', '\\\1', 'g');
    any_row text := '(\m(?:[nN][eE][wW]|[oO][lL][dD])\s*\.\s*)';
    table_name text := (SELECT relname FROM pg_class WHERE oid = object);
    called record;
    body text;
BEGIN
    FOR called IN
        WITH RECURSIVE family (member) AS (
            SELECT object::oid UNION SELECT inhrelid FROM family JOIN pg_inherits ON inhparent = member)
        SELECT DISTINCT p.oid, p.oid::regprocedure AS name, p.prosrc, l.lanname AS language,
               EXISTS (SELECT FROM pg_trigger AS o WHERE o.tgfoid = p.oid AND NOT o.tgisinternal
                       AND o.tgrelid NOT IN (SELECT member FROM family)) AS shared
        FROM pg_trigger AS t
        JOIN pg_proc AS p ON p.oid = t.tgfoid
        JOIN pg_language AS l ON l.oid = p.prolang
        WHERE t.tgrelid IN (SELECT member FROM family) AND NOT t.tgisinternal
          AND l.lanname NOT IN ('c', 'internal')
    LOOP
        body := regexp_replace(called.prosrc, any_row || '"' || letters || '"',
                               '\1' || quote_ident(name_after), 'g');
        IF name_before ~ '^[a-z_][a-z0-9_$]*$' THEN
            body := regexp_replace(body, '(?i)' || any_row || letters || '\M',
                                   '\1' || quote_ident(name_after), 'g');
        END IF;
        CONTINUE WHEN regexp_replace(called.prosrc, '--[^\n]*', '', 'g') !~* ('\m' || letters || '\M');
        IF called.language <> 'plpgsql' OR (body <> called.prosrc AND called.shared)
           OR regexp_replace(body, '--[^\n]*', '', 'g') ~* ('''[^'']*\m' || letters || '\M[^'']*''')
           OR (regexp_replace(body, '--[^\n]*', '', 'g') ~* ('\m' || letters || '\M')
               AND body ~* ('\m' || regexp_replace(table_name, '([^a-zA-Z0-9_])', '\\\1', 'g') || '\M'))
        THEN
            RAISE EXCEPTION 'the trigger function % mentions column "%" of % in a way that cannot follow it',
                            called.name, name_before, object
                USING ERRCODE = 'SG004',
                      DETAIL = 'Only NEW.column and OLD.column in PL/pgSQL, in a function of one table, can.',
                      HINT = 'Say hide=revoke on the contract, or keep_hours=0; or drop the trigger in a '
                             'migration before this one.';
        END IF;
        CONTINUE WHEN body = called.prosrc;
        EXECUTE replace(pg_get_functiondef(called.oid), called.prosrc, body);
    END LOOP;
END $$;

-- Functions of other tables' triggers that write to a table by its name would fail once it is elsewhere.
CREATE OR REPLACE FUNCTION schemagate.refuse_mention(object regclass, mentioned text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    letters text := regexp_replace(mentioned, '([^a-zA-Z0-9_])', '\\\1', 'g');
    called regprocedure;
BEGIN
    SELECT p.oid INTO called
    FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
    WHERE t.tgrelid <> object AND NOT t.tgisinternal
      AND regexp_replace(p.prosrc, '--[^\n]*', '', 'g') ~* ('\m' || letters || '\M')
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the trigger function % of another table mentions "%"', called, mentioned
            USING ERRCODE = 'SG004',
                  DETAIL = 'It would not find the table once it is hidden.',
                  HINT = 'Say keep_hours=0; or drop the trigger in a migration before this one.';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION schemagate.hide_column(of_version bigint, of_relation text, of_column text,
                                                  way text DEFAULT 'rename',
                                                  if_exists boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    object regclass := to_regclass(of_relation);
    place pg_attribute;
    name_after text;
    loosen boolean;
    unproved boolean;
BEGIN
    IF way = 'rename' AND object IS NOT NULL THEN
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', object);
    END IF;
    SELECT * INTO place FROM pg_attribute
    WHERE attrelid = object AND attname = of_column AND attnum > 0 AND NOT attisdropped;
    IF NOT FOUND AND if_exists THEN
        PERFORM schemagate.note_hidden(of_version, of_relation, of_column, '{"way": "absent"}');
        RETURN;
    ELSIF NOT FOUND THEN
        RAISE EXCEPTION 'column "%" of relation "%" does not exist', of_column, of_relation
            USING ERRCODE = 'undefined_column';
    END IF;
    IF way = 'revoke' THEN
        PERFORM schemagate.note_hidden(of_version, of_relation, of_column, jsonb_build_object(
            'way', way, 'object', object::oid, 'hidden_as', of_column,
            'put_back', schemagate.read_grants(object, of_column)));
        PERFORM schemagate.revoke_grants(object, of_column);
        RETURN;
    END IF;

    name_after := format('schemagate_hidden_%s_%s', of_version, place.attnum);
    -- New code does not name it. Where something else fills it, it is never empty anyway.
    loosen := place.attnotnull AND NOT place.atthasdef AND place.attidentity = ''
              AND NOT EXISTS (SELECT FROM pg_index
                              WHERE indrelid = object AND (indisprimary OR indisreplident)
                                AND place.attnum = ANY (indkey));
    unproved := loosen AND EXISTS (SELECT FROM pg_constraint
                                   WHERE conrelid = object AND contype = 'n' AND NOT convalidated
                                     AND conkey = ARRAY[place.attnum]);
    IF loosen THEN
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', object, of_column);
    END IF;
    EXECUTE format('ALTER TABLE %s RENAME COLUMN %I TO %I', object, of_column, name_after);
    PERFORM schemagate.follow_rename(object, of_column, name_after);
    PERFORM schemagate.note_hidden(of_version, of_relation, of_column, jsonb_build_object(
        'way', way, 'object', object::oid, 'hidden_as', name_after,
        'put_back', jsonb_build_object('not_null', loosen, 'unproved', unproved)));
END $$;

-- A table, view, materialized view or foreign table. It keeps its name, in a schema of its own, so that nothing in there
-- can be in its way. The owner may use the schema: checks of foreign keys run under its name.
CREATE OR REPLACE FUNCTION schemagate.hide_table(of_version bigint, of_relation text,
                                                 way text DEFAULT 'rename',
                                                 if_exists boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    migrating text := current_setting('role');
    object regclass := to_regclass(of_relation);
    place pg_class;
    schema_before text;
    schema_after text;
BEGIN
    SELECT * INTO place FROM pg_class WHERE oid = object;
    IF NOT FOUND AND if_exists THEN
        PERFORM schemagate.note_hidden(of_version, of_relation, '', '{"way": "absent"}');
        RETURN;
    ELSIF NOT FOUND THEN
        RAISE EXCEPTION 'relation "%" does not exist', of_relation USING ERRCODE = 'undefined_table';
    END IF;
    schema_before := (SELECT nspname FROM pg_namespace WHERE oid = place.relnamespace);
    IF way = 'revoke' THEN
        PERFORM schemagate.note_hidden(of_version, of_relation, '', jsonb_build_object(
            'way', way, 'object', object::oid, 'hidden_as', of_relation,
            'put_back', schemagate.read_grants(object, '')));
        PERFORM schemagate.revoke_grants(object, '');
        RETURN;
    END IF;

    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', object);
    PERFORM schemagate.refuse_mention(object, place.relname);
    PERFORM set_config('role', 'none', true);
    IF NOT has_database_privilege(current_database(), 'CREATE') THEN
        RAISE EXCEPTION 'role "%" may not create the schema in which a table is hidden', session_user
            USING ERRCODE = 'insufficient_privilege',
                  HINT = format('GRANT CREATE ON DATABASE %I TO %I', current_database(), session_user);
    END IF;
    schema_after := format('schemagate_hidden_%s_%s', of_version,
                           (SELECT count(*) + 1 FROM schemagate.hidden WHERE version = of_version));
    EXECUTE format('CREATE SCHEMA %I', schema_after);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %s', schema_after, place.relowner::regrole);
    IF migrating <> 'none' THEN
        EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', schema_after, migrating);
    END IF;
    PERFORM set_config('role', migrating, true);
    EXECUTE format('ALTER TABLE %s SET SCHEMA %I', object, schema_after);
    PERFORM set_config('role', 'none', true);
    IF migrating <> 'none' THEN
        EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM %I', schema_after, migrating);
    END IF;
    PERFORM set_config('role', migrating, true);
    PERFORM schemagate.note_hidden(of_version, of_relation, '', jsonb_build_object(
        'way', way, 'object', object::oid, 'hidden_as', format('%I.%I', schema_after, place.relname),
        'put_back', jsonb_build_object('schema', schema_before, 'hidden_in', schema_after)));
END $$;
