-- The fence before a command that is not SQL: this term ($1, $2) owns the database, and this session holds the lock $3.
SELECT schemagate.fence($1::bigint, $2::text), schemagate.prove_lock($3::bigint);
