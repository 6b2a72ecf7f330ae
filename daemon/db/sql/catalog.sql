-- What the catalog says of the tables, indexes, views, sequences and types in $1, as one JSON document whose members are
-- those of struct catalog (plan/catalog.h). $1: [{"schema": null, "name": "users"}, …]; a name without schema is found as
-- a migration's session finds it: by the search_path that this role has by default. $2: the role that migrations run
-- as, or '' for the session's own.
--
-- It reads what every role may read. Deparsing (pg_get_expr and its siblings) and sizes take ACCESS SHARE on the tables:
-- whoever runs this sets a short lock_timeout, so that a table that is locked exclusively costs the facts, not the wait.
-- A document over 16 MB is answered by {"too_large": true}.
WITH RECURSIVE
identity AS MATERIALIZED (
    SELECT coalesce(nullif($2::text, ''), current_user::text) AS role,
           current_setting('server_version_num')::int AS version),
words AS MATERIALIZED (
    SELECT place, CASE WHEN left(word, 1) = '"' THEN replace(substr(word, 2, length(word) - 2), '""', '"')
                       ELSE lower(word) END AS word
    FROM pg_settings, unnest(string_to_array(reset_val, ',')) WITH ORDINALITY AS list (item, place),
         btrim(item) AS word
    WHERE pg_settings.name = 'search_path'),
path AS MATERIALIZED (
    SELECT DISTINCT ON (n.oid) n.oid, words.place
    FROM (SELECT place, word FROM words UNION ALL
          SELECT 0, 'pg_catalog' WHERE NOT EXISTS (SELECT 1 FROM words WHERE word = 'pg_catalog')) AS words,
         identity, pg_namespace AS n
    WHERE n.nspname = CASE words.word WHEN '$user' THEN identity.role ELSE words.word END
      AND has_schema_privilege(identity.role, n.oid, 'USAGE')
    ORDER BY n.oid, words.place),
asked AS MATERIALIZED (
    SELECT place, item ->> 'schema' AS schema, (item ->> 'name')::name AS name
    FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS list (item, place)),
relations AS MATERIALIZED (
    SELECT DISTINCT ON (asked.place) asked.place, c.oid, c.relnamespace AS namespace
    FROM asked
    JOIN pg_class AS c ON c.relname = asked.name AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'I')
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN path ON path.oid = n.oid
    WHERE CASE WHEN asked.schema IS NULL THEN path.place IS NOT NULL ELSE n.nspname = asked.schema END
    ORDER BY asked.place, path.place),
types AS MATERIALIZED (
    SELECT DISTINCT ON (asked.place) asked.place, y.oid, y.typnamespace AS namespace
    FROM asked
    JOIN pg_type AS y ON y.typname = asked.name
    LEFT JOIN pg_class AS c ON c.oid = y.typrelid
    JOIN pg_namespace AS n ON n.oid = y.typnamespace
    LEFT JOIN path ON path.oid = n.oid
    WHERE CASE WHEN asked.schema IS NULL THEN path.place IS NOT NULL ELSE n.nspname = asked.schema END
      AND coalesce(c.relkind, 'c') = 'c'
    ORDER BY asked.place, path.place),
own AS MATERIALIZED ( -- PostgreSQL's own: nobody asks about them
    SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema')),
wanted AS MATERIALIZED ( -- an index brings its table along
    SELECT oid FROM relations WHERE namespace NOT IN (SELECT oid FROM own)
    UNION
    SELECT i.indrelid FROM relations JOIN pg_index AS i ON i.indexrelid = relations.oid
    WHERE namespace NOT IN (SELECT oid FROM own)),
tree AS ( -- of partitioned tables
    SELECT wanted.oid AS root, i.inhrelid AS oid, i.inhparent AS parent, 1 AS depth
    FROM wanted JOIN pg_class AS c ON c.oid = wanted.oid AND c.relkind = 'p'
    JOIN pg_inherits AS i ON i.inhparent = wanted.oid
    UNION ALL
    SELECT tree.root, i.inhrelid, i.inhparent, depth + 1
    FROM tree JOIN pg_inherits AS i ON i.inhparent = tree.oid),
stored AS MATERIALIZED ( -- what holds the rows of each
    SELECT root, oid FROM tree UNION ALL SELECT oid, oid FROM wanted),
sources AS MATERIALIZED (
    SELECT p.oid, lower(p.prosrc) AS text
    FROM pg_proc AS p
    JOIN pg_language AS l ON l.oid = p.prolang AND l.lanname IN ('sql', 'plpgsql')
    JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'schemagate') AND p.prosrc <> ''),
