/* Statements that use what a contract takes away, and that somebody goes on calling (docs/design.md §4):
 * pg_stat_statements is read when the fleet has moved, and compared with that from then on. */
#ifndef COORDINATOR_USAGE_H
#define COORDINATOR_USAGE_H

#include <schemagate/coordinator/coordinator.h>

/* So long nobody must have called a statement, and it does not hold any more: a stray call does not block
 * for ever. What is called more seldom needs a longer soak, or is not noticed. gate.c says it to people. */
#define USAGE_QUIET_MS 600000

/* Of the coordinator. */
struct usage_watch {
    bool reading; /* one is under way, or its texts are at the planner */
};

/* Begins to read where the fleet has moved and the gate is closed, and reads again when it is time. */
void usage_follow(struct coordinator *c);
/* When it will be; 0: nothing to wait for. */
int64_t usage_due_boot(const struct coordinator *c);
/* True where the last reading is young enough for m's gate to open on it; else one is under way, and
 * rollout_advance is called after it. */
bool usage_is_current(struct coordinator *c, const struct migration *m);
/* The term is over, and with it what was counted. */
void usage_reset(struct coordinator *c);
void usage_forget(struct migration *m); /* usage_calls.c */

/* Those in use now; subject: struct used_statement (usage_calls.c). */
const struct gate_statement *usage_statements(const struct migration *m, size_t *count);

#endif
