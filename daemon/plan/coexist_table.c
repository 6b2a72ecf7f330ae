/* A table that is renamed: code of the old release finds a view under the old name, through which it reads
 * and writes. */
#include "allocate.h"
#include "split.h"

#include <stdlib.h>
#include <string.h>

/* Why a view cannot stand in; NULL: it can. */
static const char *obstacle(const struct place *place)
{
    const struct catalog_table *known = place->operation->known;
    const struct catalog *catalog = place->statement->reader->options.catalog;

    if (strcmp(known->kind, "table") != 0 && strcmp(known->kind, "partitioned table") != 0)
        return "it is no table";
    if (known->of_table != NULL)
        return "it is a partition, which a view cannot stand for";
    if (known->row_security && catalog->server_version < 150000)
        return "it has row security, which views heed from PostgreSQL 15 on only";
    return NULL;
}

static void grant(struct place *place, const char *view)
{
    const struct catalog_table *known = place->operation->known;

    for (size_t i = 0; i < known->grant_count; i++) {
        const char *gap = strstr(known->grants[i], "%s");

        form_emit(place, PLAN_EXPAND, EMIT_WITH, "As the table has it.", "%.*s%s%s",
                  (int)(gap - known->grants[i]), known->grants[i], view, gap + strlen("%s"));
    }
}

static void take_back(struct place *place, const char *old, const char *new, const char *old_name)
{
    emit_undo(place->statement, EMIT_WITH, "ALTER TABLE %s RENAME TO %s", new, old_name)->work.note =
        allocate_text("In one transaction with the view's end: nobody finds the name missing.");
    emit_undo(place->statement, EMIT_BEGINS, "DROP VIEW %s", old)->work.note =
        allocate_text("The table takes its old name again.");
}

void form_rename_table(struct place *place)
{
    const struct operation *operation = place->operation;
    const char *why = form_coexists(place) ? obstacle(place) : NULL;
    char *old, *new, *old_name, *new_name;

    if (!form_coexists(place) || place->section == PLAN_CONTRACT) {
        form_reshape(place);
        return;
    }
    place->section = PLAN_EXPAND;
    if (why != NULL) {
        place->section = PLAN_CONTRACT;
        form_refuse(place, RULE_ONE_SHAPE_ONLY, "no view can stand under the old name of '%s': %s",
                    operation->table,
                    why);
        return;
    }
    old = form_table(place);
    new = emit_qualified(operation->schema, operation->object);
    old_name = emit_name(operation->table);
    new_name = emit_name(operation->object);
    statement_report(place->statement, RULE_COEXISTENCE, operation->table,
                     "'%s' is a view of '%s' until the contract drops it", operation->table,
                     operation->object);
    form_emit(place, PLAN_EXPAND, EMIT_BEGINS, "In one transaction with the view: nobody finds the name "
                                               "missing.",
              "ALTER TABLE %s RENAME TO %s", old, new_name);
    form_emit(place, PLAN_EXPAND, EMIT_WITH, "Code of the old release reads and writes through it.",
              "CREATE VIEW %s%s AS SELECT * FROM %s", old,
              operation->known->row_security ? " WITH (security_invoker = true)" : "", new);
    grant(place, old);
    form_emit(place, PLAN_CONTRACT, EMIT_SEPARATE, "Code that uses the old name is gone.", "DROP VIEW %s",
              old);
    take_back(place, old, new, old_name);
    free(old);
    free(new);
    free(old_name);
    free(new_name);
}
