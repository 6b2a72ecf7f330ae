/* The privilege proof of a contract: that no role of an application can reach any more what it takes away
 * (docs/design.md §5.6). It is looked for just before the gate opens, and only ever raises the grade. */
#ifndef COORDINATOR_REACH_H
#define COORDINATOR_REACH_H

#include <schemagate/coordinator/coordinator.h>

/* True where m's contract is of a kind that can be proved, and nobody has looked since its gate was closed
 * last. */
bool reach_is_wanted(const struct migration *m);
/* Looks; `done` comes in the same term, also where nothing was found out: later, or at once where it was
 * just looked for ahead. */
void reach_ask(struct coordinator *c, struct migration *m,
               void (*done)(struct coordinator *c, struct migration *m));
/* The gate is closed: what was found does not count any more. */
void reach_forget(struct migration *m);

/* The gate may open within moments: looks meanwhile. What is found counts if it opens at once. */
void reach_look_ahead(struct coordinator *c, struct migration *m);
/* That look is under way: rollout_advance is called when it has ended. */
bool reach_is_asked_about(const struct migration *m);
/* The term is over. */
void reach_forget_ahead(struct migration *m);

bool reach_is_proved(const struct coordinator *c, const struct migration *m);

#endif
