-- schemagate: backfill
UPDATE books SET pages = 1 WHERE pages IS NULL;
INSERT INTO genres VALUES (1, 'crime') ON CONFLICT DO NOTHING;
DELETE FROM log WHERE at < now() - interval '1 year';
WITH gone AS (DELETE FROM queue RETURNING id) INSERT INTO done SELECT id FROM gone;
MERGE INTO books USING prices ON books.id = prices.book WHEN MATCHED THEN UPDATE SET price = prices.price;
SELECT setval('books_id_seq', 1000);
COPY books FROM '/srv/books.csv';
