-- schemagate: split up="a = full_name"
ALTER TABLE person ADD COLUMN a text;
-- schemagate: split up="b = full_name, b" down="full_name = b"
ALTER TABLE person ADD COLUMN b text;
-- schemagate: split up="c = full_name" down="full_name = c, born = c"
ALTER TABLE person ADD COLUMN c text;
-- schemagate: merge up="d = (SELECT full_name), e = full_nam" down="full_name = full_name || d"
ALTER TABLE person ADD COLUMN d text;
-- schemagate: split up="f = full_name, born = full_name" down="fullname = f"
ALTER TABLE person ADD COLUMN f text;
-- schemagate: split up="g = upper(full_name), h = full_nam" down="full_name = full_name || g"
ALTER TABLE person ADD COLUMN g text, ADD COLUMN h text;
-- schemagate: split up="i = full_name" down="full_name = i"
ALTER TABLE person ADD COLUMN i text DEFAULT gen_random_uuid();
-- schemagate: split up="j = full_name" down="full_name = j"
ALTER TABLE person ADD COLUMN j text CHECK (j <> '');
-- schemagate: split up="k = old_view" down="old_view = k"
ALTER TABLE contact ADD COLUMN k text;
ALTER TABLE contact DROP COLUMN old_view;
-- schemagate: merge up="l = street" down="street = l"
ALTER TABLE contact ADD COLUMN l text;
-- schemagate: merge up="m = street" down="street = m"
COMMENT ON COLUMN contact.street IS 'm';
-- schemagate: split up="n = street || pg_advisory_unlock_all()" down="street = n || schemagate.pin(1, 1)"
ALTER TABLE contact ADD COLUMN n text, DROP COLUMN street;
