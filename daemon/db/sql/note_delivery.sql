-- The target $3 has been told of the event $4.
SELECT schemagate.note_delivery($1::bigint, $2::text, $3::text, $4::bigint);
