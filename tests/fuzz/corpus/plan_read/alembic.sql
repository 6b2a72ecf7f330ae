BEGIN;
-- Running upgrade a -> b
ALTER TABLE account ADD COLUMN last_transaction_date TIMESTAMP WITHOUT TIME ZONE;
CREATE TABLE account_log (id SERIAL NOT NULL, account_id INTEGER, PRIMARY KEY (id), FOREIGN KEY(account_id) REFERENCES account (id));
CREATE INDEX ix_log ON account_log (account_id);
INSERT INTO account_log (account_id) SELECT id FROM account;
CREATE FUNCTION f(a int, OUT b text, c numeric(10,2) DEFAULT 3) RETURNS text LANGUAGE sql AS 'select 1';
CREATE TRIGGER tr BEFORE INSERT ON account FOR EACH ROW EXECUTE FUNCTION g();
UPDATE alembic_version SET version_num='b' WHERE alembic_version.version_num = 'a';
INSERT INTO schema_migrations (version) VALUES ('20240101');
COMMIT;
