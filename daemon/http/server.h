/* The state of the server. */
#ifndef HTTP_SERVER_STATE_H
#define HTTP_SERVER_STATE_H

#include "socket_roles.h"
#include "tokens.h"

#include <schemagate/base/clock.h>
#include <schemagate/coordinator/coordinator.h>
#include <schemagate/http/server.h>

#include <event2/event.h>

struct listener;
struct request;
struct transport;

#define ANSWER_CLASSES 6 /* 1xx … 5xx */

struct http_server {
    struct event_base *base;
    const struct config *config;
    struct coordinator *coordinator;

    struct tokens *tokens; /* NULL: no tokens file, who is local is an operator */
    struct socket_roles *socket_roles;
    unsigned identities; /* counts reloads: what connections remember of callers is of one of them */

    struct transport *plain, *secure; /* secure: NULL without TLS */
    struct listener *listeners;
    size_t connections, connection_limit;

    struct request *held;    /* suspended ones */
    struct request *waiters; /* long polls among them */
    size_t waiter_count, waiter_limit;
    struct event *look; /* becomes active when waiters may look again */

    size_t open_requests; /* whose handler was called and whose answer is not all sent */
    bool stopping;
    void (*stopped)(void *context);
    void *stopped_context;
    struct event *stop_deadline;

    void (*list_notifies)(void *context, http_notify_row *row, void *out); /* NULL: there are none */
    void *notifies;

    uint64_t answers[ANSWER_CLASSES]; /* by the first digit of their status */
    char *style_source;               /* the page's Content-Security-Policy names it */
    struct {
        int64_t second;
        char text[CLOCK_RFC3339_SIZE];
    } stamp; /* the last time that was written out */
};

/* An open request has ended. */
void http_server_request_ended(struct http_server *server);

/* Calls `row` for each [notify NAME]. */
void http_server_each_notify(const struct http_server *server, http_notify_row *row, void *out);

/* As clock_rfc3339, but cheap for times near the one before; valid until the next call. */
const char *http_server_stamp(struct http_server *server, int64_t wall_ms);

#endif
