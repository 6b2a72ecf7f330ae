#!/bin/bash
# Compares generated files with what the program prints now; `golden.sh --write` writes them anew.
# A change of behaviour is then a readable difference in the commit that makes it.
set -euo pipefail
cd "$(dirname "$0")/../.."

schemagate=${SCHEMAGATE_BINARY:?is the program; make sets it}
print=${SCHEMAGATE_PROGRAMS:?is the folder of the golden program; make sets it}/print

# A page with what a command prints between its markers: page FILE COMMAND
page() {
    awk -v command="$print $2" '
        /^<!-- end of what is generated -->/ { inside = 0 }
        !inside { print }
        /^<!-- generated -->/ { inside = 1; while ((command | getline line) > 0) print line }
    ' "$1"
}

# file, and the command that prints it
table="
tests/golden/machine.tsv   $print machine
tests/golden/replica.tsv   $print replica
tests/golden/routes.txt    $print routes
docs/architecture.md       page docs/architecture.md diagram
docs/findings.md           page docs/findings.md rules
docs/configuration.md      $schemagate check-config --reference
config/schemagate.ini      $schemagate check-config --sample
"
# Each migration in plan/ beside what the planner makes of it.
for case in tests/golden/plan/*.sql; do
    table+="${case%.sql}.txt $print plan $case"$'\n'
done

passed=0
failed=0
while read -r file command; do
    [ -n "$file" ] || continue
    fresh=$(mktemp)
    $command >"$fresh"
    if [ "${1:-}" = --write ]; then
        mkdir -p "$(dirname "$file")"
        cat "$fresh" >"$file"
        echo "wrote $file"
    elif diff -u "$file" "$fresh"; then
        passed=$((passed + 1))
    else
        echo "$file differs from what the program prints: if that is meant, type \`make golden\`"
        failed=$((failed + 1))
    fi
    rm -f "$fresh"
done <<<"$table"

if [ "${1:-}" != --write ]; then
    echo "[  PASSED  ] $passed test(s)."
    if [ "$failed" -gt 0 ]; then
        echo "[  FAILED  ] $failed test(s)."
        exit 1
    fi
fi
