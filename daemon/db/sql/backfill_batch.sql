-- One batch of the statement $2, whose pieces are $1, from the progress $3 on (null: it begins), of at most $4 rows, as the role
-- $5. Returns the progress (functions/backfill.sql).
SELECT schemagate.backfill_batch($1::jsonb, $2::text, $3::jsonb, $4::bigint, $5::text);
