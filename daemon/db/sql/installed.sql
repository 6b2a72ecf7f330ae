-- Whether schemagate's own schema is there, and whether it may be created.
SELECT to_regclass('schemagate.schema_version') IS NOT NULL,
       has_database_privilege(current_database(), 'CREATE');
