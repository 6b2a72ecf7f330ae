/* Numbers and transactions exist once, here: for statements as they stand and for generated ones. */
#include "emit.h"

#include "allocate.h"
#include "tree.h"

#include <pg_query.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* What is kept about a statement of the plan until all are there. */
struct emitted {
    enum emit_alone alone;
    long order;      /* in its section */
    size_t settings; /* so many of the emission's hold for it */
    struct plan_statement statement;
};

struct emission {
    struct emitted *items;
    size_t count;
    long added;
    struct plan_statement *settings; /* owned */
    size_t setting_count;
    bool one_table; /* a transaction locks one existing table against writers, not more */
};

static struct emission *emission_of(struct reader *reader)
{
    if (reader->emission == NULL) {
        reader->emission = allocate(NULL, 1, sizeof(*reader->emission));
        *reader->emission = (struct emission){0};
    }
    return reader->emission;
}

/* ---- adding ---- */

static struct plan_statement statement_at(struct statement *source, char *sql, bool generated)
{
    struct text_place place = text_locate(&source->reader->text, source->start);

    return (struct plan_statement){
        .line = place.line,
        .column = place.column,
        .sql = sql,
        .work = {.source = source->number, .generated = generated},
    };
}

static char *text_of(const struct statement *source)
{
    return allocate_copy(source->reader->text.bytes + source->start, source->end - source->start);
}

static struct emitted *add(struct statement *source, enum plan_section section, enum emit_alone alone,
                           char *sql, bool generated)
{
    struct emission *emission = emission_of(source->reader);
    struct emitted *added;

    emission->items = allocate_one_more(emission->items, emission->count, sizeof(*added));
    added = &emission->items[emission->count++];
    *added = (struct emitted){
        .alone = alone,
        .order = ++emission->added,
        .settings = emission->setting_count,
        .statement = statement_at(source, sql, generated),
    };
    added->statement.section = section;
    added->statement.transactional = alone != EMIT_OUTSIDE;
    return added;
}

/* What is generated is read again: how it runs, and what it locks, is told from its text as it is for any
 * other. */
static void read_back(struct statement *source, struct emitted *added)
{
    char *refusal;
    PgQuery__ParseResult *tree = tree_parse_or_say(added->statement.sql, &refusal);

    if (tree == NULL || tree->n_stmts != 1) {
        statement_report(source, RULE_NO_SAFE_FORM, NULL, "its safe form cannot be written down: %s",
                         refusal == NULL ? "it is not one statement" : refusal);
    } else {
        statement_work(source->reader->options.catalog, tree->stmts[0]->stmt, &added->statement.work);
        if (!statement_is_transactional(tree->stmts[0]->stmt))
            added->alone = EMIT_OUTSIDE;
        added->statement.transactional = added->alone != EMIT_OUTSIDE;
    }
    pg_query__parse_result__free_unpacked(tree, NULL);
    free(refusal);
}

struct plan_statement *emit_v(struct statement *source, enum plan_section section, enum emit_alone alone,
                              const char *format, va_list arguments)
{
    struct emitted *added = add(source, section, alone, allocate_text_v(format, arguments), true);

    read_back(source, added);
    return &added->statement;
}

struct plan_statement *emit(struct statement *source, enum plan_section section, enum emit_alone alone,
                            const char *format, ...)
{
    struct plan_statement *added;
    va_list arguments;

    va_start(arguments, format);
    added = emit_v(source, section, alone, format, arguments);
    va_end(arguments);
    return added;
}

struct plan_statement *emit_as_written(struct statement *source, enum plan_section section,
                                       enum emit_alone alone)
{
    struct emitted *added = add(source, section, alone, text_of(source), false);

    if (source->node == NULL) /* its author has vouched for what cannot be read */
        added->statement.work.cost.effort = EFFORT_UNKNOWN;
    else
        statement_work(source->reader->options.catalog, source->node, &added->statement.work);
    return &added->statement;
}

