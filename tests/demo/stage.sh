# The stage of the demo: a temporary directory, a PostgreSQL cluster, the daemon, replicas and their
# counters.
# Sourced by demo; every function works below $stage.
# shellcheck shell=bash

schemagate=${SCHEMAGATE_BINARY:-$here/../../build/schemagate}
application=${SCHEMAGATE_PROGRAMS:-$here/../../build/tests/demo}/app
KEEP=${KEEP:-}
stage=
daemon=

say() { printf '%6.1f s  %s\n' "$(seconds_since "$opened_at")" "$*"; }
indent() { sed 's/^/          /'; }
note() { printf '          %s\n' "$@"; }
fail() { echo "demo: $*" >&2; exit 1; }

seconds_since() {
    awk -v since="$1" -v now="$EPOCHREALTIME" 'BEGIN { printf "%.1f", now - since }'
}

# wait_until SECONDS WHAT COMMAND...: looks again and again until the command succeeds.
wait_until() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        ((SECONDS < deadline)) || fail "waited in vain until $what (see $stage)"
        sleep 0.05
    done
}

# ---- PostgreSQL: initdb and the server refuse to run as root, then they run as the user postgres.

as_owner() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

postgres_program() {
    local found
    found=$(compgen -G "${PG_BINDIR:-/usr/lib/postgresql/*/bin}/$1" | sort -V | tail -n 1)
    echo "${found:-$1}"
}

start_postgres() {
    mkdir "$stage/data" "$stage/postgresql"
    if [ "$(id -u)" = 0 ]; then chown postgres: "$stage/data" "$stage/postgresql"; fi
    (cd / && as_owner "$(postgres_program initdb)" -D "$stage/data" -U postgres -A trust -E UTF8 \
        --no-locale --no-sync) >"$stage/log/initdb" 2>&1 ||
        fail "initdb failed: $(cat "$stage/log/initdb")"
    cat >>"$stage/data/postgresql.conf" <<-CONF
		listen_addresses = ''
		unix_socket_directories = '$stage/postgresql'
		log_directory = '$stage/postgresql'
	CONF
    (cd / && as_owner "$(postgres_program pg_ctl)" -D "$stage/data" -l "$stage/postgresql/log" \
        -w -s start) ||
        fail "PostgreSQL does not start: $(cat "$stage/postgresql/log")"
    export PGHOST=$stage/postgresql PGUSER=postgres PGDATABASE=postgres
}

stop_postgres() {
    (cd / && as_owner "$(postgres_program pg_ctl)" -D "$stage/data" -m immediate -s stop) || true
}

query() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

# ---- The daemon

start_daemon() {
    cat >"$stage/schemagate.ini" <<-INI
		[http]
		listen = unix:$stage/api${KEEP:+, 127.0.0.1:${PORT:-7433}}
		[gate]
		lease_seconds = 5
	INI
    export SCHEMAGATE_URL=unix:$stage/api
    "$schemagate" daemon -c "$stage/schemagate.ini" >"$stage/log/daemon" 2>&1 &
    daemon=$!
    wait_until 15 "schemagate is ready" daemon_is_ready
}

daemon_is_ready() { "$schemagate" status >/dev/null 2>&1; }

# ---- Replicas: one wrapper with one application each. wrapper[NAME] is the process to stop.

declare -A wrapper counters_of
starts=0

# start_replica HALF NAME RELEASE [COMMAND...]: COMMAND goes in front of the application.
start_replica() {
    local half=$1 name=$2 release=$3 counters
    shift 3
    counters=$stage/counters/$half/$name.$((++starts))
    PGAPPNAME=$name "$@" "$application" "$release" "$counters" >>"$stage/log/$name" 2>&1 &
    wrapper[$name]=$!
    counters_of[$name]=$counters
    wait_until 20 "$name (release $release) works" works "$counters"
}

# Twenty rounds of three queries.
works() { [ "$(field "$1" 2)" -ge 60 ]; }

# field FILE N: the Nth number of a counters file; 0 while nothing is written there.
field() {
    local words
    read -ra words < <(tr -d '\0' 2>/dev/null <"$1")
    echo "${words[$2 - 1]:-0}"
}

stop_replica() {
    kill -TERM "${wrapper[$1]}"
    wait "${wrapper[$1]}" || fail "$1 ended with $?, see $stage/log/$1"
    unset "wrapper[$1]"
}

stop_all_replicas() {
    local name
    for name in "${!wrapper[@]}"; do stop_replica "$name"; done
}

# kill -9 of the wrapper and of the application.
kill_replica() {
    kill -KILL "${wrapper[$1]}" "$(field "${counters_of[$1]}" 1)" 2>/dev/null
    wait "${wrapper[$1]}" 2>/dev/null || true
    unset "wrapper[$1]"
}

# totals HALF: queries, failed, slowest query in milliseconds, first error
totals() {
    local file
    for file in "$stage/counters/$1"/*; do tr -d '\0' <"$file"; done | awk '
        { queries += $2; failed += $3; if ($4 > slowest) slowest = $4 }
        NF > 4 && error == "" { error = $0; for (i = 0; i < 4; i++) sub(/^[^ ]+ /, "", error) }
        END { printf "%d %d %.0f %s\n", queries, failed, slowest / 1000, error }'
}

# ---- The end

close_stage() {
    local status=$? pid
    trap - EXIT
    if [ -n "$KEEP" ] && [ "$status" = 0 ]; then
        printf '%s\n' "${wrapper[*]}" "$daemon" >"$stage/pids"
        return
    fi
    for pid in "${wrapper[@]}" $daemon; do kill -TERM "$pid" 2>/dev/null; done
    wait
    stop_postgres
    if [ "$status" = 0 ]; then rm -rf "$stage"; else echo "demo: the logs are in $stage/log" >&2; fi
    exit "$status"
}

open_stage() {
    opened_at=$EPOCHREALTIME
    stage=$(mktemp -d /tmp/schemagate-demo.XXXXXX)
    chmod 755 "$stage"
    mkdir -p "$stage/log" "$stage/counters/gated" "$stage/counters/ungated"
    trap close_stage EXIT
    trap 'exit 130' INT TERM HUP
}

# stop_stage DIRECTORY: ends what KEEP=1 left running: the replicas, the daemon, PostgreSQL.
stop_stage() {
    stage=$1
    [ -f "$stage/pids" ] || fail "$stage holds no demo that runs"
    local pids pid
    while read -ra pids; do
        kill -TERM "${pids[@]}" 2>/dev/null
        for pid in "${pids[@]}"; do timeout 30 tail --pid="$pid" -f /dev/null; done
    done <"$stage/pids"
    stop_postgres
    rm -rf "$stage"
}