mentions AS MATERIALIZED ( -- functions whose text names a table, or that its triggers call
    SELECT wanted.oid AS relation, sources.oid, sources.text
    FROM wanted JOIN pg_class AS c ON c.oid = wanted.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    JOIN sources ON strpos(sources.text, lower(c.relname)) > 0
        AND sources.text ~ ('\m' || regexp_replace(lower(c.relname), '(\W)', '\\\1', 'g') || '\M')
    UNION
    SELECT wanted.oid, sources.oid, sources.text
    FROM wanted JOIN pg_trigger AS g ON g.tgrelid = wanted.oid AND NOT g.tgisinternal
    JOIN sources ON sources.oid = g.tgfoid),
dependents AS MATERIALIZED (
    -- views, and rules that name the table
    SELECT DISTINCT ON (wanted.oid, v.oid, r.rulename, d.refobjsubid)
           wanted.oid AS relation,
           CASE WHEN r.rulename <> '_RETURN' THEN 'rule' WHEN v.relkind = 'm' THEN 'materialized view'
                ELSE 'view' END AS kind,
           CASE WHEN r.rulename <> '_RETURN' THEN quote_ident(r.rulename) || ' ON ' ELSE '' END
               || v.oid::regclass AS name,
           CASE WHEN d.refobjsubid <> first.part THEN ''
                WHEN r.rulename <> '_RETURN' THEN pg_get_ruledef(r.oid) ELSE pg_get_viewdef(v.oid)
           END AS definition,
           d.refobjsubid AS part, d.deptype = 'n' AS blocks
    FROM wanted
    JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = wanted.oid
        AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite AS r ON r.oid = d.objid
    JOIN pg_class AS v ON v.oid = r.ev_class
    CROSS JOIN LATERAL (SELECT min(refobjsubid) AS part FROM pg_depend AS f
                        WHERE f.refclassid = d.refclassid AND f.refobjid = d.refobjid
                          AND f.classid = d.classid AND f.objid = d.objid) AS first
    WHERE NOT (v.oid = wanted.oid AND r.rulename = '_RETURN')
    UNION ALL
    SELECT wanted.oid, 'trigger', quote_ident(g.tgname), pg_get_triggerdef(g.oid),
           coalesce(d.refobjsubid, 0), coalesce(d.deptype = 'n', false)
    FROM wanted
    JOIN pg_trigger AS g ON g.tgrelid = wanted.oid AND NOT g.tgisinternal
    LEFT JOIN pg_depend AS d ON d.classid = 'pg_trigger'::regclass AND d.objid = g.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = wanted.oid AND d.refobjsubid > 0
    UNION ALL
    SELECT DISTINCT wanted.oid, 'policy', quote_ident(p.polname) || ' ON ' || p.polrelid::regclass,
           concat_ws(' ', 'USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
                     'WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'),
           d.refobjsubid, d.deptype = 'n'
    FROM wanted
    JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = wanted.oid
        AND d.classid = 'pg_policy'::regclass
    JOIN pg_policy AS p ON p.oid = d.objid
    UNION ALL
    SELECT DISTINCT wanted.oid, 'generated column', quote_ident(a.attname), pg_get_expr(e.adbin, e.adrelid),
           d.refobjsubid, d.deptype = 'n'
    FROM wanted
    JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = wanted.oid
    JOIN pg_attrdef AS e ON e.adrelid = wanted.oid
    JOIN pg_attribute AS a ON a.attrelid = e.adrelid AND a.attnum = e.adnum AND a.attgenerated <> ''
    WHERE d.refobjsubid NOT IN (0, a.attnum)
      -- the dependency is the expression's, or (before PostgreSQL 15) the column's own
      AND ((d.classid = 'pg_attrdef'::regclass AND d.objid = e.oid)
           OR (d.classid = 'pg_class'::regclass AND d.objid = wanted.oid AND d.objsubid = a.attnum))
    UNION ALL
    -- functions that PostgreSQL knows to need the table, its rows' type, or a column
    SELECT DISTINCT wanted.oid, 'function', p.oid::regprocedure::text, '', d.refobjsubid, d.deptype = 'n'
    FROM wanted
    JOIN pg_class AS c ON c.oid = wanted.oid
    JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass
        AND ((d.refclassid = 'pg_class'::regclass AND d.refobjid = wanted.oid)
             OR (d.refclassid = 'pg_type'::regclass AND d.refobjid = c.reltype))
    JOIN pg_proc AS p ON p.oid = d.objid
    UNION ALL
    -- functions whose text only says so
    SELECT mentions.relation, 'function', mentions.oid::regprocedure::text, '', coalesce(a.attnum, 0), false
    FROM mentions
    LEFT JOIN LATERAL ( -- OFFSET keeps the planner from reading all columns of the database
        SELECT attnum, attname FROM pg_attribute
        WHERE attrelid = mentions.relation AND attnum > 0 AND NOT attisdropped OFFSET 0) AS a
        ON strpos(mentions.text, lower(a.attname)) > 0
        AND mentions.text ~ ('\m' || regexp_replace(lower(a.attname), '(\W)', '\\\1', 'g') || '\M')
    UNION ALL
    SELECT DISTINCT wanted.oid, 'publication', quote_ident(p.pubname), '', coalesce(d.refobjsubid, 0),
           coalesce(d.deptype = 'n', false)
    FROM wanted
    JOIN pg_publication_rel AS pr ON pr.prrelid = wanted.oid
    JOIN pg_publication AS p ON p.oid = pr.prpubid
    LEFT JOIN pg_depend AS d ON d.classid = 'pg_publication_rel'::regclass AND d.objid = pr.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = wanted.oid AND d.refobjsubid > 0
    UNION ALL
    SELECT wanted.oid, 'extension', quote_ident(e.extname), '', 0, true
    FROM wanted
    JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = wanted.oid AND d.deptype = 'e'
    JOIN pg_extension AS e ON e.oid = d.refobjid
    UNION ALL
    SELECT wanted.oid, 'statistics', quote_ident(n.nspname) || '.' || quote_ident(s.stxname),
           pg_get_statisticsobjdef(s.oid), key, false
    FROM wanted
    JOIN pg_statistic_ext AS s ON s.stxrelid = wanted.oid
    JOIN pg_namespace AS n ON n.oid = s.stxnamespace
    CROSS JOIN LATERAL unnest(s.stxkeys::int2[]) AS key
    UNION ALL
    SELECT wanted.oid, 'child table', i.inhrelid::regclass::text, '', 0, true
    FROM wanted JOIN pg_class AS c ON c.oid = wanted.oid AND c.relkind = 'r'
    JOIN pg_inherits AS i ON i.inhparent = wanted.oid
    UNION ALL
    -- columns whose default counts on a sequence
    SELECT wanted.oid, 'column', e.adrelid::regclass || '.' || quote_ident(a.attname), '', 0, true
    FROM wanted JOIN pg_class AS c ON c.oid = wanted.oid AND c.relkind = 'S'
    JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = wanted.oid
        AND d.classid = 'pg_attrdef'::regclass
    JOIN pg_attrdef AS e ON e.oid = d.objid
    JOIN pg_attribute AS a ON a.attrelid = e.adrelid AND a.attnum = e.adnum),