/* It is a word that PostgreSQL would refuse, if ever it came to be sent there. */
void emit_run(struct statement *source, const char *name, const char *argument)
{
    char *text = allocate_text("run %s%s%s", name, argument == NULL ? "" : " argument=",
                               argument == NULL ? "" : argument);
    struct emitted *added = add(source, source->section, EMIT_OUTSIDE, text, false);

    added->statement.work.kind = WORK_RUNNER;
    added->statement.work.object = allocate_text("%s", name);
}

struct plan_statement *emit_undo(struct statement *source, enum emit_alone alone, const char *format, ...)
{
    struct plan_statement *added;
    va_list arguments;

    va_start(arguments, format);
    added = emit_v(source, PLAN_UNDO, alone, format, arguments);
    va_end(arguments);
    source->reader->emission->items[source->reader->emission->count - 1].order *= -1;
    return added;
}

void emit_setting(struct statement *source)
{
    struct emission *emission = emission_of(source->reader);

    emission->settings =
        allocate_one_more(emission->settings, emission->setting_count, sizeof(*emission->settings));
    emission->settings[emission->setting_count] = statement_at(source, text_of(source), false);
    emission->settings[emission->setting_count++].transactional = true;
}

bool emit_has_settings(const struct reader *reader)
{
    return reader->emission != NULL && reader->emission->setting_count > 0;
}

void emit_forget(struct reader *reader, enum plan_section section)
{
    struct emission *emission = emission_of(reader);
    size_t kept = 0;

    for (size_t i = 0; i < emission->count; i++) {
        struct emitted *item = &emission->items[i];

        if (item->statement.section != section) {
            emission->items[kept++] = *item;
            continue;
        }
        free(item->statement.sql);
        plan_work_release(&item->statement.work);
    }
    emission->count = kept;
}

void emit_one_table_each(struct reader *reader)
{
    emission_of(reader)->one_table = true;
}

/* ---- numbering and grouping ---- */

