-- Before each attempt at the statement outside of transactions that is step $6 of the section $5 of version $4: the
-- fence ($1, $2), the proof that this session holds the lock $3, and the statements to be run now, one after another;
-- "" stands for the submitted one. Nothing: an earlier attempt has done all. $7: lock_timeout, for what would lock readers out.
SELECT schemagate.prove_lock($3::bigint),
       schemagate.begin_online($1::bigint, $2::text, $4::bigint, $5::text, $6::int, $7::text);
