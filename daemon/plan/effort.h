/* What a statement's time depends on (struct plan_cost). */
#ifndef PLAN_EFFORT_H
#define PLAN_EFFORT_H

#include "operation.h"

enum plan_effort operation_effort(const struct operation *operation);

/* Adds that of an operation: the greatest counts. catalog NULL: sizes are not known. */
void effort_note(struct plan_work *work, const struct catalog *catalog, const struct operation *operation);

/* It takes a moment after all. */
void effort_forget(struct plan_work *work);

#endif
