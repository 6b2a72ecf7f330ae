#!/bin/bash
# Holds the pages (README.md, docs/) against the program: every link leads somewhere, and every verb, option,
# route, problem, hold and finding is described where people look for it.
set -euo pipefail
cd "$(dirname "$0")/../.."

schemagate=${SCHEMAGATE_BINARY:?is the program; make sets it}
print=${SCHEMAGATE_PROGRAMS:?is the folder of the golden program; make sets it}/print
missing=0

miss() {
    echo "$*"
    missing=$((missing + 1))
}

# The anchors of a page's headings, as they are made from their text: "A migration's life" is a-migrations-life.
anchors() {
    sed -nE 's/^#+ +(.*)$/\1/p' "$1" | tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9 _-]//g; s/ /-/g'
}

# Targets of [text](target) and ![text](target), outside of fenced code.
targets() {
    awk '/^```/ { fenced = !fenced } !fenced' "$1" | grep -oE '\]\([^) ]+\)' | sed -E 's/^\]\((.*)\)$/\1/' || true
}

check_links() {
    local page=$1 target file anchor
    while read -r target; do
        case $target in
        http://* | https://* | '') continue ;;
        esac
        file=${target%%#*}
        anchor=
        if [[ $target == *'#'* ]]; then anchor=${target#*#}; fi
        file=${file:+$(dirname "$page")/$file}
        if [ ! -e "${file:=$page}" ]; then
            miss "$page: the link $target leads nowhere"
        elif [ -n "$anchor" ] && ! anchors "$file" | grep -qxF -- "$anchor"; then
            miss "$page: $file has no heading for #$anchor"
        fi
    done < <(targets "$page")
}

# described WHAT PAGE TEXT: the page has the text.
described() {
    grep -qF -- "$3" "$2" || miss "$2: the $1 $3 is not described"
}

check_verbs() {
    local verb option
    while read -r verb; do
        grep -qE "^\| \`${verb}[ \`]" docs/cli.md || miss "docs/cli.md: the verb $verb is not described"
        while read -r option; do
            described "option of $verb," docs/cli.md "$option"
        done < <("$schemagate" help "$verb" | grep -oE '^ +(-., )?--[a-z-]+' | grep -oE -- '--[a-z-]+')
    done < <("$schemagate" help | sed -nE 's/^  ([a-z-]+) .*/\1/p')
}

# The page names neither more nor less routes than the program has, with the same roles.
check_routes() {
    # shellcheck disable=SC2016  # backquotes of Markdown
    local row='s/^\| `((GET|PUT|POST|DELETE) [^`?]+)` \| ([a-z, ]+) \|.*/\1 \3/p'
    diff <("$print" routes | sed 's/\t/ /g; s/,/, /g' | sort) <(sed -nE "$row" docs/http.md | sort) ||
        miss "docs/http.md: its routes (>) are not those of the program (<)"
}

# words PATTERN FILE: what stands in the first quotes of each match; a match may go over the end of a line.
words() {
    tr '\n' ' ' <"$2" | grep -oE "$1" | sed -E 's/^[^"]*"([^"]*)".*/\1/'
}

check_words() {
    local what=$1 page=$2 word count=0
    while read -r word; do
        described "$what" "$page" "\`$word\`"
        count=$((count + 1))
    done
    [ "$count" -gt 0 ] || miss "no $what was found in the sources: has their form changed?"
}

for page in README.md docs/*.md; do check_links "$page"; done
check_verbs
check_routes
check_words problem docs/http.md < <(words '\[PROBLEM_[A-Z_]+\] = +\{"[a-z-]+"' daemon/http/problem.c)
check_words hold docs/operating.md < <(words '\[HOLD_[A-Z_]+\] = +\{"[a-z-]+"' daemon/core/gate.c)
check_words finding docs/findings.md < <(words '\[RULE_[A-Z_]+\] = +\{"[a-z0-9-]+"' daemon/plan/rule.c)

if [ "$missing" -gt 0 ]; then
    echo "$missing mistakes in the pages"
    exit 1
fi
echo "the pages describe what the program has"
