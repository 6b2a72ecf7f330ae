-- Keeps the coordinator session from idle_session_timeout, and looks whether it still holds the lock $1.
SELECT schemagate.holds_lock($1::bigint);
