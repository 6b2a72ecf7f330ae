/* One section: its statements, as libpg_query's parser tells them apart. */
#include "allocate.h"
#include "emit.h"
#include "operation.h"
#include "statement.h"

#include <pg_query.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* A statement that names a thing five times needs to be told once. */
static bool is_said(struct statement *statement, enum plan_rule_id rule, const char *message)
{
    const struct plan *plan = statement->reader->plan;
    struct text_place place = text_locate(&statement->reader->text, statement->start);

    for (size_t i = plan->finding_count; i > 0; i--) {
        const struct plan_finding *finding = &plan->findings[i - 1];

        if (finding->line != place.line || finding->column != place.column)
            return false;
        if (finding->id == plan_rules[rule].id && strcmp(finding->message, message) == 0)
            return true;
    }
    return false;
}

void statement_report(struct statement *statement, enum plan_rule_id rule, const char *object,
                      const char *format, ...)
{
    struct reader *reader = statement->reader;
    struct plan_finding *finding;
    va_list arguments;
    char *message;

    va_start(arguments, format);
    message = allocate_text_v(format, arguments);
    va_end(arguments);
    if (is_said(statement, rule, message)) {
        free(message);
        return;
    }
    finding = reader_report(reader, rule, statement->start, object, "%s", message);
    free(message);
    for (size_t i = statement->first_allowance; i < statement->last_allowance; i++) {
        struct allowance *allowance = &reader->allowances[i];

        if (allowance->rule != rule)
            continue;
        allowance->state = ALLOWANCE_USED;
        if (finding->id == plan_rules[rule].id && !finding->allowed) {
            finding->allowed = true;
            finding->allow_reason = allocate_text("%s", allowance->reason);
        }
    }
}

/* The first allowance at or behind `offset`. */
static size_t allowance_at(const struct reader *reader, size_t offset)
{
    size_t at = 0;

    while (at < reader->allowance_count && reader->allowances[at].offset < offset)
        at++;
    return at;
}

void reader_trim(const struct reader *reader, size_t *start, size_t *end)
{
    size_t first = reader_token_at(reader, *start), behind = reader_token_at(reader, *end);
    const char *bytes = reader->text.bytes;

    while (first < behind && reader_is_comment(&reader->tokens[first]))
        first++;
    if (first < behind)
        *start = reader->tokens[first].start;
    while (behind > first + 1 && reader_is_comment(&reader->tokens[behind - 1]))
        *end = reader->tokens[--behind].start;
    while (*end > *start && strchr(" \t\n\r\f\v", bytes[*end - 1]) != NULL)
        --*end;
}

/* Exceptions between the statement before, which ended at `from`, and this one are for this one. */
static void place_allowances(struct statement *statement, size_t from)
{
    struct reader *reader = statement->reader;
    size_t at = allowance_at(reader, from);

    statement->first_allowance = at;
    for (; at < reader->allowance_count && reader->allowances[at].offset < statement->start; at++)
        reader->allowances[at].state = ALLOWANCE_PLACED;
    statement->last_allowance = at;
    for (; at < reader->allowance_count && reader->allowances[at].offset < statement->end; at++) {
        reader->allowances[at].state = ALLOWANCE_USED;
        reader_report(reader, RULE_MISPLACED_DIRECTIVE, reader->allowances[at].offset,
                      plan_rules[reader->allowances[at].rule].id,
                      "this 'allow' stands inside a statement");
    }
}

/* Takes the statement apart; what it does is part of the plan. */
static void read_operations(struct statement *statement)
{
    struct operations operations;

    operations_read(statement, &operations);
    operations_note(statement, &operations);
    operations_free(&operations);
}

static void take_as_written(struct statement *statement)
{
    statement_refuse(statement);
    read_operations(statement);
    emit_as_written(statement, statement->section,
                    statement_is_transactional(statement->node) ? EMIT_SHARED : EMIT_OUTSIDE);
}

