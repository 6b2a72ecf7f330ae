-- Roles of applications that may not log in to this database, as JSON: whatever lost replica had one of them cannot come
-- back with it. PostgreSQL checks this for each login, behind authentication. Not counted: VALID UNTIL, which is the
-- password's alone, and roles that are gone, because credentials that expire are replaced by others. Runs on the primary.
SELECT coalesce(json_agg(rolname), '[]'::json)
FROM schemagate.application_role AS used JOIN pg_roles ON rolname = used.role
WHERE NOT rolcanlogin
   OR (rolconnlimit = 0 AND NOT rolsuper)
   OR NOT has_database_privilege(pg_roles.oid, current_database(), 'CONNECT');
