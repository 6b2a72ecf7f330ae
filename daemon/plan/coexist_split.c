/* Columns that are split or merged: `split` or `merge` says how the new columns are made of the old ones, and
 * the old ones of the new ones; the statements behind it, in any order, add the ones and drop the others.
 *
 *   ADD COLUMN       expand: the column, without what would refuse a row before it is filled
 *   the last of all  expand: the trigger; backfill: the rows; contract: NOT NULL, then trigger and old
 *                    columns go, and the new ones have their defaults */
#include "shapes.h"

#include "allocate.h"
#include "column.h"
#include "piece.h"

#include <stdlib.h>
#include <string.h>

/* ---- the statements ---- */

/* Where the part of the definition that begins at or behind `start` ends: before the next one. */
static size_t part_end(const struct place *place, size_t start)
{
    const PgQuery__ColumnDef *definition = place->operation->command->def->column_def;
    size_t base = place->statement->base, end = place->operation->end;

    for (size_t i = 0; i < definition->n_constraints; i++) {
        size_t at = base + (size_t)definition->constraints[i]->constraint->location;

        if (at > start && at < end)
            end = at;
    }
    if (definition->coll_clause != NULL && base + (size_t)definition->coll_clause->location > start
        && base + (size_t)definition->coll_clause->location < end)
        end = base + (size_t)definition->coll_clause->location;
    return end;
}

static char *part_of(const struct place *place, int location)
{
    size_t start = place->statement->base + (size_t)location;

    return piece_of(place->statement->reader, start, part_end(place, start));
}

static char *default_of(const struct place *place, const PgQuery__Constraint *constraint)
{
    const struct reader *reader = place->statement->reader;
    size_t start = place->statement->base + (size_t)constraint->location, end = part_end(place, start);
    size_t word = piece_token(reader, start, end, PG_QUERY__TOKEN__DEFAULT);
    char *text = piece_of(reader, word + strlen("DEFAULT"), end);
    char *expression = allocate_text("%s", text + strspn(text, " \t\r\n"));

    free(text);
    return expression;
}

/* Why the column cannot be one that is filled from others; NULL: it can. */
static const char *unfit(const PgQuery__ColumnDef *definition)
{
    if (column_is_serial(definition) || column_fill(definition) == COLUMN_GENERATED
        || column_fill(definition) == COLUMN_EACH)
        return "its values come from somewhere else: take the default, serial or GENERATED away";
    for (size_t i = 0; i < definition->n_constraints; i++) {
        PgQuery__ConstrType type = definition->constraints[i]->constraint->contype;

        if (type != PG_QUERY__CONSTR_TYPE__CONSTR_NULL && type != PG_QUERY__CONSTR_TYPE__CONSTR_NOTNULL
            && type != PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT)
            return "write its constraint as a statement of its own, behind these";
    }
    return NULL;
}

static void add_column(struct place *place, struct shapes *shapes, struct member *member)
{
    const PgQuery__ColumnDef *definition = place->operation->command->def->column_def;
    const PgQuery__Constraint *given = column_constraint(definition, PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT);
    const char *why = unfit(definition);
    char *table;

    if (why != NULL) {
        shapes_refuse(place, shapes, member->name, why);
        return;
    }
    member->type = part_of(place, definition->type_name->location);
    member->collation = definition->coll_clause == NULL ? allocate_text("%s", "")
                                                        : part_of(place, definition->coll_clause->location);
    member->not_null = column_is_not_null(definition);
    if (given != NULL)
        member->default_text = default_of(place, given);
    table = form_table(place);
    form_alter(place, PLAN_EXPAND, EMIT_SHARED, "A column of the new release, beside the old ones.",
               "ADD COLUMN %s %s%s%s", member->quoted, member->type, *member->collation == '\0' ? "" : " ",
               member->collation);
    undo_add(place, "ALTER TABLE %s DROP COLUMN %s", table, member->quoted);
    free(table);
}

static void drop_column(struct place *place, struct shapes *shapes, struct member *member)
{
    const struct catalog_column *column = catalog_column(shapes->table, member->name);

    member->type = allocate_text("%s", column->type);
    if (column->default_text != NULL)
        member->default_text = allocate_text("%s", column->default_text);
    member->default_volatile = column->default_volatile;
    member->cascades = place->operation->cascade;
    if (column->generated || *column->identity != '\0')
        shapes_refuse(place, shapes, member->name, "its values are generated, not written");
    else if (column->partition_key)
        shapes_refuse(place, shapes, member->name, "the rows are spread over the partitions by it");
    else if (!coexist_is_free(place, shapes->table, column))
        shapes->refused = true;
}

/* ---- the steps ---- */

static char *cast_value(const struct member *member)
{
    return allocate_text("CAST(%s AS %s)", member->expression, member->type);
}

static struct sync_column *sync_columns(const struct members *members)
{
    struct sync_column *columns = allocate(NULL, members->count, sizeof(*columns));

    for (size_t i = 0; i < members->count; i++) {
        const struct member *member = &members->items[i];

        columns[i] = (struct sync_column){
            .name = member->quoted,
            .type = member->type,
            .value = allocate_text("CAST(%s AS %s)", member->row_value, member->type),
            .default_text = member->default_text,
            .default_volatile = member->default_volatile,
        };
    }
    return columns;
}

