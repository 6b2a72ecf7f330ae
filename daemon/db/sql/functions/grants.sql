-- What every role may do: pin its own sessions. Nothing else can be called, and nothing can be read; the role of migrations
-- is let in by admit_migrating (hide.sql).
GRANT USAGE ON SCHEMA schemagate TO PUBLIC;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA schemagate FROM PUBLIC;
GRANT EXECUTE ON FUNCTION schemagate.pin(bigint, bigint), schemagate.unpin() TO PUBLIC;
