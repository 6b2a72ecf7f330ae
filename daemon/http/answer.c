/* Answers: documents, problems, and how they leave (request.h). */
#include "request.h"

#include "documents.h"
#include "transport.h"
#include "wait.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define JSON_TYPE "application/json"
#define PROBLEM_TYPE "application/problem+json"
#define SHORT_DOCUMENT 640
#define IDENTIFIER_MAX 128
#define IDENTIFIER_CHARACTERS                                                                      \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/+=@-"

static void take_header(struct request *r, const char *name, char *value)
{
    struct answer_header *header = memory_new(sizeof(*header));

    *header = (struct answer_header){.name = name, .value = value};
    LL_APPEND(r->answer_headers, header);
}

void request_header(struct request *r, const char *name, const char *format, ...)
{
    va_list arguments;
    struct buf value = BUF_INIT(0);

    va_start(arguments, format);
    buf_vprintf(&value, format, arguments);
    va_end(arguments);
    take_header(r, name, buf_take(&value));
}

/* ---- what is sent ---- */

static void make_pretty(struct buf *body)
{
    json_t *document = json_loadb(body->data, body->length, 0, NULL);
    char *text = document != NULL ? json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;

    if (text != NULL) {
        buf_free(body);
        buf_puts(body, text);
        buf_puts(body, "\n");
    }
    free(text);
    json_decref(document);
}

/* The request has its answer: a connection that was suspended for it goes on. */
static void settle(struct request *r, unsigned status, struct MHD_Response *response)
{
    r->status = status;
    r->response = response;
    r->answered = true;
    wait_forget(r);
    if (r->held) {
        r->held = false;
        DL_DELETE2(r->server->held, r, held_prev, held_next);
        MHD_resume_connection(r->connection);
        transport_run_soon(r->transport);
    }
}

void request_answer(struct request *r, unsigned status, const char *type, struct buf *body)
{
    if (type == NULL)
        type = JSON_TYPE;
    if (r->pretty && strstr(type, "json") != NULL)
        make_pretty(body);
    size_t length = body->length;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(length, buf_take(body), MHD_RESPMEM_MUST_FREE);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    settle(r, status, response);
}

struct buf request_buffer(void)
{
    return (struct buf){.data = memory_grow(NULL, SHORT_DOCUMENT, 1), .capacity = SHORT_DOCUMENT};
}

