/* Telling others of events: the commands and URLs of [notify NAME]. Each is told in the order of the events,
 * each event at least once: how far it has come stands in PostgreSQL, and only the leader tells. Nobody waits
 * for it; what fails is tried again, later and later, until it is taken. */
#ifndef SERVICE_HOOKS_H
#define SERVICE_HOOKS_H

#include <schemagate/base/config.h>
#include <schemagate/http/server.h>

struct coordinator;
struct database;
struct event_base;
struct hooks;

/* Borrows all of them. */
struct hooks *hooks_new(struct event_base *base, const struct config *config,
                        struct coordinator *coordinator, struct database *database);
void hooks_configure(struct hooks *hooks, const struct config *config); /* after a reload */
/* Something has changed: looks for new events in the next turn of the loop. Cheap. */
void hooks_changed(struct hooks *hooks);
/* How far each of them is; `hooks` as it was made by hooks_new. */
void hooks_list(void *hooks, http_notify_row *row, void *out);
/* What is under way is ended, and told again by the next leader. Call it when the database is gone. */
void hooks_free(struct hooks *hooks);

#endif