settings AS MATERIALIZED ( -- of dependents: what their definition does not say
    SELECT DISTINCT wanted.oid AS relation, 'view' AS kind, v.oid::regclass::text AS name,
           array_to_string(v.reloptions, ', ') AS text, NULL::text AS comment
    FROM wanted
    JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = wanted.oid
        AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite AS r ON r.oid = d.objid AND r.rulename = '_RETURN'
    JOIN pg_class AS v ON v.oid = r.ev_class AND v.relkind = 'v' AND v.oid <> wanted.oid
    WHERE v.reloptions IS NOT NULL
    UNION ALL
    SELECT wanted.oid, 'trigger', quote_ident(g.tgname),
           CASE g.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' END,
           obj_description(g.oid, 'pg_trigger')
    FROM wanted JOIN pg_trigger AS g ON g.tgrelid = wanted.oid AND NOT g.tgisinternal),
volatile_defaults AS MATERIALIZED (
    SELECT DISTINCT e.adrelid AS relation, e.adnum AS part
    FROM wanted
    JOIN pg_attrdef AS e ON e.adrelid = wanted.oid
    CROSS JOIN LATERAL regexp_matches(e.adbin::text, ':(?:funcid|opfuncid) (\d+)', 'g') AS call
    JOIN pg_proc AS p ON p.oid = call[1]::oid AND p.provolatile = 'v'),
