/* The conversation of `run`: one request, one answer, on the loop. */
#include "run_http.h"

#include <schemagate/base/memory.h>
#include <schemagate/base/transfers.h>

#include <stdlib.h>

struct run_http {
    const struct transport *transport;
    struct transfers *transfers;
    struct event *answer; /* an answer (or the reason why none can come) is to be handed over */
    struct exchange exchange;
    CURLcode result;
    bool busy;
    run_http_done *done;
    void *context;
};

/* Answers are handed over from the loop, never from within curl or run_http_send. */
static void hand_over(struct run_http *http, CURLcode result)
{
    http->result = result;
    event_active(http->answer, EV_TIMEOUT, 0);
}

static void on_ended(void *context, CURL *handle, CURLcode result)
{
    struct run_http *http = context;
    if (http->busy && handle == http->exchange.easy)
        hand_over(http, result);
}

static void on_answer(evutil_socket_t fd, short what, void *context)
{
    struct run_http *http = context;
    (void)fd;
    (void)what;
    if (!http->busy)
        return;
    struct reply reply;
    if (http->exchange.easy)
        transfers_remove(http->transfers, http->exchange.easy);
    http->busy = false;
    exchange_finish(&http->exchange, http->result, http->transport, &reply);
    http->done(http->context, &reply);
    reply_free(&reply);
}

struct run_http *run_http_open(struct event_base *base, const struct transport *transport)
{
    struct run_http *http = memory_new(sizeof(*http));
    http->transport = transport;
    http->transfers = transfers_open(base, on_ended, http);
    http->answer = event_new(base, -1, 0, on_answer, http);
    return http;
}

void run_http_cancel(struct run_http *http)
{
    if (!http->busy)
        return;
    if (http->exchange.easy)
        transfers_remove(http->transfers, http->exchange.easy);
    exchange_drop(&http->exchange);
    http->busy = false;
    event_del(http->answer);
}

void run_http_close(struct run_http *http)
{
    if (!http)
        return;
    run_http_cancel(http);
    transfers_close(http->transfers);
    event_free(http->answer);
    free(http);
}

void run_http_send(struct run_http *http, const struct request *request, run_http_done *done,
                   void *context)
{
    run_http_cancel(http);
    http->busy = true;
    http->done = done;
    http->context = context;
    if (exchange_begin(&http->exchange, http->transport, request))
        transfers_add(http->transfers, http->exchange.easy);
    else
        hand_over(http, CURLE_OK);
}
