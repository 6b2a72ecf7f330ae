/* The life of one incarnation of an application instance (docs/design.md §3). Pure: one table of
 * (state, event) rows. */
#ifndef SCHEMAGATE_CORE_REPLICA_H
#define SCHEMAGATE_CORE_REPLICA_H

#include <stdbool.h>
#include <stdio.h>

enum replica_state { REPLICA_WAITING, REPLICA_LIVE, REPLICA_LOST, REPLICA_GONE, REPLICA_STATES };

enum replica_event {
    REPLICA_ADMITTED,     /* a durable admission through the window row */
    REPLICA_RENEWED,      /* its lease was extended */
    REPLICA_EXPIRED,      /* its lease ran out */
    REPLICA_SUPERSEDED,   /* a newer incarnation of its instance has registered */
    REPLICA_DEREGISTERED, /* it said goodbye */
    REPLICA_RESTARTED,    /* its successor attests that its whole process tree has ended */
    REPLICA_ATTESTED,     /* an agent says that it has ended */
    REPLICA_EVICTED,      /* an operator says so */
    REPLICA_FENCED,       /* lost, and by its own promise ended with its lease; no session of it is seen */
    REPLICA_UNSEEN,       /* lost, none of its sessions is seen, and it could not come back or is not
                             expected to (docs/operating.md, "What absence proves") */
    REPLICA_ASSUMED,      /* lost for longer than assume_gone_after_seconds */
    REPLICA_EVENTS
};

const char *replica_state_name(enum replica_state state); /* "waiting", "live", "lost", "gone" */
const char *replica_event_name(enum replica_event event); /* also the reason recorded for `gone` */

/* Sets *next and returns true, or returns false where the event is refused in this state. */
bool replica_next(enum replica_state state, enum replica_event event, enum replica_state *next);

/* True for the states that hold a gate by their range. */
bool replica_holds(enum replica_state state);

/* One row a line, fields separated by tabs: state, event, next state, comment; for the golden file. */
void replica_print_table(FILE *out);

#endif
