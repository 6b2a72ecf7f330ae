-- Where the daemon that holds the lock can be reached.
SELECT advertise_url FROM schemagate.coordinator;
