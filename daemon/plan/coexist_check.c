/* What hangs on a column. Triggers see the row before the columns are in step, views and the like would keep
 * the old column from being dropped: their author says what becomes of them. */
#include "coexist.h"

#include "allocate.h"

#include <stdlib.h>
#include <string.h>

bool coexist_concerns(const int *columns, size_t count, int number)
{
    for (size_t i = 0; i < count; i++)
        if (columns[i] == number)
            return true;
    return false;
}

/* ---- what cannot be at all ---- */

bool coexist_is_table(const struct catalog_table *table, const char *name)
{
    char *qualified = emit_qualified(table->schema, table->name), *alone = emit_name(table->name);
    bool same = strcmp(name, qualified) == 0 || (table->on_path && strcmp(name, alone) == 0);

    free(qualified);
    free(alone);
    return same;
}

bool coexist_refers(const struct coexist *pair, const struct catalog_constraint *constraint)
{
    char *statement;
    bool refers;

    if (strcmp(constraint->kind, "foreign key") != 0)
        return false;
    if (constraint->incoming)
        return coexist_concerns(constraint->columns, constraint->column_count, pair->old->number);
    if (!coexist_is_table(pair->table, constraint->foreign_table))
        return false;
    statement = allocate_text("ALTER TABLE t ADD CONSTRAINT c %s", constraint->definition);
    refers = redefine_refers_to(statement, pair->old_name);
    free(statement);
    return refers;
}

/* Why a constraint cannot be on both columns; NULL: it can. */
static const char *constraint_obstacle(const struct coexist *pair,
                                       const struct catalog_constraint *constraint)
{
    if (coexist_refers(pair, constraint) && constraint->partitioned)
        return "PostgreSQL adds no foreign key to a partitioned table without a scan under its lock";
    if (!constraint->incoming && strcmp(constraint->kind, "exclude") == 0
        && coexist_concerns(constraint->columns, constraint->column_count, pair->old->number))
        return "PostgreSQL builds what EXCLUDE needs under a lock against all writers only";
    return NULL;
}

static bool has_index(const struct coexist *pair)
{
    for (size_t i = 0; i < pair->table->index_count; i++)
        if (coexist_concerns(pair->table->indexes[i].columns, pair->table->indexes[i].column_count,
                             pair->old->number))
            return true;
    return false;
}

static bool has_foreign_key(const struct coexist *pair)
{
    for (size_t i = 0; i < pair->table->constraint_count; i++)
        if (strcmp(pair->table->constraints[i].kind, "foreign key") == 0
            && coexist_concerns(pair->table->constraints[i].columns,
                                pair->table->constraints[i].column_count,
                                pair->old->number))
            return true;
    return false;
}

static bool has_children(const struct catalog_table *table)
{
    for (size_t i = 0; i < table->dependent_count; i++)
        if (strcmp(table->dependents[i].kind, "child table") == 0)
            return true;
    return false;
}

const char *coexist_obstacle(const struct catalog_table *table)
{
    if (strcmp(table->kind, "partitioned table") != 0 && strcmp(table->kind, "table") != 0)
        return "it is no table";
    if (table->of_table != NULL)
        return "it is a partition: change the table that it belongs to";
    if (has_children(table))
        return "other tables inherit from it, and triggers do not go to them";
    return NULL;
}

/* Why there cannot be two columns; NULL: there can. */
static const char *obstacle(const struct coexist *pair)
{
    bool partitioned = strcmp(pair->table->kind, "partitioned table") == 0;
    const char *why = coexist_obstacle(pair->table);

    if (why != NULL)
        return why;
    if (pair->old->generated)
        return "the column is generated";
    if (pair->old->unproved != NULL)
        return "its NOT NULL is NOT VALID: validate that constraint in a migration before this one";
    if (*pair->old->identity != '\0' && pair->place->statement->reader->plan->keep_hours > 0)
        return "the column is an identity, which cannot be hidden: say keep_hours=0";
    if (*pair->old->identity != '\0' && !pair->whole)
        return "an identity is smallint, integer or bigint";
    if (catalog_column(pair->table, pair->new_name) != NULL)
        return "the table has a column of the new name";
    if (partitioned && pair->old->partition_key)
        return "the rows are spread over the partitions by it";
    if (partitioned && (has_index(pair) || has_foreign_key(pair)))
        return "the table is partitioned, and the column has an index or a foreign key";
    return NULL;
}

