/* One POST of libcurl's for each event and target. */
#include "webhook.h"

#include <schemagate/base/memory.h>

#include <stdio.h>
#include <stdlib.h>

struct webhook {
    struct transfers *transfers;
    CURL *handle;
    struct curl_slist *headers;
    char *body; /* owned */
    webhook_done *done;
    void *context;
};

void webhook_abandon(struct webhook *hook)
{
    transfers_remove(hook->transfers, hook->handle);
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

static void on_ended(void *context, CURL *handle, CURLcode result)
{
    char *hook;

    (void)context;
    curl_easy_getinfo(handle, CURLINFO_PRIVATE, &hook);
    finish((struct webhook *)(void *)hook, result);
}

struct transfers *webhook_transfers(struct event_base *base)
{
    return transfers_open(base, on_ended, NULL);
}

static size_t ignore(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes;
    (void)context;
    return size * count;
}

struct webhook *webhook_post(struct transfers *transfers, const struct webhook_request *request,
                             webhook_done *done, void *context)
{
    struct webhook *hook = memory_new(sizeof *hook);

    *hook = (struct webhook){.transfers = transfers,
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
    transfers_add(transfers, hook->handle);
    return hook;
}
