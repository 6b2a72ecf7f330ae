/* What one migration knows of the statements that pg_stat_statements shows: which were called since its
 * first reading, and which of those use what its contract takes away. */
#ifndef COORDINATOR_USAGE_CALLS_H
#define COORDINATOR_USAGE_CALLS_H

#include "state.h"

#include <schemagate/plan/uses.h>

/* A statement of one role. */
struct usage_entry {
    struct used_statement shown;
    UT_hash_handle hh;
    int64_t calls;     /* as the last reading had them */
    int64_t seen_boot; /* when calls were noticed last; 0: none since the fleet moved */
    bool judged;       /* shown.use is known */
    char *text;        /* owned: all of it until it is judged, then its start; NULL: not asked for yet */
    char key[];        /* "id role" */
};

struct usage {
    struct plan_drop *drops; /* the array is owned, what it points to is the steps' */
    size_t drop_count;
    struct usage_entry *entries;
    struct gate_statement *holding;
    size_t holding_count;
    bool based;          /* there is a reading to compare with */
    bool reset;          /* the statistics were, since then */
    bool unread;         /* texts were not shown */
    int64_t lost_before, lost; /* statements thrown out: at the first reading, and since; -1 not known */
    int64_t tried_boot;  /* 0: never */
    int64_t read_boot, since_wall, read_wall;
    char reset_at[40], trouble[200];
};

/* Makes m->usage, from what its contract drops. */
void usage_begin(struct migration *m);

/* Takes the witness's answer in. NULL: the connection went away, or it took too long; what was in use may
 * still be. */
void usage_take_in(struct usage *u, const json_t *read, struct instant now);

/* It was called, and its text has to be asked for. */
bool usage_lacks_text(const struct usage_entry *entry);

/* The planner's verdict about the entry's text. */
void usage_judge(struct usage *u, struct usage_entry *entry, struct plan_used used);

/* Fills u->holding, as of the last reading: while none can be had, nothing becomes quiet. */
void usage_choose_holding(struct usage *u);

#endif
