-- How far each target of [notify NAME] has been told. A target that nobody has heard of begins with what happens next; one
-- that comes back goes on where it stopped.

-- Returns {"target": last event} of all targets.
CREATE OR REPLACE FUNCTION schemagate.begin_deliveries(term_epoch bigint, term_nonce text, targets jsonb)
RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM schemagate.fence(term_epoch, term_nonce);
    INSERT INTO schemagate.delivery (target, event)
    SELECT target, (SELECT coalesce(max(id), 0) FROM schemagate.event)
    FROM jsonb_array_elements_text(targets) AS target
    ON CONFLICT (target) DO NOTHING;
    RETURN (SELECT coalesce(jsonb_object_agg(target, event), '{}') FROM schemagate.delivery);
END $$;

CREATE OR REPLACE FUNCTION schemagate.note_delivery(term_epoch bigint, term_nonce text, told text,
                                                    last_event bigint)
RETURNS bool
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM schemagate.fence(term_epoch, term_nonce);
    UPDATE schemagate.delivery SET event = last_event WHERE target = told AND event < last_event;
    RETURN true;
END $$;
