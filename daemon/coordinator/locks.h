/* Waiting for table locks: when a try is made, and who is in its way (docs/design.md §7). */
#ifndef COORDINATOR_LOCKS_H
#define COORDINATOR_LOCKS_H

#include <schemagate/coordinator/coordinator.h>

struct run;

/* True when the next transaction of m may be tried now; else the tables are watched, and rollout_advance
 * is called when there is something new. */
bool locks_are_free(struct coordinator *c, struct migration *m);
/* The first look is under way: its answer comes before anything of less urgency is begun. */
bool locks_are_asked_about(const struct migration *m);
/* Nothing of m waits any more. */
void locks_forget(struct migration *m);

/* A try begins: whether it waits, and for whom, is looked at if it takes long. */
void locks_begin_run(const struct coordinator *c, struct migration *m);
void locks_follow_run(struct coordinator *c);
/* m may be tried within moments, if what is under way ends well: its tables are looked at meanwhile, and
 * where nobody is in its way it begins at once. */
void locks_look_ahead(struct coordinator *c, struct migration *m);
/* The same for the expand that follows the run. */
void locks_look_past(struct coordinator *c, const struct run *run);
/* When to look again; 0: nothing to look at. */
int64_t locks_due_boot(const struct coordinator *c, const struct migration *m);

/* "waits for a lock on users, try 3, blocked by pid 4711 (report)"; false: it does not. */
bool locks_summarize(const struct migration *m, char *text, size_t size);

#define BLOCKERS_ENDED_MAX 50

/* Sessions that are to be ended; `idle_only`: those that are still idle in transaction. */
struct blocker_list {
    const struct blocker *blockers[BLOCKERS_ENDED_MAX];
    size_t count;
    bool idle_only;
    bool recorded; /* an event names them already */
};

/* sessions.c: records the act (once) and ends them. actor NULL: the daemon itself, by configuration. */
void sessions_end_blockers(struct coordinator *c, int64_t version, const struct blocker_list *list,
                           const char *reason, const char *actor, coordinator_answer *answer,
                           void *context);

#endif
