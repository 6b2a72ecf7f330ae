/* Opening a connection as the configuration says, off the event loop. */
#ifndef DB_CONNECT_H
#define DB_CONNECT_H

#include <schemagate/base/buf.h>

#include <libpq-fe.h>
#include <stdbool.h>

struct event_base;
struct offload;

/* connection: ready for use, taken over, or NULL; then trouble (borrowed, one line) says what is
 * wrong and what to type next. Called from the loop. */
typedef void connect_done(void *context, PGconn *connection, const char *trouble);

/* Which server, and in which role it has to be. */
struct connect_target {
    const char *setting;       /* where the configuration names it: "database.conninfo" */
    const char *conninfo;
    const char *password_file; /* "": none */
    bool standby;              /* any server will do; otherwise only a primary */
};

/* Everything is copied. Abandon the offload to forget about it. */
struct offload *connect_start(struct event_base *base, const struct connect_target *target,
                              const char *application_name, connect_done *done, void *context);

/* "role \"app\" at db.example:5432, database \"shop\"" */
void connect_describe(const PGconn *connection, struct buf *text);

/* Appends libpq's or the server's message as one line. */
void connect_append_line(struct buf *text, const char *message);

#endif