static void read_tree(struct reader *reader, enum plan_section section, const struct section *range,
                      const PgQueryProtobuf *packed, reader_take *take)
{
    PgQuery__ParseResult *tree =
        pg_query__parse_result__unpack(NULL, packed->len, (const uint8_t *)packed->data);
    size_t from = range->start;

    if (tree == NULL)
        abort();
    for (size_t i = 0; i < tree->n_stmts; i++) {
        const PgQuery__RawStmt *raw = tree->stmts[i];
        struct statement statement = {
            .reader = reader,
            .node = raw->stmt,
            .number = ++reader->statement_count,
            .section = section,
            .base = range->start,
        };

        statement.start = range->start + (size_t)raw->stmt_location;
        statement.end =
            raw->stmt_len > 0 ? statement.start + (size_t)raw->stmt_len : range->end;
        reader_trim(reader, &statement.start, &statement.end);
        place_allowances(&statement, from);
        take(&statement);
        from = statement.end;
    }
    pg_query__parse_result__free_unpacked(tree, NULL);
}

/* The first token of the statement before the one that cannot be parsed, if it is COPY … FROM STDIN: then
 * what cannot be parsed are its rows. */
static const struct token *find_copy(const struct reader *reader, size_t start, size_t offset)
{
    size_t at = reader_token_at(reader, offset);
    bool semicolon = false, stdin_seen = false;

    while (at > 0 && reader->tokens[at - 1].start >= start) {
        const struct token *token = &reader->tokens[--at];

        if (token->kind == PG_QUERY__TOKEN__ASCII_59 && semicolon)
            return NULL;
        semicolon = semicolon || token->kind == PG_QUERY__TOKEN__ASCII_59;
        stdin_seen = stdin_seen || token->kind == PG_QUERY__TOKEN__STDIN;
        if (token->kind == PG_QUERY__TOKEN__COPY && semicolon && stdin_seen)
            return token;
    }
    return NULL;
}

/* "syntax error at end of input" is about the last thing that was written. */
static size_t last_token(const struct reader *reader, const struct section *section, size_t offset)
{
    size_t at = reader_token_at(reader, section->end);

    while (at > 0 && reader_is_comment(&reader->tokens[at - 1]))
        at--;
    return at > 0 && reader->tokens[at - 1].start >= section->start ? reader->tokens[at - 1].start
                                                                    : offset;
}

/* The grammar's stack, or the process's memory, was not enough. */
static bool is_exhausted(const char *message)
{
    static const char *const beginnings[] = {"memory exhausted", "out of memory"};

    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
        if (strncmp(message, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

static void report_error(struct reader *reader, const struct section *section,
                         const PgQueryError *error)
{
    size_t characters = error->cursorpos > 0 ? (size_t)error->cursorpos - 1 : 0;
    size_t offset = text_advance(&reader->text, section->start, characters, section->end);
    const struct token *copy = find_copy(reader, section->start, offset);
    char *message = reader_quote(error->message, strlen(error->message));

    if (strstr(error->message, "at end of input") != NULL)
        offset = last_token(reader, section, offset);
    if (copy != NULL)
        reader_report(reader, RULE_CLIENT_COPY, copy->start, NULL,
                      "COPY from STDIN needs a client that sends rows");
    else if (is_exhausted(error->message))
        reader_report(reader, RULE_UNREADABLE, offset, NULL,
                      "the statement is nested too deeply, or is too large, to be read");
    else
        reader_report(reader, RULE_SYNTAX_ERROR, offset, NULL, "%s", message);
    free(message);
    for (size_t i = allowance_at(reader, section->start);
         i < reader->allowance_count && reader->allowances[i].offset < section->end; i++)
        reader->allowances[i].state = ALLOWANCE_USED;
}

static void read_range(struct reader *reader, enum plan_section section, const struct section *range,
                       reader_take *take)
{
    char behind = reader->text.bytes[range->end];
    PgQueryProtobufParseResult result;

    reader->text.bytes[range->end] = '\0';
    result = pg_query_parse_protobuf(reader->text.bytes + range->start);
    reader->text.bytes[range->end] = behind;
    if (result.error == NULL)
        read_tree(reader, section, range, &result.parse_tree, take);
    else
        report_error(reader, range, result.error);
    pg_query_free_protobuf_parse_result(result);
}

void reader_read_section(struct reader *reader, enum plan_section section)
{
    read_range(reader, section, &reader->sections[section], take_as_written);
}

void reader_read_whole(struct reader *reader, reader_take *take)
{
    read_range(reader, PLAN_EXPAND, &(struct section){.atomic = true, .end = reader->text.length}, take);
}
