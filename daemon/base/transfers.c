/* libcurl's multi interface on libevent. */
#include <schemagate/base/transfers.h>

#include <schemagate/base/memory.h>

#include <event2/event.h>
#include <stdlib.h>
#include <sys/time.h>

struct transfers {
    struct event_base *base;
    struct event *timer;
    CURLM *multi;
    transfers_ended *ended;
    void *context;
};

static void collect(struct transfers *transfers)
{
    const CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(transfers->multi, &left)) != NULL)
        if (message->msg == CURLMSG_DONE)
            transfers->ended(transfers->context, message->easy_handle, message->data.result);
}

static void on_socket(evutil_socket_t fd, short what, void *context)
{
    struct transfers *transfers = context;
    int ready =
        ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) | ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
    int running;

    curl_multi_socket_action(transfers->multi, fd, ready, &running);
    collect(transfers);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    struct transfers *transfers = context;
    int running;

    (void)fd;
    (void)what;
    curl_multi_socket_action(transfers->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(transfers);
}

/* `assigned` is what was given to curl_multi_assign for the socket: its event, or NULL. */
static int watch_socket(CURL *handle, curl_socket_t fd, int what, void *context, void *assigned)
{
    struct transfers *transfers = context;
    struct event *event = assigned;

    (void)handle;
    if (event != NULL)
        event_free(event);
    event = NULL;
    if (what != CURL_POLL_REMOVE) {
        short wanted = (short)(((what & CURL_POLL_IN) != 0 ? EV_READ : 0) |
                               ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0) | EV_PERSIST);
        event = event_new(transfers->base, fd, wanted, on_socket, transfers);
        event_add(event, NULL);
    }
    curl_multi_assign(transfers->multi, fd, event);
    return 0;
}

static int watch_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct transfers *transfers = context;
    struct timeval wait = {timeout_ms / 1000, timeout_ms % 1000 * 1000};

    (void)multi;
    if (timeout_ms < 0)
        event_del(transfers->timer);
    else
        event_add(transfers->timer, &wait);
    return 0;
}

struct transfers *transfers_open(struct event_base *base, transfers_ended *ended, void *context)
{
    struct transfers *transfers = memory_new(sizeof(*transfers));

    curl_global_init(CURL_GLOBAL_DEFAULT);
    *transfers = (struct transfers){
        .base = base, .multi = curl_multi_init(), .ended = ended, .context = context};
    transfers->timer = evtimer_new(base, on_timer, transfers);
    curl_multi_setopt(transfers->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(transfers->multi, CURLMOPT_SOCKETDATA, transfers);
    curl_multi_setopt(transfers->multi, CURLMOPT_TIMERFUNCTION, watch_timer);
    curl_multi_setopt(transfers->multi, CURLMOPT_TIMERDATA, transfers);
    return transfers;
}

void transfers_close(struct transfers *transfers)
{
    if (transfers == NULL)
        return;
    curl_multi_cleanup(transfers->multi);
    event_free(transfers->timer);
    free(transfers);
    curl_global_cleanup();
}

void transfers_add(struct transfers *transfers, CURL *handle)
{
    curl_multi_add_handle(transfers->multi, handle);
}

void transfers_remove(struct transfers *transfers, CURL *handle)
{
    curl_multi_remove_handle(transfers->multi, handle);
}
