/* The HTTP server: libmicrohttpd on the daemon's event loop (docs/design.md §11, docs/http.md). It asks
 * the coordinator and never touches the database. */
#ifndef SCHEMAGATE_HTTP_SERVER_H
#define SCHEMAGATE_HTTP_SERVER_H

#include <schemagate/base/buf.h>
#include <schemagate/base/config.h>

#include <stdbool.h>
#include <stdio.h>

struct coordinator;
struct event_base;
struct http_server;

/* Borrows all three until http_server_free. Binds nothing yet. */
struct http_server *http_server_new(struct event_base *base, const struct config *config,
                                    struct coordinator *coordinator);

/* Reads tokens and certificates, binds what [http] listen names, and adds the sockets that systemd hands
 * over. Writes one line for each mistake into `errors` and returns false if there was one. Each address is
 * logged as `listening address=…`. */
bool http_server_listen(struct http_server *server, struct buf *errors);

/* One [notify NAME], for /metrics, /status and the page. */
struct http_notify {
    const char *name;
    int64_t behind; /* events that it still has to be told, or to be asked whether it cares for */
    unsigned tries; /* of the next one, that have failed */
    int64_t behind_since_wall; /* it has not had all events since then; 0: it has them */
    int64_t behind_seconds;
    const char *error; /* of the last try, where that has failed; else NULL */
};

typedef void http_notify_row(void *out, const struct http_notify *notify);

/* `list` calls `row` for each target, whenever somebody asks. Before the first request. */
void http_server_show_notifies(struct http_server *server,
                               void (*list)(void *context, http_notify_row *row, void *out), void *context);

/* The coordinator's model or the event list has changed: long polls look again, once per turn of the loop.
 * Cheap; may come often. */
void http_server_changed(struct http_server *server);

/* After SIGHUP: `config` takes the place of the one borrowed so far; tokens and socket roles are read anew.
 * With a mistake in them (written to `errors`) false is returned and the old ones stay in force. */
bool http_server_configure(struct http_server *server, const struct config *config, struct buf *errors);

/* Accepts nothing more, answers the long polls, lets open requests finish, then calls `done` from the event
 * loop; after five seconds in any case. */
void http_server_stop(struct http_server *server, void (*done)(void *context), void *context);

/* Closes what is open. NULL is fine. Comes before coordinator_free. */
void http_server_free(struct http_server *server);

/* One row a line: method, path, roles; for the golden file and docs/http.md. */
void http_print_routes(FILE *out);

#endif
