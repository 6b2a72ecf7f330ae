-- Whether the term ($1, $2) is the last that was begun: whoever takes over next does so after this was asked. For the
-- time in which the coordinator session is busy; the lock is asked about where it is not (ping.sql).
SELECT EXISTS (SELECT FROM schemagate.coordinator WHERE epoch = $1::bigint AND nonce = $2::text);
