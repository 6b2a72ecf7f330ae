-- The window of versions in the answer of /status.
SELECT format('[%s, %s]', w ->> 'floor', w ->> 'ceiling') FROM (SELECT :'status'::jsonb -> 'window') AS s (w);
