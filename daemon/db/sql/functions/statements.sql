-- What pg_stat_statements shows of this database (coordinator/environment.h, statements), as JSON. The extension may lie
-- in any schema, or be missing: hence EXECUTE. PostgreSQL 13 does not say when the statistics were reset, nor what was
-- thrown out. Superusers, and the daemon's own role, count where an application uses them, as for reach.sql.
CREATE OR REPLACE FUNCTION schemagate.read_statements(application_roles jsonb, wanted jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    place text;
    gaps jsonb := '{"reset_at": "", "lost": -1}';
    found jsonb;
BEGIN
    SELECT nspname INTO place FROM pg_extension JOIN pg_namespace AS n ON n.oid = extnamespace
    WHERE extname = 'pg_stat_statements';
    IF place IS NULL THEN
        RETURN jsonb_build_object('trouble', 'the extension pg_stat_statements is not installed in this database');
    ELSIF NOT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') THEN
        RETURN jsonb_build_object('trouble', 'pg_stat_statements cannot be read: GRANT pg_read_all_stats to '
                                             'the daemon''s role');
    ELSIF current_setting('pg_stat_statements.track', true) = 'none' THEN
        RETURN jsonb_build_object('trouble', 'pg_stat_statements.track is none');
    END IF;
    IF to_regprocedure(format('%I.pg_stat_statements_info()', place)) IS NOT NULL THEN
        EXECUTE format($query$SELECT jsonb_build_object('reset_at', stats_reset, 'lost', dealloc)
                              FROM %I.pg_stat_statements_info()$query$, place) INTO gaps;
    END IF;
    EXECUTE format($query$
        WITH shown AS MATERIALIZED (
            SELECT queryid::text AS id, userid, calls, query
            FROM %I.pg_stat_statements(jsonb_array_length($2) > 0)
            WHERE queryid IS NOT NULL AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
        ), called AS (
            SELECT id, rolname, sum(calls)::bigint AS calls
            FROM shown JOIN pg_roles AS r ON r.oid = userid
            WHERE NOT (rolsuper OR rolname = current_user) OR $1 ? rolname
               OR rolname IN (SELECT role FROM schemagate.application_role)
            GROUP BY id, rolname
        )
        SELECT jsonb_build_object(
            'statements', (SELECT coalesce(jsonb_agg(jsonb_build_array(id, rolname, calls)), '[]') FROM called),
            'texts', (SELECT coalesce(jsonb_object_agg(id, left(query, 65536)), '{}') FROM shown
                      WHERE $2 ? id AND query IS NOT NULL))$query$, place)
        INTO found USING application_roles, wanted;
    RETURN found || gaps;
EXCEPTION WHEN object_not_in_prerequisite_state THEN -- 55000: it is not in shared_preload_libraries
    RETURN jsonb_build_object('trouble', SQLERRM);
END $$;
