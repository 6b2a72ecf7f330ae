-- Step $5 of the section $4 of version $3 has found that what it was to build is somebody else's. $1, $2: the fence.
SELECT schemagate.forget_online($1::bigint, $2::text, $3::bigint, $4::text, $5::int);
