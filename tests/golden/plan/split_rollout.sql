-- What a mapper prints for: one column more, filled from another one that goes.
BEGIN;
ALTER TABLE "shop_customer" ADD COLUMN "full_name" varchar(100) DEFAULT '' NOT NULL;
ALTER TABLE "shop_customer" ALTER COLUMN "full_name" DROP DEFAULT;
UPDATE "shop_customer" SET "full_name" = "name" WHERE "full_name" = '';
ALTER TABLE "shop_customer" ALTER COLUMN "email" SET NOT NULL;
ALTER TABLE "shop_customer" DROP COLUMN "name" CASCADE;
CREATE INDEX "shop_customer_full_name" ON "shop_customer" ("full_name");
UPDATE alembic_version SET version_num = 'b' WHERE alembic_version.version_num = 'a';
COMMIT;