static void free_sync_columns(struct sync_column *columns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free((char *)(uintptr_t)columns[i].value);
    free(columns);
}

static char *sync_body(const struct place *place, const struct shapes *shapes)
{
    struct sync_column *old = sync_columns(&shapes->old), *new = sync_columns(&shapes->new);
    char *body = sync_function(&(struct sync){
        .old = {old, shapes->old.count},
        .new = {new, shapes->new.count},
        .version = place->statement->reader->options.version,
    });

    free_sync_columns(old, shapes->old.count);
    free_sync_columns(new, shapes->new.count);
    return body;
}

static void expand(struct place *place, const struct shapes *shapes, const struct sync_trigger *trigger)
{
    char *up = shapes_list(&shapes->new, cast_value), *down = shapes_list(&shapes->old, cast_value);
    char *all = allocate_text("%s, %s", up, down), *body = sync_body(place, shapes);

    sync_try(place, EMIT_BEGINS, trigger->table, all);
    for (size_t i = 0; i < shapes->new.count; i++) {
        const struct member *member = &shapes->new.items[i];
        char *given;

        if (member->default_text == NULL)
            continue;
        given = sync_default(member->default_text, place->statement->reader->options.version);
        form_alter(place, PLAN_EXPAND, EMIT_WITH,
                   "For new code that says its version: what it leaves out has the default.",
                   "ALTER COLUMN %s SET DEFAULT %s", member->quoted, given);
        free(given);
    }
    sync_trigger_create(place, trigger, EMIT_WITH, true,
                        "Old and new code write: each finds what the other has written.", body);
    free(up);
    free(down);
    free(all);
    free(body);
}

static char *assignment(const struct member *member)
{
    return allocate_text("%s = CAST(%s AS %s)", member->quoted, member->expression, member->type);
}

/* Rows whose new columns are all NULL, but should not be. */
static void backfill(struct place *place, const struct shapes *shapes, const char *table)
{
    char *assignments = shapes_list(&shapes->new, assignment), *empty = allocate_text("%s", "");
    char *wanted = allocate_text("%s", ""), *longer;

    for (size_t i = 0; i < shapes->new.count; i++) {
        const struct member *member = &shapes->new.items[i];

        longer = allocate_text("%s%s IS NULL AND ", empty, member->quoted);
        free(empty);
        empty = longer;
        longer = allocate_text("%s%sCAST(%s AS %s) IS DISTINCT FROM NULL", wanted, i == 0 ? "" : " OR ",
                               member->expression, member->type);
        free(wanted);
        wanted = longer;
    }
    form_rows(place, PLAN_BACKFILL,
              "The rows that were there; what is written from the expand on is in step already.",
              "UPDATE %s SET %s WHERE %s(%s)", table, assignments, empty, wanted);
    free(assignments);
    free(empty);
    free(wanted);
}

static void contract(struct place *place, const struct shapes *shapes, const struct sync_trigger *trigger)
{
    static const char note[] = "Code that uses the old columns is gone.";

    for (size_t i = 0; i < shapes->new.count; i++)
        if (shapes->new.items[i].not_null)
            form_not_null(place, PLAN_CONTRACT, shapes->new.items[i].name);
    sync_trigger_drop(place, trigger, note);
    for (size_t i = 0; i < shapes->old.count; i++)
        form_alter(place, PLAN_CONTRACT, EMIT_WITH, note, "DROP COLUMN %s%s", shapes->old.items[i].quoted,
                   shapes->old.items[i].cascades ? " CASCADE" : "");
    for (size_t i = 0; i < shapes->new.count; i++)
        if (shapes->new.items[i].default_text != NULL)
            form_alter(place, PLAN_CONTRACT, EMIT_WITH, "Now for everybody.",
                       "ALTER COLUMN %s SET DEFAULT %s",
                       shapes->new.items[i].quoted, shapes->new.items[i].default_text);
}

static char *plain_name(const struct member *member)
{
    return allocate_text("%s", member->name);
}

static void take_steps(struct place *place, const struct shapes *shapes)
{
    char *old = shapes_list(&shapes->old, plain_name), *new = shapes_list(&shapes->new, plain_name);
    struct sync_trigger trigger =
        sync_trigger_open(place, shapes->table, shapes->old.items[0].name, shapes->word);

    statement_report(place->statement, RULE_COEXISTENCE, shapes->table->name,
                     "'%s' and '%s' are kept in step until the contract drops the first", old, new);
    expand(place, shapes, &trigger);
    backfill(place, shapes, trigger.table);
    sync_trigger_undo(place, &trigger);
    contract(place, shapes, &trigger);
    sync_trigger_close(&trigger);
    free(old);
    free(new);
}

void form_split(struct place *place)
{
    struct place early = *place; /* what is not said to be elsewhere belongs to the expand */
    struct member *member;
    struct shapes *shapes = shapes_find(place, &member);

    early.section = PLAN_EXPAND;
    if (shapes->refused)
        return;
    if (member->type != NULL)
        shapes_refuse(&early, shapes, member->name, "another statement is about it, too");
    else if (place->operation->kind == OP_ADD_COLUMN)
        add_column(&early, shapes, member);
    else
        drop_column(&early, shapes, member);
    if (!shapes->refused && shapes_are_complete(shapes))
        take_steps(&early, shapes);
}
