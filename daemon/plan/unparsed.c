/* Judging statements by their tokens, where there is no tree. */
#include "unparsed.h"

#include <schemagate/plan/catalog.h>

#include <pg_query/pg_query.pb-c.h>

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { GRAMMAR_VERSION = 160000 }; /* the first that it does not know */

/* BEGIN ATOMIC … END of a function's body has semicolons of its own, and CASE has an END of its own. */
static int depth_change(const struct reader *reader, size_t at, int depth)
{
    const struct token *token = &reader->tokens[at];

    switch (token->kind) {
    case PG_QUERY__TOKEN__ASCII_40:
        return 1;
    case PG_QUERY__TOKEN__ASCII_41:
        return depth > 0 ? -1 : 0;
    case PG_QUERY__TOKEN__BEGIN_P:
        return at + 1 < reader->token_count && reader->tokens[at + 1].kind == PG_QUERY__TOKEN__ATOMIC;
    case PG_QUERY__TOKEN__CASE:
        return depth > 0;
    case PG_QUERY__TOKEN__END_P:
        return depth > 0 ? -1 : 0;
    default:
        return 0;
    }
}

bool unparsed_find(const struct reader *reader, size_t offset, size_t from, size_t end, size_t *start,
                   size_t *behind)
{
    size_t at = reader_token_at(reader, from), first = SIZE_MAX;
    int depth = 0;

    for (; at < reader->token_count && reader->tokens[at].start < end; at++) {
        const struct token *token = &reader->tokens[at];

        if (reader_is_comment(token))
            continue;
        if (token->kind == PG_QUERY__TOKEN__ASCII_59 && depth == 0) {
            if (first != SIZE_MAX && token->start > offset)
                break;
            first = SIZE_MAX;
            continue;
        }
        if (first == SIZE_MAX) {
            if (token->start > offset)
                return false;
            first = token->start;
        }
        depth += depth_change(reader, at, depth);
    }
    if (first == SIZE_MAX)
        return false;
    *start = first;
    *behind = at < reader->token_count && reader->tokens[at].start < end ? reader->tokens[at].start : end;
    return true;
}

static bool says(const struct reader *reader, size_t offset, size_t end, const char *word)
{
    const char *bytes = reader->text.bytes + offset;
    size_t length = strlen(word);

    return offset + length <= end && strncasecmp(bytes, word, length) == 0
           && !isalnum((unsigned char)bytes[length]) && bytes[length] != '_';
}

static bool has_word(const struct reader *reader, size_t start, size_t end, const char *const *words)
{
    for (size_t at = reader_token_at(reader, start);
         at < reader->token_count && reader->tokens[at].start < end; at++)
        for (size_t i = 0; words[i] != NULL; i++)
            if (says(reader, reader->tokens[at].start, end, words[i]))
                return true;
    return false;
}

static int kind_at(const struct reader *reader, size_t at)
{
    return at < reader->token_count ? reader->tokens[at].kind : 0;
}

/* `ADD NOT NULL column`, also with CONSTRAINT and a name, and the latter among the columns of a new table. */
static bool names_not_null(const struct reader *reader, size_t start, size_t end)
{
    for (size_t at = reader_token_at(reader, start);
         at < reader->token_count && reader->tokens[at].start < end; at++) {
        bool named = kind_at(reader, at) == PG_QUERY__TOKEN__CONSTRAINT;
        size_t not_null = at + (named ? 2 : 0);
        int before = at > 0 ? kind_at(reader, at - 1) : 0;

        if (kind_at(reader, not_null) == PG_QUERY__TOKEN__NOT
            && kind_at(reader, not_null + 1) == PG_QUERY__TOKEN__NULL_P
            && (before == PG_QUERY__TOKEN__ADD_P
                || (named && (before == PG_QUERY__TOKEN__ASCII_44 || before == PG_QUERY__TOKEN__ASCII_40))))
            return true;
    }
    return false;
}

bool unparsed_is_newer(const struct reader *reader, size_t start, size_t end)
{
    /* SQL/JSON and MERGE … RETURNING, BY SOURCE (16, 17); virtual columns, with or without that word, NOT
     * ENFORCED, WITHOUT OVERLAPS, PERIOD, RETURNING OLD (18). */
    static const char *const words[] = {
        "generated",   "virtual",      "enforced",       "overlaps",       "period",        "expression",
        "merge",
        "json_table",  "json_query",   "json_value",     "json_exists",    "json_array",    "json_object",
        "json_scalar", "json_arrayagg", "json_objectagg", "json_serialize", "inherit",       "returning",
        "on_error",    "reject_limit", "system_user",    "any_value",      "graph_table",   NULL,
    };
    const struct catalog *catalog = reader->options.catalog;

    if (catalog != NULL && catalog->server_version < GRAMMAR_VERSION)
        return false;
    return has_word(reader, start, end, words) || names_not_null(reader, start, end);
}

bool unparsed_is_forbidden(const struct reader *reader, size_t start, size_t end)
{
    static const char *const beginnings[] = {"begin",  "start",   "commit",    "end",     "rollback",
                                             "abort",  "savepoint", "release", "prepare", "discard",
                                             "reset",  "set",     "copy",      NULL};
    static const char *const suspects[] = {"schemagate", "pg_advisory_", "pg_try_advisory_", "set_config"};

    for (size_t i = 0; beginnings[i] != NULL; i++)
        if (says(reader, start, end, beginnings[i]))
            return true;
    for (size_t i = 0; i < sizeof(suspects) / sizeof(suspects[0]); i++)
        for (size_t at = start; at + strlen(suspects[i]) <= end; at++)
            if (strncasecmp(reader->text.bytes + at, suspects[i], strlen(suspects[i])) == 0)
                return true;
    return false;
}
