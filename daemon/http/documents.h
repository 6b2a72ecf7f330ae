/* The documents of the interface, written from the coordinator's model (docs/http.md). `name` is the
 * member under which an object is written, NULL at the top or in a list. */
#ifndef HTTP_DOCUMENTS_H
#define HTTP_DOCUMENTS_H

#include "caller.h"
#include "server.h"
#include "writer.h"

#define DOCUMENT_HOLDS_MAX 20

void document_window(struct writer *w, const char *name, const struct window *window);

/* What a replica is told when it registers and renews: the most frequent answer of all. */
void document_lease(struct writer *w, const char *name, struct http_server *server,
                    const struct replica *replica);

/* What people are told of a replica. */
void document_replica(struct writer *w, const struct coordinator *c, const struct replica *replica);

void document_app(struct writer *w, const char *name, const struct application *app);

/* "ranges": the replicas of an application that may run, counted by what they can work with. */
void document_ranges(struct writer *w, const struct application *app);

/* The same for the page. Calls `range` in ascending order. */
void document_each_range(const struct application *app,
                         void (*range)(void *context, struct version_range range, size_t count),
                         void *context);

void document_migration(struct writer *w, const char *name, const struct coordinator *c,
                        const struct migration *m, enum caller_role role);
void document_gate(struct writer *w, const char *name, const struct coordinator *c,
                   const struct migration *m);
/* "actions": what may be asked of a migration now. */
void document_actions(struct writer *w, const struct coordinator *c, const struct migration *m);
void document_findings(struct writer *w, const struct plan *plan); /* "findings" */
/* How a statement is run: kind, object, lock, locks, source, generated, note. */
void document_work(struct writer *w, const struct plan_work *work);
void document_status(struct writer *w, const struct http_server *server, enum caller_role role);

/* {"paused": null or who, why, since} as a member. */
void document_pause(struct writer *w, const struct pause_note *note);

/* True if a gate stands, or will stand, before something that this migration has still to do. */
bool document_has_gate(const struct migration *m);

/* sessions.c: members of one; the lists of /status, each bounded. */
void document_session(struct writer *w, const struct witnessed_session *session, size_t count);
void document_strays(struct writer *w, const struct coordinator *c);
void document_witness(struct writer *w, const struct coordinator *c);

/* notifies.c: "notifies", who is told of events. */
void document_notifies(struct writer *w, const struct http_server *server);
/* It has been behind for so long that an operator should know. */
bool document_notify_is_old(const struct http_notify *notify);
/* Says what there is to know then; false: nothing. */
bool document_notify_trouble(const struct http_notify *notify, struct buf *text);

#endif
