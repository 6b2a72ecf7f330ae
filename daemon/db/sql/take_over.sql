-- Begins a term under the lock $1: bumps the epoch, stores the nonce $2 and the URL $3. Waits for a fenced transaction
-- of the former term that is still in flight, and sets the markers by what is committed then. No row: the lock is not held.
UPDATE schemagate.coordinator SET epoch = epoch + 1, nonce = $2, advertise_url = $3, since = now()
WHERE schemagate.holds_lock($1::bigint)
RETURNING epoch, (extract(epoch FROM since) * 1000)::bigint, schemagate.settle_markers();
