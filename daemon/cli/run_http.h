/* libcurl on the event loop: one request at a time. */
#ifndef SCHEMAGATE_CLI_RUN_HTTP_H
#define SCHEMAGATE_CLI_RUN_HTTP_H

#include "transport.h"

#include <event2/event.h>

struct run_http;

/* Called exactly once for a request that is not cancelled. The reply belongs to run_http. */
typedef void run_http_done(void *context, const struct reply *reply);

struct run_http *run_http_open(struct event_base *base, const struct transport *transport);
void run_http_close(struct run_http *http);

/* Sends; a request that is still under way is cancelled first. */
void run_http_send(struct run_http *http, const struct request *request, run_http_done *done,
                   void *context);
void run_http_cancel(struct run_http *http);

#endif
