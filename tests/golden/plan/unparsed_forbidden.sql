-- schemagate: expand
-- schemagate: allow unparsed reason="no"
ALTER TABLE schemagate.migration ADD COLUMN x int GENERATED ALWAYS AS (1) VIRTUAL;
