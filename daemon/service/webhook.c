/* libcurl tells which sockets and which timer it waits for; libevent tells it when they are ready. */
#include "webhook.h"

#include <schemagate/base/memory.h>

#include <curl/curl.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

struct webhook {
    struct webhook_client *client;
    CURL *handle;
    struct curl_slist *headers;
    char *body; /* owned */
    webhook_done *done;
    void *context;
};

struct webhook_client {
    struct event_base *base;
    struct event *timer;
    CURLM *multi;
};

void webhook_abandon(struct webhook *hook)
{
    curl_multi_remove_handle(hook->client->multi, hook->handle);
    curl_easy_cleanup(hook->handle);
    curl_slist_free_all(hook->headers);
    free(hook->body);
    free(hook);
}

static void finish(struct webhook *hook, CURLcode code)
{
    webhook_done *done = hook->done;
    void *context = hook->context;
    char trouble[128];
    long status = 0;

    curl_easy_getinfo(hook->handle, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK)
        snprintf(trouble, sizeof trouble, "answered %ld", status);
    else
        snprintf(trouble, sizeof trouble, "%s", curl_easy_strerror(code));
    webhook_abandon(hook);
    done(context, code == CURLE_OK && status / 100 == 2 ? NULL : trouble);
}

static void collect(struct webhook_client *client)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(client->multi, &left))) {
        char *hook;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &hook);
        finish((struct webhook *)(void *)hook, code);
    }
}

static void on_socket(evutil_socket_t fd, short what, void *context)
{
    struct webhook_client *client = context;
    int ready = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
    int running;

    curl_multi_socket_action(client->multi, fd, ready, &running);
    collect(client);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    struct webhook_client *client = context;
    int running;

    (void)fd;
    (void)what;
    curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(client);
}

/* `assigned` is what was given to curl_multi_assign for the socket: its event, or NULL. */
static int watch_socket(CURL *handle, curl_socket_t fd, int what, void *context, void *assigned)
{
    struct webhook_client *client = context;
    struct event *event = assigned;
    int wanted = (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST;

    (void)handle;
    if (event)
        event_free(event);
    event = NULL;
    if (what != CURL_POLL_REMOVE) {
        event = event_new(client->base, fd, (short)wanted, on_socket, client);
        event_add(event, NULL);
    }
    curl_multi_assign(client->multi, fd, event);
    return 0;
}

static int watch_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct webhook_client *client = context;
    struct timeval wait = {timeout_ms / 1000, timeout_ms % 1000 * 1000};

    (void)multi;
    if (timeout_ms < 0)
        event_del(client->timer);
    else
        event_add(client->timer, &wait);
    return 0;
}

static size_t ignore(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes;
    (void)context;
    return size * count;
}

struct webhook_client *webhook_client_new(struct event_base *base)
{
    struct webhook_client *client = memory_new(sizeof *client);

    curl_global_init(CURL_GLOBAL_DEFAULT);
    client->base = base;
    client->timer = evtimer_new(base, on_timer, client);
    client->multi = curl_multi_init();
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, watch_timer);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    return client;
}

void webhook_client_free(struct webhook_client *client)
{
    if (!client)
        return;
    curl_multi_cleanup(client->multi);
    event_free(client->timer);
    free(client);
    curl_global_cleanup();
}

struct webhook *webhook_post(struct webhook_client *client, const struct webhook_request *request,
                             webhook_done *done, void *context)
{
    struct webhook *hook = memory_new(sizeof *hook);

    *hook = (struct webhook){.client = client,
                             .handle = curl_easy_init(),
                             .body = memory_copy_n(request->body, request->body_length),
                             .done = done,
                             .context = context};
    for (size_t i = 0; request->headers[i]; i++)
        hook->headers = curl_slist_append(hook->headers, request->headers[i]);
    curl_easy_setopt(hook->handle, CURLOPT_PRIVATE, hook);
    curl_easy_setopt(hook->handle, CURLOPT_URL, request->url);
    curl_easy_setopt(hook->handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(hook->handle, CURLOPT_HTTPHEADER, hook->headers);
    curl_easy_setopt(hook->handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
    curl_easy_setopt(hook->handle, CURLOPT_POSTFIELDS, hook->body);
    curl_easy_setopt(hook->handle, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(hook->handle, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(hook->handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(hook->handle, CURLOPT_USERAGENT, "schemagate/" SCHEMAGATE_VERSION);
    curl_multi_add_handle(client->multi, hook->handle);
    return hook;
}
