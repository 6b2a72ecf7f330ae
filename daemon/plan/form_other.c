/* Changes of rows, and what cannot be made safe. */
#include "allocate.h"
#include "backfill.h"
#include "split.h"

#include <string.h>

void form_data(struct place *place)
{
    bool early = place->section == PLAN_EXPAND;
    struct plan_statement *added = form_as_written(place, early ? EMIT_SHARED : EMIT_SEPARATE);

    if (added->section == PLAN_BACKFILL)
        backfill_take(place->statement, added);
    undo_derive(place);
}

void form_no_safe_form(struct place *place)
{
    form_refuse(place, RULE_NO_SAFE_FORM, "'%s' stops the application, and no other form of it is known",
                operation_kinds[place->operation->kind].name);
}

static bool wants_facts(const struct operation *operation)
{
    return operation->known == NULL &&
           (operation->kind == OP_RENAME_COLUMN || operation->kind == OP_COLUMN_TYPE ||
            operation->kind == OP_RENAME_TABLE);
}

/* Old code needs the old name or type until the contract, and new code the new one from the expand on. */
void form_reshape(struct place *place)
{
    if (wants_facts(place->operation)) {
        form_refuse(place, RULE_ONE_SHAPE_ONLY,
                    "'%s' can keep old and new shape side by side, but only where the table is known: plan "
                    "it where the database can be asked",
                    operation_kinds[place->operation->kind].name);
        return;
    }
    form_refuse(place, RULE_ONE_SHAPE_ONLY,
                "'%s' leaves one shape only: the new release cannot start before the contract, and the "
                "contract waits until the old release is gone",
                operation_kinds[place->operation->kind].name);
}

void form_opaque(struct place *place)
{
    statement_report(place->statement, RULE_UNPLACED, place->operation->table,
                     "what '%s' does cannot be read from its text, so it belongs to no phase",
                     operation_kinds[place->operation->kind].name);
}
