/* What hangs on a column that is replaced, and can be carried exactly.
 *
 *   view     of a column that is renamed: before the contract's transaction it is put on the new column, and
 *            shows it under the old name; its own columns, privileges and dependents stay. PostgreSQL changes
 *            no type of a view's column.
 *   policy   before the contract's transaction it is put on the new column, which says the same
 *   trigger  of a column that gets another type: it is made anew in the contract's transaction, when the new
 *            column has the name. Until then all code writes the old column, and it fires for it.
 *
 * Where an author's expression makes the values, what is said about the old ones may not hold of the new. */
#include "coexist.h"

#include "allocate.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

/* A renamed column: both say the same, in the same type. */
static bool is_renamed(const struct coexist *pair)
{
    return !pair->takes_old_name;
}

static bool says_the_same(const struct coexist *pair)
{
    return is_renamed(pair) || !pair->written;
}

/* The columns that have other names before the contract's transaction, of all tables: a view may join
 * several. Owned by the caller. */
static struct redefine_column *renamed_columns(const struct coexist *pair, size_t *count)
{
    const struct split *split = pair->place->split;
    struct redefine_column *columns = allocate(NULL, split->replaced_count + 1, sizeof(*columns));

    *count = 0;
    for (size_t i = 0; i < split->replaced_count; i++)
        if (!split->replaced[i].takes_old_name)
            columns[(*count)++] = (struct redefine_column){
                split->replaced[i].table, split->replaced[i].old_name, split->replaced[i].new_name};
    return columns;
}

/* The catalog has it once for each table. */
static const char *definition_of(const struct coexist *pair, const struct catalog_dependent *view)
{
    for (size_t i = 0; i < pair->table->dependent_count; i++) {
        const struct catalog_dependent *other = &pair->table->dependents[i];

        if (strcmp(other->kind, view->kind) == 0 && strcmp(other->name, view->name) == 0
            && *other->definition != '\0')
            return other->definition;
    }
    return "";
}

/* The statement that puts the view on the new column; NULL: there is none. Owned by the caller. */
static char *view_anew(const struct coexist *pair, const struct catalog_dependent *view)
{
    size_t count;
    struct redefine_column *columns = renamed_columns(pair, &count);
    char *select = redefine_view(definition_of(pair, view), columns, count), *text = NULL;
    bool plain = *view->settings == '\0';

    if (select != NULL)
        text = allocate_text("CREATE OR REPLACE VIEW %s%s%s%s AS %s", view->name, plain ? "" : " WITH (",
                             view->settings, plain ? "" : ")", select);
    free(columns);
    free(select);
    return text;
}

/* "name ON table". */
static bool is_on_table(const struct coexist *pair, const struct catalog_dependent *policy)
{
    const char *on = strstr(policy->name, " ON ");

    return on != NULL && coexist_is_table(pair->table, on + strlen(" ON "));
}

static bool look(void *context, const ProtobufCMessage *message)
{
    bool *asks = context;

    *asks = *asks || message->descriptor == &pg_query__sub_link__descriptor;
    return true;
}

/* In a sub-select the name could be another table's. */
static bool asks_other_rows(const char *statement)
{
    PgQuery__ParseResult *tree = tree_parse(statement);
    bool asks = false;

    if (tree == NULL)
        return true;
    tree_walk(&tree->base, &(struct tree_visitor){.message = look, .context = &asks});
    pg_query__parse_result__free_unpacked(tree, NULL);
    return asks;
}

static char *policy_anew(const struct coexist *pair, const struct catalog_dependent *policy)
{
    struct redefine change = {0};
    struct redefine_name *names;
    char *statement, *text = NULL;

    if (!is_on_table(pair, policy))
        return NULL;
    names = coexist_replaced(pair, NULL, REPLACED_BEFORE, &change.own_count);
    change.own = names;
    statement = allocate_text("ALTER POLICY %s %s", policy->name, policy->definition);
    if (!asks_other_rows(statement))
        text = redefine(statement, &change);
    free(statement);
    free(names);
    return text;
}

static bool is_trigger(const struct coexist *pair, const struct catalog_dependent *dependent)
{
    return strcmp(dependent->kind, "trigger") == 0 && pair->down == NULL && says_the_same(pair)
           && strcmp(pair->table->kind, "table") == 0;
}

/* The statement that carries it before the contract's transaction. */
static char *anew(const struct coexist *pair, const struct catalog_dependent *dependent)
{
    if (strcmp(dependent->kind, "view") == 0 && is_renamed(pair))
        return view_anew(pair, dependent);
    if (strcmp(dependent->kind, "policy") == 0 && says_the_same(pair))
        return policy_anew(pair, dependent);
    return NULL;
}

bool coexist_carries(const struct coexist *pair, const struct catalog_dependent *dependent)
{
    char *statement = anew(pair, dependent);
    bool carries = statement != NULL || is_trigger(pair, dependent);

    free(statement);
    return carries;
}

void coexist_part_dependents(const struct coexist *pair)
{
    for (size_t i = 0; i < pair->table->dependent_count; i++) {
        const struct catalog_dependent *dependent = &pair->table->dependents[i];
        char *statement = dependent->column == pair->old->number ? anew(pair, dependent) : NULL;

        if (statement != NULL)
            form_emit(pair->place, PLAN_CONTRACT, EMIT_SEPARATE,
                      "It uses the new column from here on, which says the same.", "%s", statement);
        free(statement);
    }
}

static void create_trigger(const struct coexist *pair, const struct catalog_dependent *trigger)
{
    static const char note[] = "As it was, for the column that has the name now.";
    char *table = form_table(pair->place);

    form_emit(pair->place, PLAN_CONTRACT, EMIT_WITH, note, "%s", trigger->definition);
    if (*trigger->settings != '\0')
        form_alter(pair->place, PLAN_CONTRACT, EMIT_WITH, note, "%s TRIGGER %s", trigger->settings,
                   trigger->name);
    if (trigger->comment != NULL) {
        char *comment = emit_string(trigger->comment);

        form_emit(pair->place, PLAN_CONTRACT, EMIT_WITH, note, "COMMENT ON TRIGGER %s ON %s IS %s",
                  trigger->name, table, comment);
        free(comment);
    }
    free(table);
}

void coexist_swap_dependents(const struct coexist *pair, bool swapped)
{
    for (size_t i = 0; i < pair->table->dependent_count; i++) {
        const struct catalog_dependent *dependent = &pair->table->dependents[i];
        char *table;

        if (dependent->column != pair->old->number || !is_trigger(pair, dependent))
            continue;
        if (swapped) {
            create_trigger(pair, dependent);
            continue;
        }
        table = form_table(pair->place);
        form_emit(pair->place, PLAN_CONTRACT, EMIT_WITH, "It comes back in this transaction.",
                  "DROP TRIGGER %s ON %s", dependent->name, table);
        free(table);
    }
}
