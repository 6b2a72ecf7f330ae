/* The standbys of the configuration: a session with each while this daemon leads, opened off the loop and
 * again with back-off; its loss makes the standby unreachable and nothing else. */
#ifndef DB_STANDBY_H
#define DB_STANDBY_H

#include "state.h"

void standbys_open(struct database *db);
void standbys_close(struct database *db); /* looks that are under way are answered */
void standbys_configure(struct database *db); /* after a reload */

/* One standby's answer: number `place` of the configuration's. `text`: what sql/witness.sql returned there;
 * NULL: it could not be looked at, because of `error`. */
struct standby_answer {
    size_t place;
    const char *name, *text, *error;
    double lag_seconds;
};

typedef void standby_seen(void *context, const struct standby_answer *answer);

/* Looks at each standby as soon as it has replayed the log up to `lsn`, and waits about two seconds for that.
 * Returns how many there are; `seen` is called once for each, from the loop. */
size_t standbys_look(struct database *db, const char *lsn, standby_seen *seen, void *context);

/* NULL where it is unknown or cannot be reached. */
struct session *standby_session(struct database *db, const char *name);

#endif
