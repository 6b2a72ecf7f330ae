-- The last statement before COMMIT: submitted SQL may have dropped the lock $1, written where only we do, or changed what it
-- runs under, but for the setting $5. Then the changes, as commit.sql does.
SELECT schemagate.prove_lock_kept($1::bigint), schemagate.prove_settings_kept($5::text),
       schemagate.commit($2::bigint, $3::text, 0, $4::jsonb);
