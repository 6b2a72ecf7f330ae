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

static bool refers_to_itself(const struct coexist *pair, const struct catalog_constraint *constraint)
{
    char *statement;
    bool refers;

    if (strcmp(constraint->kind, "foreign key") != 0 || constraint->incoming)
        return false;
    statement = allocate_text("ALTER TABLE t ADD CONSTRAINT c %s", constraint->definition);
    refers = redefine_refers_to(statement, pair->old_name);
    free(statement);
    if (refers) {
        char *own = emit_qualified(pair->table->schema, pair->table->name),
            *short_own = emit_name(pair->table->name);

        refers = strcmp(constraint->foreign_table, own) == 0 || strcmp(constraint->foreign_table,
                                                            short_own) == 0;
        free(own);
        free(short_own);
    }
    return refers;
}

static const char *blocking_constraint(const struct coexist *pair)
{
    for (size_t i = 0; i < pair->table->constraint_count; i++) {
        const struct catalog_constraint *constraint = &pair->table->constraints[i];

        if (refers_to_itself(pair, constraint))
            return constraint->name;
        if (!coexist_concerns(constraint->columns, constraint->column_count, pair->old->number))
            continue;
        if (constraint->incoming || strcmp(constraint->kind, "exclude") == 0)
            return constraint->name;
    }
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
    if (*pair->old->identity != '\0')
        return "the column is an identity: its numbers cannot come from two columns";
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

/* Carried, or somebody else's finding. */
static bool is_harmless(const struct catalog_table *table, const struct catalog_dependent *dependent)
{
    if (strcmp(dependent->kind, "statistics") == 0)
        return true;
    return strcmp(dependent->kind, "function") == 0 && !dependent->blocks
           && !is_trigger_function(table, dependent->name);
}

bool coexist_is_free(const struct place *place, const struct catalog_table *table,
                     const struct catalog_column *column)
{
    bool fine = true;

    for (size_t i = 0; i < table->dependent_count; i++) {
        const struct catalog_dependent *dependent = &table->dependents[i];

        if (dependent->column != column->number)
            continue;
        if (strcmp(dependent->kind, "function") == 0 && is_harmless(table, dependent)) {
            statement_report(place->statement, RULE_MENTIONED_COLUMN, dependent->name,
                             "the function %s mentions '%s', which goes with the contract", dependent->name,
                             column->name);
        } else if (!is_harmless(table, dependent)) {
            statement_report(place->statement, RULE_COLUMN_IN_USE, dependent->name,
                             "the %s %s hangs on the column '%s'", dependent->kind, dependent->name,
                             column->name);
            fine = fine && form_is_allowed(place, RULE_COLUMN_IN_USE);
        }
    }
    return fine;
}

bool coexist_check(const struct coexist *pair)
{
    const char *why = obstacle(pair), *constraint = blocking_constraint(pair);

    if (why == NULL && constraint == NULL)
        return coexist_is_free(pair->place, pair->table, pair->old);
    pair->place->section = PLAN_CONTRACT;
    if (why != NULL)
        form_refuse(pair->place, RULE_ONE_SHAPE_ONLY, "old and new column cannot be kept in step: %s", why);
    else
        form_refuse(pair->place, RULE_ONE_SHAPE_ONLY,
                    "old and new column cannot be kept in step: the constraint '%s' cannot be on both",
                    constraint);
    return false;
}
