BEGIN;

CREATE TABLE IF NOT EXISTS sessions (
    id uuid PRIMARY KEY,
    user_id bigint NOT NULL
);
ALTER TABLE users ADD COLUMN IF NOT EXISTS last_seen timestamptz;
CREATE INDEX IF NOT EXISTS users_last_seen ON users (last_seen);
ALTER TABLE users DROP COLUMN IF EXISTS seen;

COMMIT;
