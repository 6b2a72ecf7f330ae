#!/bin/bash
# `completion`, as shells use it: bash is asked what it would offer; zsh and fish, where they are installed, too.
set -euo pipefail
cd "$(dirname "$0")/../.."

schemagate=${SCHEMAGATE_BINARY:?is the program; make sets it}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
passed=0

fail() {
    echo "$*"
    exit 1
}

for shell in bash zsh fish; do
    "$schemagate" completion "$shell" >"$folder/$shell"
    if command -v "$shell" >/dev/null; then "$shell" -n "$folder/$shell" || fail "$shell cannot read it"; fi
    while read -r verb; do # every verb that help names
        grep -qw -- "$verb" "$folder/$shell" || fail "$shell: no $verb"
    done < <("$schemagate" help | awk '/^  [a-z]/ { print $1 }')
    passed=$((passed + 1))
done
shellcheck -s bash "$folder/bash"

# The words that bash offers for the last one of the arguments.
offers() {
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    COMPREPLY=()
    _schemagate || true
    printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort | tr '\n' ' '
}
expect() {
    local wanted=$1 found
    shift
    found=$(offers "$@")
    [ "$found" = "$wanted " ] || fail "after '$*' bash offers '$found', not '$wanted'"
    passed=$((passed + 1))
}
# shellcheck source=/dev/null
. "$folder/bash"
touch "$folder/7_x.sql"
expect "submit" schemagate sub
expect "pause pin-sql plan" schemagate p
expect "complete expanded hidden" schemagate submit --wait ""
expect "complete" schemagate submit -w c
expect "--timeout --token-file" schemagate submit --t
expect "$folder/7_x.sql" schemagate plan "$folder/7"
expect "$folder/7_x.sql" schemagate status --token-file "$folder/7"
expect "" schemagate submit --timeout ""
expect "bash fish zsh" schemagate completion ""
expect "pgbouncer pgx" schemagate pin-sql --driver pg

if command -v fish >/dev/null; then
    found=$(fish -c "source $folder/fish; complete -C 'schemagate submit --wait e'" | cut -f1 | tr '\n' ' ')
    [ "$found" = "expanded " ] || fail "fish offers '$found'"
    passed=$((passed + 1))
fi
status=0
"$schemagate" completion tcsh 2>/dev/null || status=$?
[ "$status" = 2 ] || fail "an unknown shell: exit code $status"
echo "[  PASSED  ] $passed test(s)."
