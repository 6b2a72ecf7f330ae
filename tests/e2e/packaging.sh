#!/bin/bash
# `make install` into an empty root, and the units checked there by systemd itself: in that root the program
# lies where the unit says. Beside it stand copies of systemd's own units, which ours refer to.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ "${SCHEMAGATE_VARIANT:-test}" != test ]; then
    echo "nothing here depends on how the program was compiled: tested by make check"
    exit 0
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

fail() {
    echo "$*"
    exit 1
}

install_into() {
    env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u BUILD -u VARIANT make -s install DESTDIR="$1" PREFIX="$2"
}

for prefix in /usr /usr/local; do
    install_into "$root$prefix.root" "$prefix"
    tree=$root$prefix.root
    "$tree$prefix/bin/schemagate" version
    grep -q "^ExecStart=$prefix/bin/schemagate daemon$" \
        "$tree$prefix/lib/systemd/system/schemagate.service" || fail "$prefix: ExecStart"
    [ -f "$tree/etc/schemagate/schemagate.ini" ] || fail "$prefix: no configuration"
    [ -f "$tree$prefix/share/doc/schemagate/LICENSE" ] || fail "$prefix: no licence"

    mkdir -p "$tree/usr/lib/systemd/system" "$tree/bin"
    cp -a /usr/lib/systemd/system/. "$tree/usr/lib/systemd/system/"
    install -m 0755 /bin/kill "$tree/bin/kill"
    mistakes=$(systemd-analyze verify --man=no --root="$tree" schemagate.service schemagate.socket 2>&1 |
        grep -i schemagate) || true
    [ -z "$mistakes" ] || fail "$mistakes"
    systemd-analyze verify --man=no --root="$tree" schemagate.service schemagate.socket >/dev/null 2>&1 ||
        fail "systemd-analyze verify refuses the units"
done

# What is there is kept: an upgrade does not overwrite the configuration.
echo "# mine" >"$root/usr.root/etc/schemagate/schemagate.ini"
install_into "$root/usr.root" /usr
grep -q "^# mine" "$root/usr.root/etc/schemagate/schemagate.ini" || fail "the configuration was overwritten"

# A unit that is wrong has to be noticed: the check itself is checked.
sed -i 's/^ExecStart=.*/ExecStart=\/nonexistent/' "$root/usr.root/usr/lib/systemd/system/schemagate.service"
if systemd-analyze verify --man=no --root="$root/usr.root" schemagate.service >/dev/null 2>&1; then
    fail "a missing program was not noticed"
fi
exposure=$(systemd-analyze security --offline=yes --root="$root/usr/local.root" --threshold=20 \
    schemagate.service | tail -1) || fail "the service is exposed more than it has to be: $exposure"
echo "$exposure"
