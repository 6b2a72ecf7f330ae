-- Who can still reach what a contract takes away (docs/design.md §5.6), as JSON. $1: [{"schema", "table", "column"}],
-- $2: roles that the configuration calls applications', as a JSON array. A table without a schema stands for all of that
-- name: the search_path of others is not known. Runs on the primary. In doubt something is reachable:
--
-- - A role counts where it may log in or has a session; privileges count that it has itself, by PUBLIC, or by any role that
--   it could become (NOINHERIT or not), ownership counts as a privilege, CREATEROLE as all of them.
-- - A superuser, and the daemon's own role, counts where it is an application's; the others are listed as left out.
-- - Views reach with their owner's privileges, SECURITY DEFINER functions with theirs: what they say is not read.
-- - Inheritance and partitions: parents reach their children, and children have privileges of their own.
WITH RECURSIVE wanted AS (
    SELECT "schema", "table", "column"
    FROM jsonb_to_recordset($1::jsonb) AS w("schema" text, "table" text, "column" text)
), named AS (
    SELECT w."schema", w."table", w."column", c.oid AS relation
    FROM wanted AS w
    JOIN pg_class AS c ON c.relname = w."table" AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname !~ '^pg_temp_'
                          AND (w."schema" IS NULL OR n.nspname = w."schema")
    WHERE w."column" IS NULL OR EXISTS (SELECT FROM pg_attribute
        WHERE attrelid = c.oid AND attname = w."column" AND NOT attisdropped)
), object(relation, "column") AS (
    SELECT relation, "column" FROM named
    UNION
    SELECT CASE WHEN inhrelid = relation THEN inhparent ELSE inhrelid END, "column"
    FROM object JOIN pg_inherits ON relation IN (inhrelid, inhparent)
), touched AS (
    SELECT DISTINCT r.oid AS role
    FROM object AS o
    JOIN pg_class AS c ON c.oid = o.relation
    CROSS JOIN pg_roles AS r
    WHERE r.oid = c.relowner
       OR CASE WHEN o."column" IS NULL
               THEN has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
                 OR has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
               ELSE EXISTS (SELECT FROM pg_attribute
                            WHERE attrelid = c.oid AND attname = o."column" AND NOT attisdropped
                              AND has_column_privilege(r.oid, c.oid, attnum, 'SELECT, INSERT, UPDATE, REFERENCES'))
          END
), login AS (
    SELECT r.oid, rolname, rolsuper, rolcreaterole,
           rolname IN (SELECT role FROM schemagate.application_role)
           OR $2::jsonb ? rolname AS is_application
    FROM pg_roles AS r
    WHERE rolcanlogin OR EXISTS (SELECT FROM pg_stat_get_activity(NULL) WHERE usesysid = r.oid)
), counted AS (
    SELECT * FROM login WHERE is_application OR NOT (rolsuper OR rolname = current_user)
), reaching AS (
    SELECT * FROM counted AS l
    WHERE rolcreaterole OR EXISTS (SELECT FROM touched WHERE pg_has_role(l.oid, role, 'MEMBER'))
)
SELECT jsonb_build_object(
    'missing', (
        SELECT coalesce(jsonb_agg(concat_ws('.', "schema", "table", "column")), '[]'::jsonb)
        FROM wanted AS w
        WHERE NOT EXISTS (SELECT FROM named AS n
                          WHERE (n."schema", n."table", n."column")
                                IS NOT DISTINCT FROM (w."schema", w."table", w."column"))),
    'roles', (SELECT coalesce(jsonb_agg(rolname ORDER BY rolname), '[]'::jsonb) FROM reaching),
    'left_out', (SELECT coalesce(jsonb_agg(rolname ORDER BY rolname), '[]'::jsonb)
                 FROM login WHERE (rolsuper OR rolname = current_user) AND NOT is_application),
    'views', (
        SELECT coalesce(jsonb_agg(DISTINCT ev_class::regclass::text), '[]'::jsonb)
        FROM object AS o
        JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = o.relation
                           AND d.classid = 'pg_rewrite'::regclass
        JOIN pg_rewrite AS rule ON rule.oid = d.objid
        WHERE NOT EXISTS (SELECT FROM object AS whole
                          WHERE whole.relation = ev_class AND whole."column" IS NULL)
          AND (o."column" IS NULL OR d.refobjsubid = 0
               OR d.refobjsubid = (SELECT attnum FROM pg_attribute
                                   WHERE attrelid = o.relation AND attname = o."column"
                                     AND NOT attisdropped))),
    'functions', (
        SELECT coalesce(jsonb_agg(DISTINCT p.oid::regprocedure::text), '[]'::jsonb)
        FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'schemagate')
          AND EXISTS (SELECT FROM touched WHERE pg_has_role(p.proowner, role, 'MEMBER'))
          AND (p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype)
               OR EXISTS (SELECT FROM counted AS l WHERE has_function_privilege(l.oid, p.oid, 'EXECUTE')))),
    'subscriptions', (SELECT count(*) FROM pg_subscription_rel JOIN object ON srrelid = relation));
