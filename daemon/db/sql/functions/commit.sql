-- One set of changes, all or nothing, under the fence (epoch, nonce). The window row comes first: its lock puts
-- registrations and transitions into one order, in which event ids rise as well.
--
-- Returns {"generation": …, "events": [ids in the order given]}, and "hidden" where the changes ask for it; or, where the generation had moved and nothing
-- was written, {"generation": …, "window": {row}}. expected_generation 0: any.
CREATE OR REPLACE FUNCTION schemagate.commit(term_epoch bigint, term_nonce text,
                                             expected_generation bigint, changes jsonb)
RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    generation_now bigint;
    event_ids jsonb;
    hidden jsonb;
BEGIN
    PERFORM schemagate.fence(term_epoch, term_nonce);

    UPDATE schemagate.window AS old
    SET (generation, floor, ceiling, contracting, undoing, baseline, paused, paused_by,
         paused_reason, paused_since, system_identifier, timeline, longest_lease_seconds) =
        (SELECT old.generation + 1, floor, ceiling, contracting, undoing, baseline, paused,
                paused_by, paused_reason, paused_since, system_identifier, timeline,
                longest_lease_seconds
         FROM jsonb_populate_record(old, coalesce(changes->'window', '{}')))
    WHERE expected_generation IN (0, old.generation)
    RETURNING generation INTO generation_now;
    IF NOT FOUND THEN
        RETURN (SELECT jsonb_build_object('generation', generation, 'window', to_jsonb(w))
                FROM schemagate.window AS w);
    END IF;

    IF changes ? 'migrations' THEN
        PERFORM schemagate.write_migrations(changes->'migrations');
    END IF;
    IF changes ? 'steps' THEN
        PERFORM schemagate.write_steps(changes->'steps');
    END IF;
    IF changes ? 'approvals' THEN
        PERFORM schemagate.write_approvals(changes->'approvals');
    END IF;
    IF changes ? 'apps' THEN
        PERFORM schemagate.write_apps(changes->'apps');
    END IF;
    IF changes ? 'compatible' THEN
        PERFORM schemagate.write_compatible(changes->'compatible');
    END IF;
    IF changes ? 'replicas' THEN
        PERFORM schemagate.write_replicas(changes->'replicas');
    END IF;
    IF changes ? 'roles' THEN
        PERFORM schemagate.write_roles(changes->'roles');
    END IF;
    IF changes ? 'waivers' THEN
        PERFORM schemagate.write_waivers(changes->'waivers');
    END IF;
    IF changes ? 'window' THEN
        PERFORM schemagate.close_markers();
    END IF;
    IF changes ? 'hidden' THEN
        hidden := schemagate.hidden_rows((changes->>'hidden')::bigint);
        changes := schemagate.tell_hidden(changes, hidden);
    END IF;
    IF changes ? 'events' THEN
        event_ids := schemagate.write_events(changes->'events');
    END IF;
    RETURN jsonb_strip_nulls(jsonb_build_object('generation', generation_now, 'hidden', hidden,
                                                'events', coalesce(event_ids, '[]'::jsonb)));
END $$;
