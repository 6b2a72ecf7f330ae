/* plan_read: the order of the steps, and what every step needs to say what it found. */
#include "allocate.h"
#include "dropped.h"
#include "emit.h"
#include "judge.h"
#include "reader.h"

#include <pg_query/pg_query.pb-c.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { FINDINGS_MAX = 100, QUOTE_MAX = 160 };
static const size_t text_max = (size_t)64 << 20;

struct plan_finding *reader_report(struct reader *reader, enum plan_rule_id rule, size_t offset,
                                   const char *object, const char *format, ...)
{
    struct plan *plan = reader->plan;
    const struct plan_rule *row = &plan_rules[rule];
    struct plan_finding *finding;
    va_list arguments;

    if (plan->finding_count > FINDINGS_MAX)
        return &plan->findings[FINDINGS_MAX];
    if (plan->finding_count == FINDINGS_MAX) {
        row = &plan_rules[RULE_TOO_MANY_FINDINGS];
        format = "there is more to find than the list holds";
        object = NULL;
    }
    plan->findings = allocate_one_more(plan->findings, plan->finding_count, sizeof(*finding));
    finding = &plan->findings[plan->finding_count++];
    *finding = (struct plan_finding){
        .id = row->id,
        .severity = row->severity,
        .why = row->why,
        .fix = allocate_text("%s", row->fix),
        .object = object == NULL ? NULL : allocate_text("%s", object),
    };
    if (offset != READER_WHOLE_FILE) {
        struct text_place place = text_locate(&reader->text, offset);

        finding->line = place.line;
        finding->column = place.column;
    }
    va_start(arguments, format);
    finding->message = allocate_text_v(format, arguments);
    va_end(arguments);
    return finding;
}

char *reader_quote(const char *text, size_t length)
{
    size_t line = 0;

    while (line < length && text[line] != '\n' && text[line] != '\r')
        line++;
    if (line == length && length <= QUOTE_MAX)
        return allocate_copy(text, length);
    if (line > QUOTE_MAX)
        line = QUOTE_MAX;
    while (line > 0 && ((unsigned char)text[line] & 0xC0) == 0x80)
        line--;
    return allocate_text("%.*s…", (int)line, text);
}

