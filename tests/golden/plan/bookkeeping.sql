-- schemagate: expand
CREATE TABLE alembic_version (version_num varchar(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));
UPDATE alembic_version SET version_num = 'b' WHERE alembic_version.version_num = 'a';
INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ('shop', '0002_more', now());
DELETE FROM schema_migrations WHERE version = '1';
CREATE TABLE IF NOT EXISTS "_prisma_migrations" (id text);
