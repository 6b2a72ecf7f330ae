-- schemagate: migration name="full_name"

-- Release 2 says full_name where release 1 says name. While both run, a trigger keeps both columns in step.
-- schemagate: expand
ALTER TABLE customer ADD COLUMN full_name text;

CREATE FUNCTION customer_names() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.full_name := coalesce(NEW.full_name, NEW.name);
        NEW.name := coalesce(NEW.name, NEW.full_name);
    ELSIF NEW.name IS DISTINCT FROM OLD.name THEN
        NEW.full_name := NEW.name;
    ELSIF NEW.full_name IS DISTINCT FROM OLD.full_name THEN
        NEW.name := NEW.full_name;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER customer_names BEFORE INSERT OR UPDATE ON customer
    FOR EACH ROW EXECUTE FUNCTION customer_names();

-- schemagate: backfill
UPDATE customer SET full_name = name WHERE full_name IS NULL;

-- schemagate: contract
DROP TRIGGER customer_names ON customer;
DROP FUNCTION customer_names();
ALTER TABLE customer DROP COLUMN name;

-- schemagate: undo
DROP TRIGGER customer_names ON customer;
DROP FUNCTION customer_names();
ALTER TABLE customer DROP COLUMN full_name;
