/* Findings that only the database's catalog can give. Without its facts nothing is said here. */
#include "judge.h"

#include "allocate.h"

#include <stdlib.h>
#include <string.h>

enum { NAMED_DEPENDENTS = 5 };

static void judge_index(struct statement *statement, const struct operation *operation)
{
    const struct catalog *catalog = statement->reader->options.catalog;
    const char *schema = operation->known == NULL ? operation->schema : operation->known->schema;

    if (operation->object != NULL && catalog_find(catalog, schema, operation->object) != NULL)
        judge_report(statement, operation, RULE_INDEX_EXISTS, "there is a {name} already");
}

static void judge_published(struct statement *statement, const struct operation *operation)
{
    if (operation->known != NULL && operation->known->published)
        judge_report(statement, operation, RULE_PUBLISHED_TABLE, "{table}{size} is published");
}

/* True if the statements so far have dropped it. Dependents are printed with schema and arguments, what is
 * dropped is known by its name. */
static bool is_dropped(const struct statement *statement, const struct catalog_dependent *dependent)
{
    const char *dot = memrchr(dependent->name, '.', strcspn(dependent->name, "("));
    const char *start = dot == NULL ? dependent->name : dot + 1;
    size_t length;
    bool dropped;
    char *name;

    start += *start == '"';
    length = strcspn(start, "\"( ");
    name = allocate_copy(start, length);
    dropped = created_has(&statement->reader->created[statement->section], CREATED_DROPPED, NULL, name, NULL);
    free(name);
    return dropped;
}

static void note_dropped(struct statement *statement, const struct operation *operation)
{
    created_add(&statement->reader->created[statement->section], CREATED_DROPPED, NULL,
                operation->object == NULL ? operation->table : operation->object, NULL, NULL);
}

static bool is_kind(const struct catalog_dependent *dependent, const char *const *kinds)
{
    for (; *kinds != NULL; kinds++)
        if (strcmp(dependent->kind, *kinds) == 0)
            return true;
    return false;
}

/* "view public.recent, function price(integer)": those of the kinds that hang on the column; 0: on whatever.
 * NULL where there are none. Owned by the caller. */
static char *list_dependents(const struct statement *statement, const struct catalog_table *known,
                             const char *const *kinds, int column)
{
    char *list = NULL;
    size_t count = 0;

    for (size_t i = 0; i < known->dependent_count; i++) {
        const struct catalog_dependent *dependent = &known->dependents[i];
        char *longer;

        if (!is_kind(dependent, kinds) || (column != 0 && dependent->column != column)
            || is_dropped(statement, dependent) || ++count > NAMED_DEPENDENTS)
            continue;
        longer = allocate_text("%s%s%s %s", list == NULL ? "" : list, list == NULL ? "" : ", ",
                               dependent->kind, dependent->name);
        free(list);
        list = longer;
    }
    if (count > NAMED_DEPENDENTS) {
        char *longer = allocate_text("%s and %zu more", list, count - NAMED_DEPENDENTS);

        free(list);
        list = longer;
    }
    return list;
}

/* Takes the list. */
static void report_list(struct statement *statement, const struct operation *operation,
                        enum plan_rule_id rule, const char *introduction, char *list)
{
    char *message;

    if (list == NULL)
        return;
    message = allocate_text("%s: %s", introduction, list);
    judge_report(statement, operation, rule, message);
    free(message);
    free(list);
}

static void judge_column_dependents(struct statement *statement, const struct operation *operation)
{
    static const char *const kinds[] = {"view",   "materialized view", "function", "trigger",
                                        "policy", "rule",              "generated column", NULL};
    const struct catalog_column *column;

    if (operation->known == NULL || operation->column == NULL)
        return;
    /* Where old and new column are side by side, each of them is carried or refused (coexist_check.c). */
    if (statement->reader->split != NULL && operation->kind == OP_COLUMN_TYPE
        && operation->class != CLASS_ADDITIVE)
        return;
    column = catalog_column(operation->known, operation->column);
    if (column != NULL)
        report_list(statement, operation, RULE_DEPENDENTS, "{column} of {table} is used by",
                    list_dependents(statement, operation->known, kinds, column->number));
}

