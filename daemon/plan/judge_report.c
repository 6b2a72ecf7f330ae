/* What a finding about an operation says: the names of the statement in the words of the rule. */
#include "judge.h"

#include "allocate.h"
#include "emit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "2,000,000 rows, 310 MB"; "" where the catalog has not been asked or nobody has counted. Owned by the
 * caller. */
static char *describe_size(const struct operation *operation)
{
    static const struct {
        int64_t unit;
        const char *name;
    } units[] = {{INT64_C(1) << 30, "GB"}, {INT64_C(1) << 20, "MB"}, {INT64_C(1) << 10, "kB"}, {1, "bytes"}};
    const struct catalog_table *known = operation->known;
    size_t unit = 0;

    if (known == NULL || known->rows < 0)
        return allocate_text("%s", "");
    while (units[unit].unit > 1 && known->bytes < units[unit].unit)
        unit++;
    return allocate_text(" (about %lld rows, %lld %s)", (long long)known->rows,
                         (long long)(known->bytes / units[unit].unit), units[unit].name);
}

static char *quote(const char *schema, const char *name)
{
    return name == NULL ? allocate_text("…") : emit_qualified(schema, name);
}

static char *name_of(const struct operation *operation, const char *placeholder)
{
    if (strcmp(placeholder, "table") == 0)
        return quote(operation->schema, operation->table);
    if (strcmp(placeholder, "other") == 0)
        return quote(operation->other_schema, operation->other_table);
    if (strcmp(placeholder, "size") == 0)
        return describe_size(operation);
    return quote(NULL, strcmp(placeholder, "column") == 0 ? operation->column : operation->object);
}

/* The placeholder that begins here, or NULL. */
static const char *placeholder_at(const char *template)
{
    static const char *const placeholders[] = {"table", "column", "name", "other", "size"};

    for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++) {
        size_t length = strlen(placeholders[i]);

        if (*template == '{' && strncmp(template + 1, placeholders[i], length) == 0
            && template[1 + length] == '}')
            return placeholders[i];
    }
    return NULL;
}

/* The template with the names put in. Owned by the caller. */
static char *fill(const struct operation *operation, const char *template)
{
    char *text = allocate_text("%s", "");

    while (*template != '\0') {
        const char *placeholder = placeholder_at(template);
        size_t plain = placeholder == NULL ? 1 + strcspn(template + 1, "{") : 0;
        char *name = placeholder == NULL ? allocate_copy(template, plain) : name_of(operation, placeholder);
        char *longer = allocate_text("%s%s", text, name);

        free(name);
        free(text);
        text = longer;
        template += placeholder == NULL ? plain : strlen(placeholder) + 2;
    }
    return text;
}

/* Rules about how long a lock is held: when the application is shut out in a contract, it was the author's
 * decision; before, nobody has agreed to it. */
static bool is_about_locks(enum plan_rule_id rule)
{
    return rule >= RULE_INDEX_NOT_CONCURRENT && rule <= RULE_LONG_UNDER_LOCK;
}

void judge_report(struct statement *statement, const struct operation *operation, enum plan_rule_id rule,
                  const char *message)
{
    bool late = statement->section == PLAN_CONTRACT || statement->section == PLAN_UNDO;
    char *object = operation_object(operation), *filled = fill(operation, message);
    struct plan_finding *finding =
        statement_report_at(statement, rule, operation->start, *object == '\0' ? NULL : object, filled);

    if (finding != NULL) {
        free(finding->fix);
        finding->fix = fill(operation, plan_rules[rule].fix);
        if (late && is_about_locks(rule))
            finding->severity = PLAN_WARNING;
    }
    free(filled);
    free(object);
}