sequences AS MATERIALIZED ( -- of identity and serial columns
    SELECT DISTINCT ON (d.refobjid, d.refobjsubid) d.refobjid AS relation, d.refobjsubid AS part, q.seqrelid::regclass::text AS name,
           concat_ws(' ', 'INCREMENT BY ' || q.seqincrement,
                     'MINVALUE ' || CASE WHEN q.seqincrement > 0 OR q.seqmin <> -width.top - 1 THEN q.seqmin END,
                     'MAXVALUE ' || CASE WHEN q.seqincrement < 0 OR q.seqmax <> width.top THEN q.seqmax END,
                     'START WITH ' || q.seqstart, 'CACHE ' || q.seqcache,
                     CASE WHEN q.seqcycle THEN 'CYCLE' END) AS options,
           (SELECT json_agg(concat('GRANT ', g.privilege_type, ' ON SEQUENCE %s TO ',
                                   CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
                                   CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' END)
                            ORDER BY g.grantee, g.privilege_type)
            FROM aclexplode(r.relacl) AS g
            WHERE g.grantee <> r.relowner) AS grants
    FROM wanted
    JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = wanted.oid AND d.refobjsubid > 0
        AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    JOIN pg_sequence AS q ON q.seqrelid = d.objid
    JOIN pg_class AS r ON r.oid = q.seqrelid
    CROSS JOIN LATERAL (SELECT CASE q.seqtypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647
                                               ELSE 9223372036854775807 END AS top) AS width
    ORDER BY d.refobjid, d.refobjsubid, d.deptype DESC),
published AS MATERIALIZED (
    SELECT wanted.oid
    FROM wanted JOIN pg_class AS c ON c.oid = wanted.oid AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
    WHERE EXISTS (SELECT 1 FROM pg_publication WHERE puballtables)
       OR EXISTS (SELECT 1 FROM pg_publication_rel WHERE prrelid IN (
              SELECT wanted.oid UNION ALL SELECT inhparent FROM pg_inherits WHERE inhrelid = wanted.oid))
       -- FOR TABLES IN SCHEMA (PostgreSQL 15): a dependency tells without naming its catalog
       OR EXISTS (SELECT 1 FROM pg_depend
                  WHERE classid = to_regclass('pg_catalog.pg_publication_namespace')
                    AND refclassid = 'pg_namespace'::regclass AND refobjid = c.relnamespace)),
documents AS (
    SELECT c.oid, json_build_object(
        'schema', n.nspname,
        'name', c.relname,
        'on_path', c.oid = (SELECT o.oid FROM pg_class AS o JOIN path ON path.oid = o.relnamespace
                            WHERE o.relname = c.relname ORDER BY path.place LIMIT 1),
        'kind', CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
                               WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
                               WHEN 'S' THEN 'sequence' ELSE 'index' END,
        'of_table', coalesce((SELECT i.indrelid::regclass::text FROM pg_index AS i WHERE i.indexrelid = c.oid),
                             (SELECT i.inhparent::regclass::text FROM pg_inherits AS i
                              WHERE i.inhrelid = c.oid AND c.relispartition)),
        'owner', pg_get_userbyid(c.relowner),
        'rows', (SELECT CASE WHEN bool_or(s.reltuples >= 0 AND NOT (s.reltuples = 0 AND s.relpages = 0
                                                                     AND identity.version < 140000))
                             THEN sum(greatest(s.reltuples, 0))::bigint ELSE -1 END
                 FROM identity, stored JOIN pg_class AS s ON s.oid = stored.oid
                 WHERE stored.root = c.oid AND s.relkind <> 'p'),
        'bytes', (SELECT coalesce(sum(pg_total_relation_size(s.oid)), 0)::bigint
                  FROM stored JOIN pg_class AS s ON s.oid = stored.oid
                  WHERE stored.root = c.oid AND s.relkind IN ('r', 'm', 'i')),
        'columns', (
            SELECT json_agg(json_build_object(
                'name', a.attname,
                'type', format_type(a.atttypid, a.atttypmod),
                'collation', coalesce((
                    SELECT quote_ident(k.nspname) || '.' || quote_ident(l.collname)
                    FROM pg_collation AS l JOIN pg_namespace AS k ON k.oid = l.collnamespace
                    WHERE l.oid = a.attcollation AND a.attcollation <> y.typcollation), ''),
                'default_text', pg_get_expr(e.adbin, e.adrelid),
                'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' ELSE '' END,
                'comment', col_description(c.oid, a.attnum),
                'options', concat_ws(', ',
                    'ALTER COLUMN %s SET STORAGE ' || CASE WHEN a.attstorage <> y.typstorage THEN
                        CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL'
                                          WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END,
                    'ALTER COLUMN %s SET COMPRESSION ' || CASE to_jsonb(a) ->> 'attcompression'
                        WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END,
                    'ALTER COLUMN %s SET STATISTICS ' || CASE WHEN a.attstattarget >= 0 THEN a.attstattarget END,
                    'ALTER COLUMN %s SET (' || (
                        SELECT string_agg(quote_ident(o.option_name) || ' = ' || o.option_value, ', ')
                        FROM pg_options_to_table(a.attoptions) AS o) || ')'),
                'not_null', a.attnotnull,
                'unproved', (SELECT k.conname FROM pg_constraint AS k
                             WHERE k.conrelid = c.oid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum]
                               AND NOT k.convalidated),
                'generated', a.attgenerated <> '',
                -- of the table, or of one of its partitions; 0 stands for an expression, which may name any column
                'partition_key', c.relkind = 'p' AND EXISTS (
                    SELECT 1 FROM pg_partitioned_table AS p
                    JOIN pg_attribute AS k ON k.attrelid = p.partrelid AND k.attname = a.attname
                    WHERE p.partrelid IN (SELECT c.oid UNION ALL SELECT tree.oid FROM tree WHERE tree.root = c.oid)
                      AND (k.attnum = ANY (p.partattrs::int2[]) OR 0 = ANY (p.partattrs::int2[]))),
                'default_volatile', EXISTS (SELECT 1 FROM volatile_defaults AS v
                                            WHERE v.relation = c.oid AND v.part = a.attnum),
                'number', a.attnum,
                'sequence', s.name,
                'sequence_options', coalesce(s.options, ''),
                'sequence_grants', s.grants,
                'grants', (
                    SELECT json_agg(concat('GRANT ', g.privilege_type, ' (%s) ON TABLE ', c.oid::regclass, ' TO ',
                                           CASE g.grantee WHEN 0 THEN 'PUBLIC'
                                                ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
                                           CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' END)
                                    ORDER BY g.grantee, g.privilege_type)
                    FROM aclexplode(a.attacl) AS g))
                ORDER BY a.attnum)
            FROM pg_attribute AS a
            JOIN pg_type AS y ON y.oid = a.atttypid
            LEFT JOIN pg_attrdef AS e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
            LEFT JOIN sequences AS s ON s.relation = c.oid AND s.part = a.attnum
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
              AND c.relkind NOT IN ('i', 'I', 'S')),
        'indexes', (
            SELECT json_agg(json_build_object(
                'name', x.relname,
                'definition', pg_get_indexdef(i.indexrelid),
                'comment', obj_description(i.indexrelid, 'pg_class'),
                'columns', to_json(i.indkey::int2[]),
                'unique', i.indisunique,
                'primary', i.indisprimary,
                'valid', i.indisvalid AND i.indisready AND i.indislive,
                'constraint', EXISTS (SELECT 1 FROM pg_constraint AS k
                                      WHERE k.conindid = i.indexrelid AND k.conrelid = c.oid
                                        AND k.contype IN ('p', 'u', 'x')),
                'replica_identity', i.indisreplident,
                'uses_expressions', i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
                ORDER BY x.relname)
            FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
            WHERE i.indrelid = c.oid),
        'constraints', (
            SELECT json_agg(json_build_object(
                'name', k.conname,
                'definition', pg_get_constraintdef(k.oid),
                'kind', CASE k.contype WHEN 'c' THEN 'check' WHEN 'f' THEN 'foreign key' WHEN 'u' THEN 'unique'
                                       WHEN 'p' THEN 'primary key' ELSE 'exclude' END,
                'foreign_table', CASE WHEN k.contype = 'f'
                                      THEN CASE WHEN incoming THEN k.conrelid ELSE k.confrelid END::regclass::text
                                 END,
                'comment', obj_description(k.oid, 'pg_constraint'),
                'columns', to_json(CASE WHEN incoming THEN k.confkey ELSE k.conkey END),
                'valid', k.convalidated,
                'deferrable', k.condeferrable,
                'incoming', incoming,
                'partitioned', incoming AND EXISTS (SELECT 1 FROM pg_class AS o
                                                    WHERE o.oid = k.conrelid AND (o.relkind = 'p' OR o.relispartition))
                ) ORDER BY incoming, k.conname)
            FROM (SELECT oid, false FROM pg_constraint
                  WHERE conrelid = c.oid AND contype IN ('c', 'f', 'u', 'p', 'x')
                  UNION ALL
                  SELECT oid, true FROM pg_constraint
                  WHERE confrelid = c.oid AND contype = 'f' AND conrelid <> c.oid AND conparentid = 0
                 ) AS each (oid, incoming)
            JOIN pg_constraint AS k ON k.oid = each.oid),
        'dependents', (
            SELECT json_agg(json_build_object('kind', d.kind, 'name', d.name, 'definition', d.definition,
                                              'settings', coalesce(s.text, ''), 'comment', s.comment,
                                              'column', d.part, 'blocks', d.blocks)
                            ORDER BY d.kind, d.name, d.part)
            FROM (SELECT kind, name, max(definition), part, bool_or(blocks)
                  FROM dependents WHERE relation = c.oid
                  GROUP BY kind, name, part) AS d (kind, name, definition, part, blocks)
            LEFT JOIN settings AS s ON s.relation = c.oid AND s.kind = d.kind AND s.name = d.name),
        'partition_by', CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END,
        'default_partition', EXISTS (SELECT 1 FROM pg_partitioned_table AS p
                                     WHERE p.partrelid = c.oid AND p.partdefid <> 0),
        'partitions', (
            SELECT json_agg(json_build_object('name', s.oid::regclass::text, 'parent', parent::regclass::text,
                                              'branch', s.relkind = 'p')
                            ORDER BY s.relkind <> 'p', depth, s.relpages DESC, s.oid)
            FROM tree JOIN pg_class AS s ON s.oid = tree.oid
            WHERE tree.root = c.oid),
        'grants', (
            SELECT json_agg('GRANT ' || rights || ' ON ' || CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END
                            || ' %s TO ' || role || suffix ORDER BY role, suffix)
            FROM (SELECT string_agg(g.privilege_type, ', ' ORDER BY g.privilege_type),
                         CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
                         CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
                  FROM aclexplode(c.relacl) AS g
                  WHERE g.grantee <> c.relowner
                  GROUP BY g.grantee, g.is_grantable) AS each (rights, role, suffix)),
        'comment', obj_description(c.oid, 'pg_class'),
        'published', c.oid IN (SELECT oid FROM published),
        'row_security', c.relrowsecurity) AS document
    FROM wanted JOIN pg_class AS c ON c.oid = wanted.oid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    UNION ALL
    SELECT y.oid, json_build_object(
        'schema', n.nspname,
        'name', y.typname,
        'on_path', y.oid = (SELECT o.oid FROM pg_type AS o JOIN path ON path.oid = o.typnamespace
                            WHERE o.typname = y.typname ORDER BY path.place LIMIT 1),
        'kind', 'type',
        'owner', pg_get_userbyid(y.typowner),
        'rows', -1, 'bytes', 0,
        'constraints', (
            SELECT json_agg(json_build_object(
                'name', k.conname, 'definition', pg_get_constraintdef(k.oid), 'kind', 'check',
                'comment', obj_description(k.oid, 'pg_constraint'), 'columns', '[]'::json,
                'valid', k.convalidated, 'deferrable', false, 'incoming', false) ORDER BY k.conname)
            FROM pg_constraint AS k WHERE k.contypid = y.oid AND k.contype = 'c'),
        'dependents', (
            SELECT json_agg(json_build_object(
                'kind', 'column', 'name', c.oid::regclass || '.' || quote_ident(a.attname), 'definition', '',
                'column', 0, 'blocks', true) ORDER BY c.relname, a.attnum)
            FROM pg_depend AS d
            JOIN pg_class AS c ON c.oid = d.objid AND c.relkind IN ('r', 'p', 'm', 'f', 'c')
            JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND NOT a.attisdropped
            WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_type'::regclass
              AND d.refobjid IN (y.oid, y.typarray)),
        'comment', obj_description(y.oid, 'pg_type'))
    FROM (SELECT DISTINCT oid FROM types WHERE namespace NOT IN (SELECT oid FROM own)) AS each
    JOIN pg_type AS y ON y.oid = each.oid JOIN pg_namespace AS n ON n.oid = y.typnamespace),
answer AS MATERIALIZED (
    SELECT json_build_object(
        'server_version', (SELECT version FROM identity),
        'tables', (SELECT coalesce(json_agg(document ORDER BY oid), '[]'::json) FROM documents),
        'missing', (SELECT coalesce(json_agg(concat_ws('.', schema, name::text) ORDER BY place), '[]'::json)
                    FROM asked
                    WHERE place NOT IN (SELECT place FROM relations)
                      AND place NOT IN (SELECT place FROM types)),
        'event_triggers', EXISTS (SELECT 1 FROM pg_event_trigger WHERE evtenabled <> 'D')) AS document)
SELECT CASE WHEN octet_length(document::text) > 16 << 20 THEN '{"too_large": true}'::json ELSE document END
FROM answer;
