/* HTTP requests to others, without blocking the loop. */
#ifndef SERVICE_WEBHOOK_H
#define SERVICE_WEBHOOK_H

#include <schemagate/base/transfers.h>

#include <stddef.h>
#include <stdint.h>

struct webhook;

/* Where webhooks take place; for transfers_close. */
struct transfers *webhook_transfers(struct event_base *base);

/* Read before webhook_post returns. */
struct webhook_request {
    const char *url;                 /* http or https */
    const char *const *headers;      /* "Name: value"; NULL at the end */
    const char *body;
    size_t body_length;
    int64_t timeout_ms;
};

/* trouble: NULL where the answer was 2xx; else "answered 503", "Connection refused", … The URL is not
 * in it: it may hold a secret. Called exactly once, from the loop. */
typedef void webhook_done(void *context, const char *trouble);

struct webhook *webhook_post(struct transfers *transfers, const struct webhook_request *request,
                             webhook_done *done, void *context);
/* Ends it without a word: `done` is not called. */
void webhook_abandon(struct webhook *hook);

#endif
