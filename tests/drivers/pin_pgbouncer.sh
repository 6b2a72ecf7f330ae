#!/bin/bash
# The hook of PgBouncer in session mode, with its reset query in place of DISCARD ALL: the server connection is pinned for the
# first client, and for the second one.
set -euo pipefail
folder=$(mktemp -d)
bouncer=
trap '[ -z "$bouncer" ] || kill "$bouncer"; rm -rf "$folder"' EXIT
chmod 0777 "$folder"
sed -e "s,host=127.0.0.1 dbname=shop,host=$PGHOST dbname=$PGDATABASE user=$PGUSER," \
    -e 's/^; server_reset_query/server_reset_query/' "$HOOK" >"$folder/pgbouncer.ini"
cat >>"$folder/pgbouncer.ini" <<END
listen_addr =
unix_socket_dir = $folder
auth_type = any
pool_mode = session
default_pool_size = 1
END
as_server=()
if [ "$(id -u)" = 0 ]; then as_server=(setpriv --reuid=postgres --regid=postgres --clear-groups); fi
"${as_server[@]}" pgbouncer -q "$folder/pgbouncer.ini" 2>"$folder/log" &
bouncer=$!
for _ in $(seq 200); do
    [ ! -S "$folder/.s.PGSQL.6432" ] || break
    sleep 0.05
done
for _ in 1 2; do
    psql -XAtq "host=$folder port=6432 dbname=shop_release_43 user=$PGUSER" -c "$COUNT"
done
