-- The last event that each target has been told, {"name": event}; the targets $3 (a JSON array of names) begin here where
-- they are new.
SELECT schemagate.begin_deliveries($1::bigint, $2::text, $3::jsonb);
