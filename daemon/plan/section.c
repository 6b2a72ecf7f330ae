/* One section: its statements, as libpg_query's parser tells them apart. */
#include "allocate.h"
#include "backfill.h"
#include "effort.h"
#include "emit.h"
#include "judge.h"
#include "statement.h"
#include "unparsed.h"

#include <pg_query.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* A statement that names a thing five times needs to be told once. */
static bool is_said(struct statement *statement, enum plan_rule_id rule, size_t offset, const char *message)
{
    const struct plan *plan = statement->reader->plan;
    struct text_place first = text_locate(&statement->reader->text, statement->start);
    struct text_place place = text_locate(&statement->reader->text, offset);

    for (size_t i = plan->finding_count; i > 0; i--) {
        const struct plan_finding *finding = &plan->findings[i - 1];

        if (finding->line < first.line)
            return false;
        if (finding->line == place.line && finding->column == place.column
            && finding->id == plan_rules[rule].id && strcmp(finding->message, message) == 0)
            return true;
    }
    return false;
}

struct plan_finding *statement_report_at(struct statement *statement, enum plan_rule_id rule, size_t offset,
                                         const char *object, const char *message)
{
    struct reader *reader = statement->reader;
    struct plan_finding *finding;

    if (is_said(statement, rule, offset, message))
        return NULL;
    finding = reader_report(reader, rule, offset, object, "%s", message);
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
    return finding->id == plan_rules[rule].id ? finding : NULL;
}

bool statement_allows(const struct statement *statement, enum plan_rule_id rule)
{
    for (size_t i = statement->first_allowance; i < statement->last_allowance; i++)
        if (statement->reader->allowances[i].rule == rule)
            return true;
    return false;
}

void statement_report_v(struct statement *statement, enum plan_rule_id rule, const char *object,
                        const char *format, va_list arguments)
{
    char *message = allocate_text_v(format, arguments);

    statement_report_at(statement, rule, statement->start, object, message);
    free(message);
}