size_t reader_token_at(const struct reader *reader, size_t offset)
{
    size_t low = 0, high = reader->token_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (reader->tokens[middle].start < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool open_text(struct reader *reader, const char *sql, size_t length)
{
    enum text_fault fault;

    if (length > text_max) {
        reader_report(reader, RULE_TOO_LARGE, READER_WHOLE_FILE, NULL,
                      "the text has %zu bytes; at most %zu can be read", length, text_max);
        return false;
    }
    fault = text_open(&reader->text, sql, length);
    if (fault == TEXT_HAS_NUL)
        reader_report(reader, RULE_NUL_BYTE, reader->text.length, NULL, "a zero byte stands here");
    if (fault == TEXT_NOT_UTF8)
        reader_report(reader, RULE_NOT_UTF8, reader->text.length, NULL,
                      "the text is not UTF-8 from here on");
    return fault == TEXT_FINE;
}

/* Reports a command of psql and blanks it, so that what follows can be read. */
static void read_backslash(struct reader *reader, size_t at)
{
    size_t start = reader->tokens[at].start, end = text_line_end(&reader->text, start);
    char *command = reader_quote(reader->text.bytes + start, end - start);

    reader_report(reader, RULE_PSQL_COMMAND, start, NULL, "'%s' is a command of psql", command);
    free(command);
    memset(reader->text.bytes + start, ' ', end - start);
    for (; at < reader->token_count && reader->tokens[at].start < end; at++)
        reader->tokens[at].kind = PG_QUERY__TOKEN__C_COMMENT;
}

/* Finds markers, psql's commands, and what stands before the first section. */
static void read_markers(struct reader *reader)
{
    size_t early = READER_WHOLE_FILE; /* the first token outside all sections */

    for (size_t i = 0; i < reader->token_count; i++) {
        const struct token *token = &reader->tokens[i];

        if (token->kind == PG_QUERY__TOKEN__ASCII_92)
            read_backslash(reader, i);
        if (token->kind == PG_QUERY__TOKEN__SQL_COMMENT)
            reader_read_marker(reader, token->start);
        else if (!reader_is_comment(token) && reader->open == NULL && early == READER_WHOLE_FILE)
            early = token->start;
    }
    reader_close_markers(reader);
    if (reader->open != NULL && early != READER_WHOLE_FILE)
        reader_report(reader, RULE_SQL_BEFORE_SECTION, early, NULL,
                      "SQL stands before the first section");
    else if (reader->open == NULL && early == READER_WHOLE_FILE && reader->plan->finding_count == 0)
        reader_report(reader, RULE_EMPTY_FILE, READER_WHOLE_FILE, NULL, "there is no SQL in the file");
}

static void report_unused(struct reader *reader)
{
    for (size_t i = 0; i < reader->allowance_count; i++) {
        struct allowance *allowance = &reader->allowances[i];
        const char *id = plan_rules[allowance->rule].id;

        if (allowance->state == ALLOWANCE_READ)
            reader_report(reader, RULE_MISPLACED_DIRECTIVE, allowance->offset, id,
                          "no statement follows this 'allow' in its section");
        else if (allowance->state == ALLOWANCE_PLACED)
            reader_report(reader, RULE_ALLOW_UNUSED, allowance->offset, id,
                          "the statement that follows does not need this 'allow'");
    }
}

static void report_unused_expressions(struct reader *reader)
{
    for (size_t i = 0; i < reader->using_count; i++)
        if (reader->usings[i].state != ALLOWANCE_USED)
            reader_report(reader, RULE_MISPLACED_DIRECTIVE, reader->usings[i].offset, reader->usings[i].word,
                          reader->usings[i].state == ALLOWANCE_READ
                              ? "no statement follows this '%s'"
                              : "the statement that follows has no use for this '%s'",
                          reader->usings[i].word);
}

static int compare_places(const void *left, const void *right)
{
    const struct plan_finding *a = left, *b = right;

    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    return strcmp(a->id, b->id);
}

/* In the order of the file: so are its statements numbered. */
static void read_sections(struct reader *reader)
{
    size_t behind = 0, next;

    do {
        next = PLAN_WRITTEN_SECTIONS;
        for (size_t i = 0; i < PLAN_WRITTEN_SECTIONS; i++)
            if (reader->plan->has_section[i] && reader->sections[i].start >= behind
                && (next == PLAN_WRITTEN_SECTIONS
                    || reader->sections[i].start < reader->sections[next].start))
                next = i;
        if (next < PLAN_WRITTEN_SECTIONS) {
            behind = reader->sections[next].start + 1;
            reader_read_section(reader, (enum plan_section)next);
        }
    } while (next < PLAN_WRITTEN_SECTIONS);
}

/* The request goes before the file, and the file before the configuration. */
static void settle_keep(struct reader *reader)
{
    struct plan *plan = reader->plan;

    if (reader->options.says_keep)
        plan->keep_hours = reader->options.keep_hours;
    else if (plan->keep_hours < 0)
        plan->keep_hours = reader->options.default_keep_hours;
}

struct plan *plan_read(const char *sql, size_t length, const struct plan_options *options)
{
    struct reader reader = {.plan = allocate(NULL, 1, sizeof(*reader.plan))};
    struct plan *plan = reader.plan;

    if (options != NULL)
        reader.options = *options;
    *plan = (struct plan){.soak_seconds = -1, .keep_hours = -1, .requires = -1};
    if (open_text(&reader, sql, length) && reader_scan(&reader)) {
        read_markers(&reader);
        settle_keep(&reader);
        if (reader.open != NULL)
            read_sections(&reader);
        else
            reader_split(&reader);
        report_unused(&reader);
        report_unused_expressions(&reader);
    }
    emit_finish(&reader);
    reader_hide(&reader);
    plan_note_drops(plan);
    if (plan->finding_count > 1)
        qsort(plan->findings, plan->finding_count, sizeof(*plan->findings), compare_places);
    for (size_t i = 0; i < reader.allowance_count; i++)
        free(reader.allowances[i].reason);
    free(reader.allowances);
    for (size_t i = 0; i < reader.using_count; i++) {
        free(reader.usings[i].up);
        free(reader.usings[i].down);
    }
    free(reader.usings);
    for (size_t i = 0; i < reader.run_count; i++) {
        free(reader.runs[i].name);
        free(reader.runs[i].argument);
    }
    free(reader.runs);
    free(reader.tokens);
    reader_forget_needs(&reader);
    judge_begin_transaction(&reader);
    for (size_t i = 0; i < PLAN_SECTIONS; i++)
        created_clear(&reader.created[i]);
    text_close(&reader.text);
    return plan;
}
