-- The last statement before COMMIT: submitted SQL may have dropped the lock $1, or written where only we do. Then the
-- changes, as commit.sql does.
SELECT schemagate.prove_lock_kept($1::bigint), schemagate.commit($2::bigint, $3::text, 0, $4::jsonb);
