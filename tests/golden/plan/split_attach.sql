-- The bounds are checked before, as far as they are those of one plain column.
ALTER TABLE visit ATTACH PARTITION visit_3 FOR VALUES FROM ('2026-01-01') TO (MAXVALUE);
-- schemagate: allow no-safe-form reason="it is small"
ALTER TABLE town_visit ATTACH PARTITION visit_3 FOR VALUES IN ('a');
-- schemagate: allow no-safe-form reason="it is small, too"
ALTER TABLE full_visit ATTACH PARTITION visit_3 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
