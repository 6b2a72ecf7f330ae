-- schemagate: migration name="split \"name\"" approval=manual soak_seconds=60 requires=41
-- schemagate: expand
ALTER TABLE users ADD COLUMN full_name text;
CREATE INDEX CONCURRENTLY users_full_name ON users (full_name);
-- schemagate: backfill
UPDATE users SET full_name = name WHERE full_name IS NULL;
-- schemagate: contract atomic=no
ALTER TABLE users DROP COLUMN name;
-- schemagate: undo
ALTER TABLE users DROP COLUMN full_name;
