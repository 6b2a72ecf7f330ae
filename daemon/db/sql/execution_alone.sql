-- As execution_begin.sql, for a statement that cannot run in a transaction: the settings are the session's. It waits
-- for locks without a time-out, because one that fires leaves an invalid index behind.
SELECT schemagate.fence($1::bigint, $2::text), schemagate.prove_lock($3::bigint),
       set_config('lock_timeout', '0', false), set_config('statement_timeout', $4::text, false),
       set_config('role', $5::text, false);
