/* Asks the server to cancel what a session runs, off the event loop: PQcancel waits for the answer.
 * */
#ifndef DB_CANCEL_H
#define DB_CANCEL_H

#include <libpq-fe.h>

struct event_base;
struct offload;

/* done is called from the loop once the server has passed the request on, or it could not be sent.
 * Abandon the offload to forget about it. */
struct offload *cancel_start(struct event_base *base, PGconn *connection,
                             void (*done)(void *context), void *context);

#endif
