-- Under which search path submitted SQL runs, whatever this session has set for itself.
SELECT reset_val FROM pg_settings WHERE name = 'search_path';