static void judge_table_dependents(struct statement *statement, const struct operation *operation)
{
    static const char *const kinds[] = {"view", "materialized view", "function", NULL};

    if (operation->known != NULL)
        report_list(statement, operation, RULE_DEPENDENTS, "{table}{size} is used by",
                    list_dependents(statement, operation->known, kinds, 0));
}

/* New code does not know the column: until the contract drops it, it has to be able to leave it out. */
static void judge_required(struct statement *statement, const struct operation *operation)
{
    const struct catalog_column *column;

    if (operation->known == NULL || statement->section != PLAN_CONTRACT)
        return;
    column = catalog_column(operation->known, operation->column);
    if (column == NULL || !column->not_null || column->generated || column->default_text != NULL
        || *column->identity != '\0'
        || created_has(&statement->reader->created[PLAN_EXPAND], CREATED_RELAXED, operation->schema,
                       operation->table, operation->column)
        || created_has(&statement->reader->created[PLAN_EXPAND], CREATED_FILLER, operation->schema,
                       operation->table, NULL))
        return;
    judge_report(statement, operation, RULE_STILL_REQUIRED,
                 "until here, every INSERT into {table} has to give {column}");
}

static void note_relaxed(struct statement *statement, const struct operation *operation)
{
    if (statement->section == PLAN_EXPAND)
        created_add(&statement->reader->created[PLAN_EXPAND], CREATED_RELAXED, operation->schema,
                    operation->table, operation->column, NULL);
}

static void note_filler(struct statement *statement, const struct operation *operation)
{
    created_add(&statement->reader->created[statement->section], CREATED_FILLER, operation->schema,
                operation->table, NULL, NULL);
}

static void judge_views(struct statement *statement, const struct operation *operation)
{
    static const char *const kinds[] = {"view", "materialized view", NULL};

    if (operation->known != NULL)
        report_list(statement, operation, RULE_STILL_REACHABLE, "{table} can still be read through",
                    list_dependents(statement, operation->known, kinds, 0));
}

static const struct {
    enum operation_kind kind;
    void (*judge)(struct statement *statement, const struct operation *operation);
} rows[] = {
    {OP_CREATE_INDEX, judge_index},
    {OP_ADD_COLUMN, judge_published},
    {OP_RENAME_COLUMN, judge_published}, /* in a step, or beside the old one */
    {OP_COLUMN_TYPE, judge_published},
    {OP_DROP_COLUMN, judge_column_dependents},
    {OP_DROP_COLUMN, judge_required},
    {OP_COLUMN_TYPE, judge_column_dependents},
    {OP_DROP_TABLE, judge_table_dependents},
    {OP_DROP_VIEW, judge_table_dependents},
    {OP_DROP_NOT_NULL, note_relaxed},
    {OP_SET_DEFAULT, note_relaxed},
    {OP_REVOKE, judge_views},
    {OP_CREATE_TRIGGER, note_filler},
    {OP_DROP_VIEW, note_dropped},
    {OP_DROP_TRIGGER, note_dropped},
    {OP_DROP_FUNCTION, note_dropped},
    {OP_DROP_POLICY, note_dropped},
    {OP_DROP_RULE, note_dropped},
};

/* Rights, rows and settings are not what DDL event triggers and extensions are about. */
static bool is_ddl(const struct operation *operation)
{
    return operation->kind < OP_GRANT;
}

static void judge_extension(struct statement *statement, const struct operation *operation)
{
    static const char *const kinds[] = {"extension", NULL};

    if (operation->known != NULL && is_ddl(operation))
        report_list(statement, operation, RULE_EXTENSION_OWNED, "{table} belongs to",
                    list_dependents(statement, operation->known, kinds, 0));
}

static void judge_event_triggers(struct statement *statement, const struct operation *operation)
{
    struct reader *reader = statement->reader;

    if (reader->options.catalog == NULL || !reader->options.catalog->event_triggers || !is_ddl(operation)
        || reader->event_trigger_said)
        return;
    reader->event_trigger_said = true;
    judge_report(statement, operation, RULE_EVENT_TRIGGER, "an event trigger watches this database");
}

void judge_facts(struct statement *statement, const struct operation *operation)
{
    judge_event_triggers(statement, operation);
    judge_extension(statement, operation);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].kind == operation->kind)
            rows[i].judge(statement, operation);
}
