-- As submitted SQL reads names, for this transaction: its role $1 and its search path $2.
SELECT pg_catalog.set_config('role', $1, true), pg_catalog.set_config('search_path', $2, true);
