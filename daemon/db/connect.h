/* Opening a connection as the configuration says, off the event loop. */
#ifndef DB_CONNECT_H
#define DB_CONNECT_H

#include <schemagate/base/buf.h>
#include <schemagate/base/config.h>

#include <libpq-fe.h>

struct event_base;
struct offload;

/* connection: ready for use, taken over, or NULL; then trouble (borrowed, one line) says what is
 * wrong and what to type next. Called from the loop. */
typedef void connect_done(void *context, PGconn *connection, const char *trouble);

/* Everything is copied. Abandon the offload to forget about it. */
struct offload *connect_start(struct event_base *base, const struct config *config,
                              const char *application_name, connect_done *done, void *context);

/* "role \"app\" at db.example:5432, database \"shop\"" */
void connect_describe(const PGconn *connection, struct buf *text);

/* Appends libpq's or the server's message as one line. */
void connect_append_line(struct buf *text, const char *message);

#endif
