-- Which layout the schema has.
SELECT max(version) FROM schemagate.schema_version;
