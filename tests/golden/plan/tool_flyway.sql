-- V7__phone.sql: plain SQL, as its author wrote it. Flyway's own row is told to it afterwards.
ALTER TABLE users ADD COLUMN phone varchar(20);
CREATE INDEX users_phone ON users (phone);
UPDATE users SET phone = legacy_phone WHERE phone IS NULL;
ALTER TABLE users DROP COLUMN legacy_phone;
INSERT INTO "flyway_schema_history" ("installed_rank", "version", "description", "type", "script", "checksum",
    "installed_by", "execution_time", "success")
VALUES (7, '7', 'phone', 'SQL', 'V7__phone.sql', 12345, 'app', 1, true);