static int compare_order(const void *left, const void *right)
{
    const struct emitted *a = left, *b = right;

    if (a->statement.section != b->statement.section)
        return a->statement.section < b->statement.section ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* The transaction that is being filled. */
struct group {
    const struct emitted *last; /* NULL: none */
    const char *table;          /* that it locks against writers, or NULL */
};

/* Notes the tables that the statement locks against writers. False if the group had another one. */
static bool note_tables(struct group *group, const struct plan_work *work)
{
    bool fits = true;

    for (size_t i = 0; i < work->lock_count; i++) {
        if (work->locks[i].mode < LOCK_SHARE)
            continue;
        if (group->table == NULL)
            group->table = work->locks[i].relation;
        else if (strcmp(group->table, work->locks[i].relation) != 0)
            fits = false;
    }
    return fits;
}

/* The sections that the planner adds have no marker that could say otherwise. */
static bool is_atomic(const struct reader *reader, enum plan_section section)
{
    return section >= PLAN_WRITTEN_SECTIONS || reader->emission->one_table
           || reader->sections[section].atomic;
}

static bool joins(const struct reader *reader, struct group *group, const struct emitted *item)
{
    const struct emitted *last = group->last;

    if (last == NULL || last->statement.section != item->statement.section
        || !is_atomic(reader, item->statement.section) || last->alone > EMIT_BEGINS
        || item->alone > EMIT_WITH)
        return false;
    return !reader->emission->one_table || note_tables(group, &item->statement.work)
           || item->alone == EMIT_WITH;
}

static void append(struct plan *plan, const struct plan_statement *statement, bool shared)
{
    const struct plan_statement *before =
        plan->statement_count == 0 ? NULL : &plan->statements[plan->statement_count - 1];
    struct plan_statement *added;
    unsigned number = 1, transaction = 1;

    if (before != NULL && before->section == statement->section) {
        number = before->number + 1;
        transaction = before->transaction + (shared ? 0 : 1);
    }
    plan->statements =
        allocate_one_more(plan->statements, plan->statement_count, sizeof(*plan->statements));
    added = &plan->statements[plan->statement_count++];
    *added = *statement;
    added->number = number;
    added->transaction = transaction;
    if (statement->section < PLAN_WRITTEN_SECTIONS)
        plan->has_section[statement->section] = true;
}

/* A step ends with the session's settings reset, so each transaction begins with those that were in force.
 * They are said again where others have come since. True if there were any. */
static bool append_settings(struct reader *reader, const struct emitted *item, size_t from, bool shared)
{
    struct emission *emission = reader->emission;

    for (size_t i = from; i < item->settings; i++) {
        struct plan_statement setting = emission->settings[i];

        setting.section = item->statement.section;
        setting.sql = allocate_text("%s", setting.sql);
        setting.work.note = allocate_text("It holds for the statements behind it in this transaction.");
        append(reader->plan, &setting, shared || i > from);
    }
    return item->settings > from;
}

static void group_statements(struct reader *reader)
{
    struct emission *emission = reader->emission;
    struct group group = {0};

    for (size_t i = 0; i < emission->count; i++) {
        const struct emitted *item = &emission->items[i];
        bool shared = joins(reader, &group, item);
        size_t settings = shared ? group.last->settings : 0;

        if (!shared) {
            group = (struct group){0};
            note_tables(&group, &item->statement.work);
        }
        if (item->alone != EMIT_OUTSIDE)
            shared = append_settings(reader, item, settings, shared) || shared;
        append(reader->plan, &item->statement, shared);
        group.last = item;
    }
}

void emit_finish(struct reader *reader)
{
    struct emission *emission = reader->emission;

    if (emission == NULL)
        return;
    if (emission->count > 1)
        qsort(emission->items, emission->count, sizeof(*emission->items), compare_order);
    group_statements(reader);
    for (size_t i = 0; i < emission->setting_count; i++)
        free(emission->settings[i].sql);
    free(emission->settings);
    free(emission->items);
    free(emission);
    reader->emission = NULL;
}

/* ---- names ---- */

/* As quote_identifier of PostgreSQL: key words need quotes, too, unless they are reserved nowhere. */
static bool needs_no_quotes(const char *name)
{
    PgQueryScanResult result;
    PgQuery__ScanResult *tokens;
    bool plain;

    if (strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789") != strlen(name) || isdigit((unsigned char)*name)
        || *name == '\0')
        return false;
    if (strpbrk(name, "0123456789") != NULL)
        return true; /* no key word has a digit */
    result = pg_query_scan(name);
    tokens = pg_query__scan_result__unpack(NULL, result.pbuf.len, (const uint8_t *)result.pbuf.data);
    plain = result.error == NULL && tokens != NULL && tokens->n_tokens == 1
            && tokens->tokens[0]->keyword_kind <= PG_QUERY__KEYWORD_KIND__UNRESERVED_KEYWORD;
    pg_query__scan_result__free_unpacked(tokens, NULL);
    pg_query_free_scan_result(result);
    return plain;
}

/* The text between two `quote`s; those inside are doubled. */
static char *enclose(const char *text, char quote)
{
    char *quoted = allocate(NULL, 2 * strlen(text) + 3, 1), *to = quoted;

    *to++ = quote;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == quote)
            *to++ = quote;
        *to++ = *at;
    }
    *to++ = quote;
    *to = '\0';
    return quoted;
}

char *emit_name(const char *name)
{
    return needs_no_quotes(name) ? allocate_text("%s", name) : enclose(name, '"');
}

char *emit_qualified(const char *schema, const char *name)
{
    char *quoted = emit_name(name), *quoted_schema, *whole;

    if (schema == NULL || *schema == '\0')
        return quoted;
    quoted_schema = emit_name(schema);
    whole = allocate_text("%s.%s", quoted_schema, quoted);
    free(quoted_schema);
    free(quoted);
    return whole;
}

/* standard_conforming_strings is on in the daemon's sessions: a backslash is a backslash. */
char *emit_string(const char *text)
{
    return enclose(text, '\'');
}
