/* Numbers of a column that is replaced: they go on where they are. New rows get one number, so the new column
 * becomes the identity in the transaction in which the old one goes. */
#include "coexist.h"

#include "allocate.h"

#include <stdlib.h>
#include <string.h>

static const char note[] = "The new column's numbers go on where the old one's are.";

static bool has_identity(const struct coexist *pair)
{
    return *pair->old->identity != '\0' && pair->old->sequence != NULL;
}

/* The schema of the old sequence, with its dot; "" where none is written. Owned by the caller. */
static char *schema_of(const struct coexist *pair)
{
    const char *dot = strrchr(pair->old->sequence, '.');

    return allocate_copy(pair->old->sequence, dot == NULL ? 0 : (size_t)(dot + 1 - pair->old->sequence));
}

/* The new sequence, quoted, while the old one has the name. Owned by the caller. */
static char *sequence_beside(const struct coexist *pair)
{
    char *plain = coexist_plain_name(pair->old->sequence), *beside = coexist_name_beside(pair, plain);
    char *quoted = emit_name(beside), *schema = schema_of(pair);
    char *name = allocate_text("%s%s", schema, quoted);

    free(plain);
    free(beside);
    free(quoted);
    free(schema);
    return name;
}

void coexist_take_identity(const struct coexist *pair)
{
    char *sequence, *literal;

    if (!has_identity(pair))
        return;
    sequence = sequence_beside(pair);
    literal = emit_string(sequence);
    form_alter(pair->place, PLAN_CONTRACT, EMIT_WITH, note,
               "ALTER COLUMN %s ADD GENERATED %s AS IDENTITY (SEQUENCE NAME %s %s)", pair->to,
               strcmp(pair->old->identity, "always") == 0 ? "ALWAYS" : "BY DEFAULT", sequence,
               pair->old->sequence_options);
    form_emit(pair->place, PLAN_CONTRACT, EMIT_WITH, note,
              "SELECT setval(%s, last_value, is_called) FROM %s", literal, pair->old->sequence)
        ->work.cost.effort = EFFORT_MOMENT;
    free(sequence);
    free(literal);
}

void coexist_settle_identity(const struct coexist *pair)
{
    char *beside, *plain, *quoted;

    if (!has_identity(pair))
        return;
    beside = sequence_beside(pair);
    plain = coexist_plain_name(pair->old->sequence);
    quoted = emit_name(plain);
    form_emit(pair->place, PLAN_CONTRACT, EMIT_WITH, "The sequence has the old one's name.",
              "ALTER SEQUENCE %s RENAME TO %s", beside, quoted);
    for (size_t i = 0; i < pair->old->sequence_grant_count; i++) {
        char *grant = coexist_put_name(pair->old->sequence_grants[i], pair->old->sequence);

        form_emit(pair->place, PLAN_CONTRACT, EMIT_WITH, "As the old sequence has it.", "%s", grant);
        free(grant);
    }
    free(beside);
    free(plain);
    free(quoted);
}
