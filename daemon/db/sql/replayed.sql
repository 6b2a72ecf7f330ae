-- On a standby: whether it is one still, whether it has replayed the log up to $1, and by how many seconds it lags while it
-- has not.
SELECT pg_is_in_recovery(), replay >= $1::pg_lsn,
       CASE WHEN replay >= $1::pg_lsn THEN 0
            ELSE coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0)
       END
FROM (SELECT pg_last_wal_replay_lsn() AS replay) AS at;
