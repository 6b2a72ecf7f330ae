/* What a contract takes away, by name: old statements that name it fail from then on. */
#ifndef PLAN_DROPPED_H
#define PLAN_DROPPED_H

#include <schemagate/plan/plan.h>

/* Fills in the drops of all statements of the contract, as they will run; what hides (hide.c) has noted its
 * own. */
void plan_note_drops(struct plan *plan);
/* Adds one; all are copied. schema "" or NULL: none is written; column NULL: the whole table. */
void plan_note_drop(struct plan_work *work, const char *schema, const char *table, const char *column);

#endif
