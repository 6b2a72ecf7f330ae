/* Columns that become NOT NULL, and columns that are NOT NULL and go: in between one release writes rows
 * that the other would not. */
#include "coexist.h"

#include "allocate.h"
#include "piece.h"

#include <stdlib.h>
#include <string.h>

static const struct catalog_column *known_column(const struct operation *operation)
{
    return operation->known == NULL || operation->column == NULL
               ? NULL
               : catalog_column(operation->known, operation->column);
}

/* Undo of what the expand has added, though the operation itself belongs to the contract. */
static void take_back(struct place *place, const char *note, const char *sql)
{
    emit_undo(place->statement, EMIT_SHARED, "%s", sql)->work.note = allocate_text("%s", note);
}

/* ---- a column that goes ---- */

static bool is_in_primary_key(const struct catalog_table *table, const struct catalog_column *column)
{
    for (size_t i = 0; i < table->index_count; i++)
        for (size_t k = 0; table->indexes[i].primary && k < table->indexes[i].column_count; k++)
            if (table->indexes[i].columns[k] == column->number)
                return true;
    return false;
}

bool form_must_relax(const struct operation *operation)
{
    const struct catalog_column *column = known_column(operation);

    return operation->kind == OP_DROP_COLUMN && !operation->on_new && column != NULL && column->not_null
           && column->default_text == NULL && *column->identity == '\0' && !column->generated
           && !is_in_primary_key(operation->known, column);
}

/* New code may have left it out by then: then new rows are checked, and those stay. */
static void make_required_again(struct place *place, const char *table, const char *column)
{
    char *own = piece_object_name(place->operation->table, place->operation->column, "is_set");
    char *name = emit_name(form_free_name(place, own));
    char *finish = allocate_text("DO $schemagate$ BEGIN\n"
                                 "    ALTER TABLE %s VALIDATE CONSTRAINT %s;\n"
                                 "    ALTER TABLE %s ALTER COLUMN %s SET NOT NULL;\n"
                                 "    ALTER TABLE %s DROP CONSTRAINT %s;\n"
                                 "EXCEPTION WHEN check_violation THEN\n"
                                 "    NULL; -- rows without a value stay; the constraint keeps further ones "
                                 "out\n"
                                 "END $schemagate$",
                                 table, name, table, column, table, name);
    char *check = allocate_text("ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s IS NOT NULL) NOT VALID", table,
                                name, column);
    struct plan_statement *added;

    added = emit_undo(place->statement, EMIT_SEPARATE, "%s", finish);
    added->work.note = allocate_text("NOT NULL comes back, if every row has a value.");
    plan_work_lock(&added->work, table, LOCK_ACCESS_EXCLUSIVE);
    emit_undo(place->statement, EMIT_SEPARATE, "%s", check)->work.note =
        allocate_text("New rows have a value again, as the old release writes them.");
    free(name);
    free(finish);
    free(check);
}

void form_drop_required(struct place *place)
{
    char *table = form_table(place), *column = emit_name(place->operation->column);

    form_alter(place, PLAN_EXPAND, EMIT_SHARED, "So that new code, which does not know the column, can "
                                                "insert rows.",
               "ALTER COLUMN %s DROP NOT NULL", column);
    make_required_again(place, table, column);
    form_written(place);
    free(table);
    free(column);
}

/* ---- a column that must be there ---- */

/* What stands in for NULL, from the row's columns: annotated, or the default. Owned by the caller; NULL:
 * nothing. */
static char *find_fill(struct place *place, const struct catalog_column *column)
{
    const struct using *using = using_of(place->statement, false);

    if (using != NULL)
        return allocate_text("%s", using->up);
    return column->default_text == NULL ? NULL : allocate_text("%s", column->default_text);
}

static void fill_until_contract(struct place *place, const char *column, const char *fill,
                                const char *in_row)
{
    static const char note[] = "What the old release leaves empty is filled, so that the contract finds no "
                               "NULL.";
    struct sync_trigger trigger =
        sync_trigger_open(place, place->operation->known, place->operation->column, "fill");
    char *drop_trigger = allocate_text("DROP TRIGGER %s ON %s", trigger.trigger, trigger.table);
    char *drop_function = allocate_text("DROP FUNCTION %s()", trigger.function);
    char *body = allocate_text("\n"
                               "BEGIN\n"
                               "    IF NEW.%s IS NOT DISTINCT FROM NULL THEN\n"
                               "        NEW.%s := %s;\n"
                               "    END IF;\n"
                               "    RETURN NEW;\n"
                               "END ",
                               column, column, in_row);

    sync_try(place, EMIT_BEGINS, trigger.table, fill);
    sync_trigger_create(place, &trigger, EMIT_WITH, true, note, body);
    form_rows(place, PLAN_BACKFILL, "The rows that were there without a value.",
              "UPDATE %s SET %s = %s WHERE %s IS NULL",
              trigger.table, column, fill, column);
    form_not_null(place, PLAN_CONTRACT, place->operation->column);
    sync_trigger_drop(place, &trigger, "The column takes care of itself.");
    take_back(place, "It goes with its trigger.", drop_function);
    take_back(place, "NULL is written as NULL again; what was filled stays.", drop_trigger);
    free(drop_trigger);
    free(drop_function);
    free(body);
    sync_trigger_close(&trigger);
}

bool form_fill_not_null(struct place *place)
{
    const struct operation *operation = place->operation;
    const struct catalog_column *column = known_column(operation);
    char *fill, *in_row, *quoted;

    if (operation->on_new || column == NULL || column->not_null)
        return false;
    fill = find_fill(place, column);
    if (fill == NULL)
        return false;
    in_row = using_in_row(fill, &(struct using_names){place->statement, operation->known, NULL, 0, NULL, 0});
    quoted = emit_name(operation->column);
    if (in_row == NULL || strstr(in_row, "$schemagate$") != NULL)
        statement_report(place->statement, RULE_NO_CONVERSION, operation->column,
                         USING_NO_EXPRESSION, fill);
    else
        fill_until_contract(place, quoted, fill, in_row);
    free(fill);
    free(in_row);
    free(quoted);
    return true;
}