/* ---- what somebody has to look at ---- */

/* A function that a trigger of the table calls. */
static bool is_trigger_function(const struct catalog_table *table, const char *name)
{
    size_t length = strcspn(name, "(");

    for (size_t i = 0; i < table->dependent_count; i++) {
        const char *call = strcmp(table->dependents[i].kind, "trigger") == 0
                               ? strstr(table->dependents[i].definition, "EXECUTE FUNCTION ")
                               : NULL;
        const char *end = call == NULL ? NULL : strrchr(call, '(');

        if (end != NULL && (size_t)(end - call) >= length && strncmp(end - length, name, length) == 0)
            return true;
    }
    return false;
}

/* Carried, or somebody else's finding. What a trigger's function says of a column that keeps its name until
 * the contract goes on being true. */
static bool is_harmless(const struct catalog_table *table, const struct catalog_dependent *dependent,
                        const struct coexist *pair)
{
    bool follows = pair != NULL && pair->down == NULL && !pair->written;

    if (strcmp(dependent->kind, "statistics") == 0 || (pair != NULL && coexist_carries(pair, dependent)))
        return true;
    return strcmp(dependent->kind, "function") == 0 && !dependent->blocks
           && (follows || !is_trigger_function(table, dependent->name));
}

/* Why it is not carried, by its kind. */
static const struct {
    const char *kind, *why;
} reasons[] = {
    {"view", "its text has sub-selects or the like, or the type of what it shows would change"},
    {"materialized view", "it would have to be filled anew"},
    {"policy", "it asks other rows, or what it says of the old values may not hold of the new ones"},
    {"trigger", "it names the column, and what changes the other one would pass it by"},
    {"function", "it would be called before both columns are in step, or names the column in its body"},
    {"generated column", "its expression would change, which writes the table anew where it is stored"},
    {"rule", "its actions may name any column"},
    {"publication", "its subscribers need the new column before its list of columns has it"},
};

static const char *reason_of(const struct catalog_dependent *dependent)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (strcmp(reasons[i].kind, dependent->kind) == 0)
            return reasons[i].why;
    return "nothing is known about it";
}

/* `pair`: what carries some of it; NULL: nothing does. */
static bool look_at_dependents(const struct place *place, const struct catalog_table *table,
                               const struct catalog_column *column, const struct coexist *pair)
{
    bool fine = true, takes_name = pair != NULL && pair->takes_old_name;

    for (size_t i = 0; i < table->dependent_count; i++) {
        const struct catalog_dependent *dependent = &table->dependents[i];

        if (dependent->column != column->number)
            continue;
        if (!is_harmless(table, dependent, pair)) {
            statement_report(place->statement, RULE_COLUMN_IN_USE, dependent->name,
                             "the %s %s hangs on the column '%s': %s", dependent->kind, dependent->name,
                             column->name, reason_of(dependent));
            fine = fine && form_is_allowed(place, RULE_COLUMN_IN_USE);
        } else if (strcmp(dependent->kind, "function") == 0) {
            statement_report(place->statement, RULE_MENTIONED_COLUMN, dependent->name,
                             takes_name ? "the function %s mentions '%s', which has another type from the "
                                          "contract on"
                                        : "the function %s mentions '%s', which goes with the contract",
                             dependent->name, column->name);
        }
    }
    return fine;
}

bool coexist_is_free(const struct place *place, const struct catalog_table *table,
                     const struct catalog_column *column)
{
    return look_at_dependents(place, table, column, NULL);
}

bool coexist_check(const struct coexist *pair)
{
    const struct catalog_table *table = pair->table;
    const char *why = obstacle(pair), *constraint = NULL;

    for (size_t i = 0; why == NULL && i < table->constraint_count; i++) {
        why = constraint_obstacle(pair, &table->constraints[i]);
        constraint = table->constraints[i].name;
    }
    if (why == NULL)
        return look_at_dependents(pair->place, table, pair->old, pair);
    pair->place->section = PLAN_CONTRACT;
    if (constraint == NULL)
        form_refuse(pair->place, RULE_ONE_SHAPE_ONLY, "old and new column cannot be kept in step: %s", why);
    else
        form_refuse(pair->place, RULE_ONE_SHAPE_ONLY,
                    "old and new column cannot be kept in step: the constraint '%s' cannot be on both: %s",
                    constraint, why);
    return false;
}
