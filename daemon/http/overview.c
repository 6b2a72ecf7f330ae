/* GET /status and the page at /. */
#include "handlers.h"

#include "documents.h"
#include "etag.h"
#include "media.h"
#include "page.h"
#include "wait.h"

#include <inttypes.h>

struct status_query {
    int64_t wait, index;
};

static const struct field status_query_fields[] = {
    {"wait", FIELD_INTEGER, offsetof(struct status_query, wait), .high = WAIT_SECONDS_MAX,
     .about = "seconds to hold the answer back until there is something new"},
    {"index", FIELD_INTEGER, offsetof(struct status_query, index), .high = INT64_MAX, .fallback = -1,
     .about = "of the last answer; another one is answered at once"},
};
const struct shape status_query_shape = SHAPE(status_query_fields, struct status_query, NULL);

static void look_at_status(struct request *r, bool last)
{
    const struct status_query *query = request_query(r);
    const struct coordinator *c = r->server->coordinator;
    struct buf body = BUF_INIT(0);
    struct writer w = WRITER_INIT(&body);
    char tag[ETAG_SIZE];

    if (!last && query->index == coordinator_index(c))
        return;
    request_header(r, "X-Index", "%" PRId64, coordinator_index(c));
    if (etag_offer(r, etag_status(r->server, tag)))
        return;
    document_status(&w, r->server, r->caller->role);
    request_answer(r, 200, NULL, &body);
}

void overview_page(struct request *r)
{
    struct buf body = BUF_INIT(0);

    page_write(&body, r->server);
    request_header(r, "Content-Security-Policy",
                   "default-src 'none'; style-src %s; img-src data:; base-uri 'none'; "
                   "form-action 'none'; frame-ancestors 'none'",
                   r->server->style_source);
    request_header(r, "Referrer-Policy", "no-referrer");
    request_header(r, "Vary", "Accept");
    request_answer(r, 200, "text/html; charset=utf-8", &body);
}

void overview_status(struct request *r)
{
    const struct status_query *query = request_query(r);
    const char *accept = r->headers[HEADER_ACCEPT];

    /* Whoever takes both alike is no browser. */
    if (media_quality(accept, "text/html") > media_quality(accept, "application/json")) {
        overview_page(r);
        return;
    }
    request_header(r, "Vary", "Accept");
    look_at_status(r, query->wait == 0);
    if (!r->answered && !wait_begin(r, query->wait, look_at_status))
        request_problem(r, PROBLEM_TOO_MANY_WAITERS, NULL, "ask again later, or without ?wait=");
}
