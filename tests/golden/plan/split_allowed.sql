-- Where its author vouches for the old release, what tightens goes to the expand; behind the rows that it needs.
-- schemagate: allow set-not-null reason="every release writes it"
ALTER TABLE books ALTER COLUMN title SET NOT NULL;
-- schemagate: allow add-unique reason="they are unique since ever"
ALTER TABLE books ADD CONSTRAINT one_isbn UNIQUE (isbn), ADD CHECK (price > 0);
-- schemagate: allow add-column-not-null reason="the table is empty"
ALTER TABLE books ADD COLUMN pages int NOT NULL;
-- schemagate: allow add-unique reason="one release writes it"
ALTER TABLE books ADD COLUMN code text DEFAULT 'a' UNIQUE;
UPDATE shops SET town = 'Ulm' WHERE town IS NULL;
-- schemagate: allow set-not-null reason="nobody leaves it out"
ALTER TABLE shops ALTER COLUMN town SET NOT NULL;
-- schemagate: allow drop-table reason="it is not about tightening"
DROP TABLE old_books;
