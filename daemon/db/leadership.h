/* What the steps on the way to a term (takeover.c) and its keeping (leadership.c) share. */
#ifndef DB_LEADERSHIP_H
#define DB_LEADERSHIP_H

#include "state.h"

#define LEADERSHIP_PING_MS 1000

/* The steps; each ends in leadership_advance, or in a fall. */
void takeover_prove(struct database *db);
void takeover_poll(struct database *db);
void takeover_install(struct database *db);
void takeover_begin_term(struct database *db);
void takeover_join(struct database *db);
void takeover_watch(struct database *db);

struct connect_target leadership_target(const struct database *db); /* of the sessions of a term */

void leadership_advance(struct database *db);
void leadership_set_timer(struct database *db, int64_t ms);
void leadership_on_session_lost(void *context, const char *reason);

/* One small statement of the daemon's own. */
void leadership_ask(struct database *db, struct session *s,
                    const struct session_statement *statement, session_answered *done);

/* True where it did not succeed; then the fall is under way. */
bool leadership_failed(struct database *db, const struct session_outcome *outcome);

/* Waiting cannot mend it: the service ends. */
void leadership_end(struct database *db, const char *reason);

#endif
