/* One request, from its first byte to the last of its answer.
 *
 * libmicrohttpd calls three times: with the headers (here it is checked who may do what), with the body's
 * pieces, and at the end (here the route's handler runs). A handler answers at once, or lets the request be
 * held (its connection is suspended) and answers later, exactly once.
 *
 * A request outlives its connection while the coordinator still owes an answer. A handler that passes it
 * to the coordinator calls request_expect before and begins its callback with request_returned. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "caller.h"
#include "problem.h"
#include "route.h"
#include "server.h"
#include "writer.h"

#include <microhttpd.h>

enum header {
    HEADER_ACCEPT,
    HEADER_AUTHORIZATION,
    HEADER_CONTENT_LENGTH,
    HEADER_CONTENT_TYPE,
    HEADER_EXPECT,
    HEADER_HOST,
    HEADER_IF_MATCH,
    HEADER_IF_NONE_MATCH,
    HEADER_ORIGIN,
    HEADER_SEC_FETCH_SITE,
    HEADER_TRACEPARENT,
    HEADER_TRANSFER_ENCODING,
    HEADER_X_REQUEST_ID,
    HEADERS
};

struct answer_header {
    const char *name; /* static */
    char *value;      /* owned */
    struct answer_header *next;
};

struct event;

struct request {
    struct http_server *server;
    struct transport *transport;
    struct MHD_Connection *connection; /* NULL: it is gone, only the coordinator's answer is awaited */
    struct peer *peer;
    const struct caller *caller; /* never NULL once the route was found */

    const char *method, *path;      /* as sent */
    const char *headers[HEADERS];   /* NULL: not there */
    const struct route *route;
    struct path_values at;          /* points into path_text */
    bool pretty, duplicate_header;
    size_t head_bytes;              /* about what its headers take of the connection's memory */

    struct buf bytes; /* the body, where it comes in pieces */
    uint64_t announced; /* its length, 0 where that is not known before */
    size_t received;
    json_t *document; /* the parsed body; texts in request_body point into it */
    bool whole_as_real; /* struct mistakes */

    bool dispatched, expecting, held, answered;
    unsigned status;
    struct MHD_Response *response;
    struct answer_header *answer_headers;

    /* Of long polls; see wait.h. */
    void (*look)(struct request *request, bool last); /* NULL: it does not wait */
    struct event *alarm;
    bool time_is_up, created;
    int64_t seen_index; /* of the event list, when it was read last */
    struct request *held_prev, *held_next;
    struct request *waiter_prev, *waiter_next;

    /* From here on nothing is zeroed. */
    char path_text[PATH_SIZE];
    _Alignas(max_align_t) unsigned char body_values[160];
    _Alignas(max_align_t) unsigned char query_values[96];
};

/* What the shapes of the route have decoded. */
static inline const void *request_body(const struct request *r)
{
    return r->body_values;
}

static inline const void *request_query(const struct request *r)
{
    return r->query_values;
}

void request_expect(struct request *r);
/* False: nobody waits for the answer any more, and the request is gone. */
bool request_returned(struct request *r);

/* ---- answers; see answer.c ---- */

/* Sets a header of the answer. */
void request_header(struct request *r, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Answers with what stands in `body`, which is emptied. type NULL: application/json. */
void request_answer(struct request *r, unsigned status, const char *type, struct buf *body);
/* With room for a short document, so that it need not grow. */
struct buf request_buffer(void);
void request_answer_empty(struct request *r, unsigned status);

/* problem: enum problem or enum http_problem. detail: what is wrong and what to do. pointer: NULL or the JSON
 * pointer of the member that is meant. */
void request_problem(struct request *r, unsigned problem, const char *pointer, const char *detail);
void request_problem_f(struct request *r, unsigned problem, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void request_problem_mistakes(struct request *r, const struct mistakes *mistakes);

/* The same with members of its own: more(w, context) writes them. */
void request_problem_with(struct request *r, unsigned problem, const char *detail,
                          void (*more)(struct writer *w, const void *context), const void *context);

/* Answers what the coordinator found wrong. */
void request_problem_outcome(struct request *r, const struct outcome *outcome);

/* What became of the request in the coordinator. False: nobody waits for the answer any more, or something
 * was wrong, which has been answered. */
bool request_succeeded(struct request *r, const struct outcome *outcome);

/* Answers what was wrong, or an object, with status 201 where something was created. */
void request_answer_outcome(struct request *r, const struct outcome *outcome,
                            void (*write_members)(struct writer *w, const struct request *r));

/* ---- for transport.c ---- */

struct request *request_new(struct transport *transport, struct MHD_Connection *connection,
                            const char *path, const char *method);
/* checks.c: checks everything that can be known before the body; what is wrong is answered. */
void request_begin(struct request *r);
bool request_is_too_large(struct request *r); /* answers so; always false */
/* False where another daemon leads, or none yet: answered. A long poll asks again whenever it looks. */
bool request_check_leadership(struct request *r);
/* False: far more than can be listened to; the connection is to be closed. */
bool request_take(struct request *r, const char *bytes, size_t length);
/* Reads body and query and runs the handler. */
void request_dispatch(struct request *r);
/* Its connection is about to be suspended until it is answered. */
void request_hold(struct request *r);
enum MHD_Result request_send(struct request *r);
/* The connection is done with it. */
void request_gone(struct request *r);

#endif