void statement_report(struct statement *statement, enum plan_rule_id rule, const char *object,
                      const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    statement_report_v(statement, rule, object, format, arguments);
    va_end(arguments);
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

/* The last one before the statement counts; others have no statement of their own. */
static void place_using(struct statement *statement, size_t from)
{
    struct reader *reader = statement->reader;

    for (size_t i = 0; i < reader->using_count; i++)
        if (reader->usings[i].offset >= from && reader->usings[i].offset < statement->start)
            statement->using = i + 1;
    if (statement->using > 0)
        reader->usings[statement->using - 1].state = ALLOWANCE_PLACED;
}

/* Takes the statement apart and judges it; what it does is part of the plan. Of one that may not be there at
 * all there is no more to say. */
static void take_as_written(struct statement *statement)
{
    struct section *section = &statement->reader->sections[statement->section];
    bool transactional = statement_is_transactional(statement->node);
    size_t before = statement->reader->plan->finding_count;
    struct plan_statement *added;
    struct operations operations;

    statement_refuse(statement);
    statement_refuse_as_written(statement);
    operations_read(statement, &operations);
    operations_note(statement, &operations);
    if (statement->reader->plan->finding_count == before)
        operations_judge(statement, &operations);
    if (statement->section != PLAN_BACKFILL || !backfill_emit(statement, section->bound)) {
        added = emit_as_written(statement, statement->section, transactional ? EMIT_SHARED : EMIT_OUTSIDE);
        effort_forget(&added->work); /* what came before in the file counts as well */
        for (size_t i = 0; i < operations.count; i++)
            effort_note(&added->work, statement->reader->options.catalog, &operations.items[i]);
    }
    operations_free(&operations);
    section->bound = section->bound || (section->atomic && backfill_binds(statement->node));
}

/* A statement that is not parsed, because its author allows it. */
struct aside {
    size_t start, end;
};

enum { ASIDES_MAX = 20 }; /* each costs a parse of the section */

/* A section while it is read. */
struct reading {
    struct reader *reader;
    enum plan_section section;
    const struct section *range;
    reader_take *take;
    char *copy;           /* owned; its text, without what is set aside */
    size_t from;          /* behind the statement before */
    struct aside *asides; /* owned; by their place when the section is read */
    size_t aside_count, next_aside;
    size_t next_run; /* of reader->runs */
};

/* A step that is a configured command, at the place of its directive. */
static void read_run(struct reading *reading, const struct run *run)
{
    struct statement statement = {
        .reader = reading->reader,
        .number = ++reading->reader->statement_count,
        .section = reading->section,
        .base = reading->range->start,
        .start = run->offset,
        .end = text_line_end(&reading->reader->text, run->offset),
    };

    place_allowances(&statement, reading->from);
    statement_report(&statement, RULE_RUNNER_STEP, run->name,
                     "the runner '%s' is started here: nobody has read what it does", run->name);
    emit_run(&statement, run->name, run->argument);
    judge_begin_transaction(reading->reader);
    reading->from = statement.end;
}

static void read_runs(struct reading *reading, size_t before)
{
    struct reader *reader = reading->reader;

    if (before > reading->range->end)
        before = reading->range->end;
    while (reading->next_run < reader->run_count && reader->runs[reading->next_run].offset < before)
        read_run(reading, &reader->runs[reading->next_run++]);
}

/* Those that stand where no step can be. */
static void refuse_runs(struct reading *reading, size_t before)
{
    struct reader *reader = reading->reader;

    while (reading->next_run < reader->run_count && reader->runs[reading->next_run].offset < before) {
        const struct run *run = &reader->runs[reading->next_run++];

        reader_report(reader, RULE_MISPLACED_DIRECTIVE, run->offset, run->name,
                      "this 'run' stands inside a statement");
    }
}

/* It is run by itself: nobody knows what it locks. */
static void read_aside(struct reading *reading, const struct aside *aside)
{
    struct statement statement = {
        .reader = reading->reader,
        .section = reading->section,
        .base = reading->range->start,
        .start = aside->start,
        .end = aside->end,
    };

    read_runs(reading, aside->start);
    statement.number = ++reading->reader->statement_count;
    reader_trim(reading->reader, &statement.start, &statement.end);
    refuse_runs(reading, statement.end);
    place_allowances(&statement, reading->from);
    place_using(&statement, reading->from);
    statement_report(&statement, RULE_UNPARSED, NULL, "the statement is run as it stands, unread");
    emit_as_written(&statement, reading->section, EMIT_SEPARATE);
    judge_begin_transaction(reading->reader);
    reading->from = statement.end;
}

static void read_asides(struct reading *reading, size_t before)
{
    while (reading->next_aside < reading->aside_count && reading->asides[reading->next_aside].start < before)
        read_aside(reading, &reading->asides[reading->next_aside++]);
}

static void read_statement(struct reading *reading, const PgQuery__RawStmt *raw)
{
    struct reader *reader = reading->reader;
    const struct section *range = reading->range;
    struct statement statement = {
        .reader = reader,
        .node = raw->stmt,
        .section = reading->section,
        .base = range->start,
    };

    statement.start = range->start + (size_t)raw->stmt_location;
    statement.end = raw->stmt_len > 0 ? statement.start + (size_t)raw->stmt_len : range->end;
    reader_trim(reader, &statement.start, &statement.end);
    read_asides(reading, statement.start);
    read_runs(reading, statement.start);
    refuse_runs(reading, statement.end);
    statement.number = ++reader->statement_count;
    place_allowances(&statement, reading->from);
    place_using(&statement, reading->from);
    reading->take(&statement);
    reading->from = statement.end;
}

static void read_tree(struct reading *reading, const PgQueryProtobuf *packed)
{
    PgQuery__ParseResult *tree =
        pg_query__parse_result__unpack(NULL, packed->len, (const uint8_t *)packed->data);

    if (tree == NULL)
        abort();
    for (size_t i = 0; i < tree->n_stmts; i++)
        read_statement(reading, tree->stmts[i]);
    read_asides(reading, SIZE_MAX);
    read_runs(reading, SIZE_MAX);
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

/* Where the grammar gave up. It counts characters, of the copy. */
static size_t place_of(const struct reading *reading, const PgQueryError *error)
{
    const struct section *range = reading->range;
    size_t characters = error->cursorpos > 0 ? (size_t)error->cursorpos - 1 : 0;
    struct text copy = {.bytes = reading->copy};
    size_t offset = range->start + text_advance(&copy, 0, characters, range->end - range->start);

    return strstr(error->message, "at end of input") != NULL ? last_token(reading->reader, range, offset)
                                                             : offset;
}

static bool may_be_newer(const struct reader *reader, const struct section *section, size_t offset)
{
    size_t start, end;

    return unparsed_find(reader, offset, section->start, section->end, &start, &end)
           && unparsed_is_newer(reader, start, end) && !unparsed_is_forbidden(reader, start, end);
}

static void report_error(const struct reading *reading, const PgQueryError *error)
{
    struct reader *reader = reading->reader;
    const struct section *section = reading->range;
    size_t offset = place_of(reading, error);
    const struct token *copy = find_copy(reader, section->start, offset);
    char *message = reader_quote(error->message, strlen(error->message));

    if (copy != NULL)
        reader_report(reader, RULE_CLIENT_COPY, copy->start, NULL,
                      "COPY from STDIN needs a client that sends rows");
    else if (is_exhausted(error->message))
        reader_report(reader, RULE_UNREADABLE, offset, NULL,
                      "the statement is nested too deeply, or is too large, to be read");
    else
        reader_report(reader, may_be_newer(reader, section, offset) ? RULE_UNPARSED : RULE_SYNTAX_ERROR,
                      offset, NULL, "%s", message);
    free(message);
    for (size_t i = allowance_at(reader, section->start);
         i < reader->allowance_count && reader->allowances[i].offset < section->end; i++)
        reader->allowances[i].state = ALLOWANCE_USED;
}

/* True if nothing but comments stands between an `allow unparsed` and the statement. */
static bool is_allowed(const struct reader *reader, const struct section *section, size_t start)
{
    size_t before = reader_token_at(reader, start);

    while (before > 0 && reader_is_comment(&reader->tokens[before - 1]))
        before--;
    for (size_t i = allowance_at(reader, section->start);
         i < reader->allowance_count && reader->allowances[i].offset < start; i++)
        if (reader->allowances[i].rule == RULE_UNPARSED
            && reader->allowances[i].offset >= reader->tokens[before].start)
            return true;
    return false;
}

/* Takes the statement that cannot be parsed out of the copy, if its author vouches for it. Where there are no
 * sections nobody could say where it belongs. */
static bool set_aside(struct reading *reading, const PgQueryError *error)
{
    const struct reader *reader = reading->reader;
    const struct section *range = reading->range;
    size_t start, end;

    if (reading->take != take_as_written || is_exhausted(error->message)
        || reading->aside_count == ASIDES_MAX
        || !unparsed_find(reader, place_of(reading, error), range->start, range->end, &start, &end)
        || reading->copy[start - range->start] == ' ' || !is_allowed(reader, range, start)
        || unparsed_is_forbidden(reader, start, end))
        return false;
    memset(reading->copy + (start - range->start), ' ', end - start);
    reading->asides =
        allocate_one_more(reading->asides, reading->aside_count, sizeof(*reading->asides));
    reading->asides[reading->aside_count++] = (struct aside){start, end};
    return true;
}

static int compare_asides(const void *left, const void *right)
{
    const struct aside *a = left, *b = right;

    return a->start < b->start ? -1 : a->start > b->start;
}

static void read_range(struct reader *reader, enum plan_section section, const struct section *range,
                       reader_take *take)
{
    struct reading reading = {
        .reader = reader, .section = section, .range = range, .take = take, .from = range->start};
    PgQueryProtobufParseResult result;

    while (reading.next_run < reader->run_count && reader->runs[reading.next_run].offset < range->start)
        reading.next_run++;
    reading.copy = allocate_copy(reader->text.bytes + range->start, range->end - range->start);
    result = pg_query_parse_protobuf(reading.copy);
    judge_begin_transaction(reader);
    while (result.error != NULL && set_aside(&reading, result.error)) {
        pg_query_free_protobuf_parse_result(result);
        result = pg_query_parse_protobuf(reading.copy);
    }
    if (reading.aside_count > 1)
        qsort(reading.asides, reading.aside_count, sizeof(*reading.asides), compare_asides);
    if (result.error == NULL)
        read_tree(&reading, &result.parse_tree);
    else
        report_error(&reading, result.error);
    pg_query_free_protobuf_parse_result(result);
    free(reading.asides);
    free(reading.copy);
}

void reader_read_section(struct reader *reader, enum plan_section section)
{
    read_range(reader, section, &reader->sections[section], take_as_written);
}

void reader_read_whole(struct reader *reader, reader_take *take)
{
    read_range(reader, PLAN_EXPAND, &(struct section){.atomic = true, .end = reader->text.length}, take);
}
