-- Commits the changes $4 in the term ($1, $2), where the generation is $3 (0: any).
SELECT schemagate.commit($1::bigint, $2::text, $3::bigint, $4::jsonb);
