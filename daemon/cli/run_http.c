/* libcurl's multi interface on libevent. */
#include "run_http.h"

#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <sys/time.h>

struct run_http {
    struct event_base *base;
    const struct transport *transport;
    CURLM *multi;
    struct event *timer;  /* curl's time-outs */
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

static void collect(struct run_http *http)
{
    int left;
    const CURLMsg *message;
    while ((message = curl_multi_info_read(http->multi, &left)))
        if (message->msg == CURLMSG_DONE && http->busy &&
            message->easy_handle == http->exchange.easy)
            hand_over(http, message->data.result);
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
        curl_multi_remove_handle(http->multi, http->exchange.easy);
    http->busy = false;
    exchange_finish(&http->exchange, http->result, http->transport, &reply);
    http->done(http->context, &reply);
    reply_free(&reply);
}

static void on_socket(evutil_socket_t fd, short what, void *context)
{
    struct run_http *http = context;
    int actions = ((what & EV_READ) ? CURL_CSELECT_IN : 0) |
                  ((what & EV_WRITE) ? CURL_CSELECT_OUT : 0);
    int running;
    curl_multi_socket_action(http->multi, fd, actions, &running);
    collect(http);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    struct run_http *http = context;
    int running;
    (void)fd;
    (void)what;
    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(http);
}

/* curl says what it wants to know about a socket; `known` is our event of it. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
    struct run_http *http = context;
    struct event *event = known;
    (void)easy;
    if (event)
        event_free(event);
    event = NULL;
    if (what != CURL_POLL_REMOVE) {
        short wanted = (short)(((what & CURL_POLL_IN) ? EV_READ : 0) |
                               ((what & CURL_POLL_OUT) ? EV_WRITE : 0));
        event = event_new(http->base, fd, (short)(wanted | EV_PERSIST), on_socket, http);
        event_add(event, NULL);
    }
    curl_multi_assign(http->multi, fd, event);
    return 0;
}

static int watch_timer(CURLM *multi, long milliseconds, void *context)
{
    struct run_http *http = context;
    (void)multi;
    if (milliseconds < 0) {
        event_del(http->timer);
        return 0;
    }
    struct timeval delay = {milliseconds / 1000, milliseconds % 1000 * 1000};
    event_add(http->timer, &delay);
    return 0;
}

struct run_http *run_http_open(struct event_base *base, const struct transport *transport)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct run_http *http = memory_new(sizeof(*http));
    *http = (struct run_http){.base = base, .transport = transport, .multi = curl_multi_init()};
    http->timer = event_new(base, -1, 0, on_timer, http);
    http->answer = event_new(base, -1, 0, on_answer, http);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, watch_timer);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    return http;
}

void run_http_cancel(struct run_http *http)
{
    if (!http->busy)
        return;
    if (http->exchange.easy)
        curl_multi_remove_handle(http->multi, http->exchange.easy);
    exchange_drop(&http->exchange);
    http->busy = false;
    event_del(http->answer);
}

void run_http_close(struct run_http *http)
{
    if (!http)
        return;
    run_http_cancel(http);
    curl_multi_cleanup(http->multi);
    event_free(http->timer);
    event_free(http->answer);
    free(http);
    curl_global_cleanup();
}

void run_http_send(struct run_http *http, const struct request *request, run_http_done *done,
                   void *context)
{
    run_http_cancel(http);
    http->busy = true;
    http->done = done;
    http->context = context;
    if (exchange_begin(&http->exchange, http->transport, request))
        curl_multi_add_handle(http->multi, http->exchange.easy);
    else
        hand_over(http, CURLE_OK);
}
