-- What Active Record logs of a migration: one transaction, its own bookkeeping last.
BEGIN;
ALTER TABLE "users" ADD "phone" character varying;
ALTER TABLE "users" ADD "admin" boolean DEFAULT FALSE NOT NULL;
CREATE INDEX "index_users_on_phone" ON "users" ("phone");
ALTER TABLE "orders" ADD CONSTRAINT "fk_rails_f868b47f6a"
FOREIGN KEY ("user_id")
  REFERENCES "users" ("id");
ALTER TABLE "users" DROP COLUMN "legacy";
INSERT INTO "schema_migrations" ("version") VALUES ('20261120093000');
COMMIT;
