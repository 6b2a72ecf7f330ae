-- schemagate: using up="gross"
ALTER TABLE item ALTER COLUMN price TYPE bigint;
-- schemagate: using up="twice + 1"
ALTER TABLE item ALTER COLUMN number SET NOT NULL;
-- schemagate: split up="euro = gross / 100, cent = net" down="amount = euro * 100 + cent"
ALTER TABLE item ADD COLUMN euro int, ADD COLUMN cent int, DROP COLUMN amount;