void request_answer_empty(struct request *r, unsigned status)
{
    settle(r, status, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
}

/* ---- problems ---- */

struct problem_members {
    const struct mistakes *mistakes;               /* or NULL */
    void (*more)(struct writer *w, const void *context); /* or NULL */
    const void *context;
};

static void write_mistakes(struct writer *w, const struct mistakes *mistakes)
{
    writer_open_list(w, "errors");
    for (size_t i = 0; i < mistakes->count; i++) {
        writer_open_object(w, NULL);
        writer_text(w, "pointer", mistakes->items[i].pointer);
        writer_text(w, "in", mistakes->items[i].in);
        writer_text(w, "detail", mistakes->items[i].detail);
        writer_close_object(w);
    }
    writer_close_list(w);
}

static void answer_problem(struct request *r, unsigned problem, const char *detail,
                           const struct problem_members *members)
{
    const struct problem_kind *kind = problem_kind(problem);
    struct buf body = BUF_INIT(0);
    struct writer w = WRITER_INIT(&body);
    char urn[80];

    snprintf(urn, sizeof(urn), PROBLEM_URN "%s", kind->slug);
    writer_open_object(&w, NULL);
    writer_text(&w, "type", urn);
    writer_text(&w, "title", kind->title);
    writer_number(&w, "status", kind->status);
    writer_text(&w, "detail", detail != NULL ? detail : kind->title);
    writer_text(&w, "instance", r->path);
    if (members->mistakes != NULL)
        write_mistakes(&w, members->mistakes);
    if (members->more != NULL)
        members->more(&w, members->context);
    writer_close_object(&w);
    if (kind->retry_after_seconds > 0)
        request_header(r, MHD_HTTP_HEADER_RETRY_AFTER, "%u", kind->retry_after_seconds);
    request_answer(r, kind->status, PROBLEM_TYPE, &body);
}

void request_problem_with(struct request *r, unsigned problem, const char *detail,
                          void (*more)(struct writer *w, const void *context), const void *context)
{
    answer_problem(r, problem, detail, &(struct problem_members){.more = more, .context = context});
}

void request_problem(struct request *r, unsigned problem, const char *pointer, const char *detail)
{
    struct mistakes mistakes;

    if (pointer == NULL) {
        answer_problem(r, problem, detail, &(struct problem_members){.more = NULL});
    } else {
        mistakes_begin(&mistakes, "body");
        mistakes_add(&mistakes, pointer, NULL, "%s", detail != NULL ? detail : "is wrong");
        answer_problem(r, problem, detail, &(struct problem_members){.mistakes = &mistakes});
    }
}

void request_problem_f(struct request *r, unsigned problem, const char *format, ...)
{
    struct buf detail = BUF_INIT(0);
    va_list arguments;

    va_start(arguments, format);
    buf_vprintf(&detail, format, arguments);
    va_end(arguments);
    request_problem(r, problem, NULL, buf_text(&detail));
    buf_free(&detail);
}

void request_problem_mistakes(struct request *r, const struct mistakes *mistakes)
{
    const struct mistake *first = &mistakes->items[0];
    char detail[sizeof(first->pointer) + sizeof(first->detail) + 8];

    snprintf(detail, sizeof(detail), "%s %s", *first->pointer != '\0' ? first->pointer : "the body",
             first->detail);
    answer_problem(r, PROBLEM_INVALID, detail, &(struct problem_members){.mistakes = mistakes});
}

/* ---- what the coordinator found wrong ---- */

struct refusal {
    const struct coordinator *coordinator;
    const struct outcome *outcome;
};

static void write_too_old(struct writer *w, const void *context)
{
    const struct refusal *refusal = context;

    document_window(w, "window", &coordinator_window(refusal->coordinator)->window);
    writer_version(w, "needed", refusal->outcome->needed);
}

static void write_findings(struct writer *w, const void *context)
{
    const struct refusal *refusal = context;

    document_findings(w, refusal->outcome->plan);
}

static void write_actions(struct writer *w, const void *context)
{
    const struct refusal *refusal = context;

    if (refusal->outcome->migration != NULL) {
        document_actions(w, refusal->coordinator, refusal->outcome->migration);
    }
}

void request_problem_outcome(struct request *r, const struct outcome *outcome)
{
    static const struct {
        enum problem problem;
        void (*more)(struct writer *w, const void *context);
    } additions[] = {
        {PROBLEM_SCHEMA_TOO_OLD, write_too_old},
        {PROBLEM_RANGE_NOT_SERVED, write_too_old},
        {PROBLEM_PLAN_REFUSED, write_findings},
        {PROBLEM_INVALID_TRANSITION, write_actions},
        {PROBLEM_NO_UNDO, write_actions},
    };
    const struct refusal refusal = {.coordinator = r->server->coordinator, .outcome = outcome};

    for (size_t i = 0; i < sizeof(additions) / sizeof(additions[0]); i++) {
        if (additions[i].problem == outcome->problem &&
            (outcome->problem != PROBLEM_PLAN_REFUSED || outcome->plan != NULL)) {
            request_problem_with(r, outcome->problem, outcome->detail, additions[i].more, &refusal);
            return;
        }
    }
    request_problem(r, outcome->problem, outcome->pointer, outcome->detail);
}

bool request_succeeded(struct request *r, const struct outcome *outcome)
{
    if (!request_returned(r))
        return false;
    if (outcome->problem != PROBLEM_NONE) {
        request_problem_outcome(r, outcome);
        return false;
    }
    return true;
}

void request_answer_outcome(struct request *r, const struct outcome *outcome,
                            void (*write_members)(struct writer *w, const struct request *r))
{
    struct buf body = BUF_INIT(0);
    struct writer w = WRITER_INIT(&body);

    if (!request_succeeded(r, outcome))
        return;
    writer_open_object(&w, NULL);
    write_members(&w, r);
    writer_close_object(&w);
    request_answer(r, outcome->created ? 201 : 200, NULL, &body);
}

/* ---- how it leaves ---- */

/* Text that a client gave and that goes into its answer and our log. */
static bool is_identifier(const char *text)
{
    size_t length = text != NULL ? strlen(text) : 0;

    return length > 0 && length <= IDENTIFIER_MAX && strspn(text, IDENTIFIER_CHARACTERS) == length;
}

/* W3C Trace Context, version 00: 00-<32 hex>-<16 hex>-<2 hex>. */
static bool is_trace_parent(const char *text)
{
    static const size_t dashes[] = {2, 35, 52};

    if (text == NULL || strlen(text) != 55 || strncmp(text, "00", 2) != 0)
        return false;
    for (size_t i = 0; i < sizeof(dashes) / sizeof(dashes[0]); i++)
        if (text[dashes[i]] != '-')
            return false;
    return strspn(text, "0123456789abcdef-") == 55;
}

static void log_request(const struct request *r, const char *id, const char *trace)
{
    char actor[CALLER_ACTOR_SIZE];

    if (r->server->config->log.level < LOG_LEVEL_DEBUG)
        return; /* even to gather the fields would cost renewals some percent */
    log_debug("request", LOG_TEXT("method", r->method), LOG_TEXT("path", r->path),
              LOG_NUMBER("status", r->status), LOG_TEXT("actor", caller_actor(r->caller, actor)),
              LOG_TEXT("request_id", id), LOG_TEXT("traceparent", trace));
}

enum MHD_Result request_send(struct request *r)
{
    const char *id = r->headers[HEADER_X_REQUEST_ID], *trace = r->headers[HEADER_TRACEPARENT];

    if (is_identifier(id))
        MHD_add_response_header(r->response, "X-Request-Id", id);
    else
        id = NULL;
    if (is_trace_parent(trace))
        MHD_add_response_header(r->response, "traceparent", trace);
    else
        trace = NULL;
    if (r->route != NULL && r->route->method == METHOD_GET) {
        MHD_add_response_header(r->response, MHD_HTTP_HEADER_CACHE_CONTROL, "private, no-cache");
        MHD_add_response_header(r->response, "X-Content-Type-Options", "nosniff");
    }
    for (const struct answer_header *header = r->answer_headers; header != NULL; header = header->next)
        MHD_add_response_header(r->response, header->name, header->value);
    if (r->server->stopping)
        MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONNECTION, "close");
    r->server->answers[r->status / 100]++;
    log_request(r, id, trace);
    return MHD_queue_response(r->connection, r->status, r->response);
}
