/* What a contract takes away, by name: old statements that name it fail from then on. */
#ifndef PLAN_DROPPED_H
#define PLAN_DROPPED_H

#include <schemagate/plan/plan.h>

/* Fills in the drops of all statements of the contract, as they will run. */
void plan_note_drops(struct plan *plan);

#endif
