-- schemagate: expand
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  NEW.a := ';'; -- schemagate: contract
  RETURN NEW;
END $body$;
CREATE FUNCTION g() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END;
-- schemagate: allow suspect-do-block reason="a word"
DO $$ BEGIN RAISE NOTICE 'schemagate'; END $$;
