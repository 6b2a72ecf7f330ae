-- schemagate: run early
-- schemagate: expand
-- schemagate: run
-- schemagate: run /bin/sh
-- schemagate: run a1 b2
-- schemagate: run a23456789_123456789_123456789_123456789_1
-- schemagate: run x command=/bin/sh
-- schemagate: run x argument="$(id)"
-- schemagate: run x argument=""
-- schemagate: run x argument=--config
-- schemagate: run x argument=a argument=b
CREATE TABLE t (
    -- schemagate: run inside
    id int
);
-- schemagate: allow drop-table reason="a command drops nothing that is read"
-- schemagate: run x
SELECT 1; -- schemagate: run behind
-- schemagate: allow drop-table reason="nothing follows"
