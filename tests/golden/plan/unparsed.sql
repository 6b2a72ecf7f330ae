-- schemagate: expand
CREATE TABLE b (x int);
-- schemagate: allow unparsed reason="PostgreSQL 18 — ümlaut"
ALTER TABLE books ADD COLUMN total numeric GENERATED ALWAYS AS ('ü;') VIRTUAL;
COMMENT ON TABLE b IS 'x';
-- schemagate: allow unparsed reason="PostgreSQL 18"
CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; RETURN 1 NEWER; END;
SELECT 1
