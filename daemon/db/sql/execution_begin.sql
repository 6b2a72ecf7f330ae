-- The first statement of a migration's transaction: the fence for the term ($1, $2), the proof that this session holds
-- the lock $3, and the settings that the SQL runs under: lock_timeout $4, statement_timeout $5, role $6. $7: this role may
-- make an autovacuum yield within 10 ms; it does so only once our own deadlock_timeout has passed.
SELECT schemagate.fence($1::bigint, $2::text), schemagate.prove_lock($3::bigint),
       set_config('lock_timeout', $4::text, true), set_config('statement_timeout', $5::text, true),
       CASE WHEN $7::bool THEN set_config('deadlock_timeout', '10ms', true) END,
       schemagate.admit_migrating($6::text), set_config('role', $6::text, true);
