-- Hiding by taking privileges away: no table is locked, prepared statements fail as well, and `SELECT *` of new code too.
-- A column cannot be revoked below a privilege on the whole table: that one goes, and the other columns are granted.

-- What is granted on the table and on its columns: [{"column", "grantee", "privilege", "grantable"}].
CREATE OR REPLACE FUNCTION schemagate.read_grants(object regclass, of_column text) RETURNS jsonb
LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('grants', coalesce(jsonb_agg(jsonb_build_object(
        'column', "column", 'grantee', CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
        'privilege', privilege_type, 'grantable', is_grantable)), '[]'))
    FROM (
        SELECT '' AS "column", acl.* FROM pg_class AS c,
               aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS acl
        WHERE c.oid = object
          AND (of_column = '' OR privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES'))
        UNION ALL
        SELECT attname, acl.* FROM pg_attribute AS a, aclexplode(a.attacl) AS acl
        WHERE a.attrelid = object AND NOT a.attisdropped
    ) AS granted
$$;

-- Login roles that can still reach it: through a role that reads everything, by a grant of somebody else's, or because
-- they are superusers, whom no privilege binds, of which a session of a replica is there.
CREATE OR REPLACE FUNCTION schemagate.refuse_reachable(object regclass, of_column text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    migrating text := current_setting('role');
    reaching text;
BEGIN
    SELECT rolname INTO reaching FROM pg_roles
    WHERE rolcanlogin AND NOT rolsuper
      AND CASE WHEN of_column = '' THEN has_any_column_privilege(oid, object, 'SELECT, INSERT, UPDATE, REFERENCES')
                    OR has_table_privilege(oid, object, 'DELETE, TRUNCATE')
               ELSE has_column_privilege(oid, object, of_column, 'SELECT, INSERT, UPDATE, REFERENCES') END
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'hide=revoke has no effect: role "%" reaches % % in another way', reaching, object,
                        of_column
            USING ERRCODE = 'SG004',
                  DETAIL = 'It is a member of a role that reads or writes all tables, or another role than '
                           'the owner granted it.',
                  HINT = 'Say hide=rename on the contract.';
    END IF;
    PERFORM set_config('role', 'none', true);
    SELECT usename INTO reaching
    FROM pg_stat_activity AS s JOIN pg_roles ON rolname = usename
    JOIN schemagate.replica AS r ON r.application_name = s.application_name
    WHERE rolsuper AND s.datname = current_database() AND r.application_name <> ''
      AND r.state IN ('live', 'lost')
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'hide=revoke has no effect: the application connects as superuser "%"', reaching
            USING ERRCODE = 'SG004', HINT = 'Say hide=rename on the contract.';
    END IF;
    PERFORM set_config('role', migrating, true);
END $$;

CREATE OR REPLACE FUNCTION schemagate.revoke_grants(object regclass, of_column text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    others text := (SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
                    WHERE attrelid = object AND attnum > 0 AND NOT attisdropped AND attname <> of_column);
    granted record;
    grants jsonb := schemagate.read_grants(object, of_column)->'grants';
BEGIN
    FOR granted IN SELECT * FROM jsonb_to_recordset(grants) AS g (
        "column" text, grantee text, privilege text, grantable boolean) ORDER BY "column" DESC
    LOOP
        IF granted."column" = '' THEN
            EXECUTE format('REVOKE %s ON %s FROM %s', granted.privilege, object, granted.grantee);
        ELSIF of_column IN ('', granted."column") THEN
            EXECUTE format('REVOKE %s (%I) ON %s FROM %s', granted.privilege, granted."column", object,
                           granted.grantee);
        END IF;
        IF of_column <> '' AND granted."column" = '' AND others IS NOT NULL THEN
            EXECUTE format('GRANT %s (%s) ON %s TO %s%s', granted.privilege, others, object, granted.grantee,
                           CASE WHEN granted.grantable AND granted.grantee <> 'PUBLIC'
                                THEN ' WITH GRANT OPTION' END);
        END IF;
    END LOOP;
    PERFORM schemagate.refuse_reachable(object, of_column);
END $$;

-- Columns that came later are covered by what is granted on the whole table.
CREATE OR REPLACE FUNCTION schemagate.put_grants_back(object regclass, grants jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    all_columns text := (SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
                         WHERE attrelid = object AND attnum > 0 AND NOT attisdropped);
    granted record;
BEGIN
    FOR granted IN SELECT * FROM jsonb_to_recordset(grants) AS g (
        "column" text, grantee text, privilege text, grantable boolean) ORDER BY "column"
    LOOP
        IF granted."column" = '' THEN
            IF granted.privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') THEN
                EXECUTE format('REVOKE %s (%s) ON %s FROM %s', granted.privilege, all_columns, object,
                               granted.grantee);
            END IF;
            EXECUTE format('GRANT %s ON %s TO %s%s', granted.privilege, object, granted.grantee,
                           CASE WHEN granted.grantable AND granted.grantee <> 'PUBLIC'
                                THEN ' WITH GRANT OPTION' END);
        ELSIF EXISTS (SELECT FROM pg_attribute WHERE attrelid = object AND attname = granted."column"
                                                 AND NOT attisdropped) THEN
            EXECUTE format('GRANT %s (%I) ON %s TO %s%s', granted.privilege, granted."column", object,
                           granted.grantee,
                           CASE WHEN granted.grantable AND granted.grantee <> 'PUBLIC'
                                THEN ' WITH GRANT OPTION' END);
        END IF;
    END LOOP;
END $$;
