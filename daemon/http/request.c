/* A request: how it begins, its body and query, its handler, its end (request.h). */
#include "request.h"

#include "transport.h"
#include "wait.h"

#include <schemagate/base/memory.h>

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utlist.h>

/* A body that is refused is read to its end so that the client can read the answer, but not for ever. */
#define REFUSED_BODY_FACTOR 16
/* What libmicrohttpd keeps for each header beside its text. */
#define HEADER_RECORD_BYTES 64

static const struct {
    const char *name;
    size_t length;
    bool once; /* a second one makes it doubtful which counts */
} header_names[HEADERS] = {
#define HEADER(name_, once_) {name_, sizeof(name_) - 1, once_}
    [HEADER_ACCEPT] = HEADER("Accept", false),
    [HEADER_AUTHORIZATION] = HEADER("Authorization", true),
    [HEADER_CONTENT_LENGTH] = HEADER("Content-Length", true),
    [HEADER_CONTENT_TYPE] = HEADER("Content-Type", true),
    [HEADER_EXPECT] = HEADER("Expect", false),
    [HEADER_HOST] = HEADER("Host", true),
    [HEADER_IF_MATCH] = HEADER("If-Match", true),
    [HEADER_IF_NONE_MATCH] = HEADER("If-None-Match", true),
    [HEADER_ORIGIN] = HEADER("Origin", true),
    [HEADER_SEC_FETCH_SITE] = HEADER("Sec-Fetch-Site", true),
    [HEADER_TRACEPARENT] = HEADER("traceparent", false),
    [HEADER_TRANSFER_ENCODING] = HEADER("Transfer-Encoding", true),
    [HEADER_X_REQUEST_ID] = HEADER("X-Request-Id", false),
#undef HEADER
};

static enum MHD_Result take_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   size_t name_length, const char *value, size_t value_length)
{
    struct request *r = context;

    (void)kind;
    r->head_bytes += name_length + value_length + HEADER_RECORD_BYTES;
    for (size_t i = 0; i < HEADERS; i++) {
        if (header_names[i].length == name_length && strcasecmp(header_names[i].name, name) == 0) {
            r->duplicate_header |= header_names[i].once && r->headers[i] != NULL;
            r->headers[i] = value != NULL ? value : "";
            break;
        }
    }
    return MHD_YES;
}

struct request *request_new(struct transport *transport, struct MHD_Connection *connection,
                            const char *path, const char *method)
{
    static const struct caller nobody = {.role = CALLER_VIEWER, .name = "anonymous"};
    struct request *r = memory_grow(NULL, 1, sizeof(*r));

    memset(r, 0, offsetof(struct request, path_text));
    r->path_text[0] = '\0';
    r->server = transport->server;
    r->transport = transport;
    r->connection = connection;
    r->peer = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    r->caller = &nobody;
    r->method = method;
    r->path = path;
    r->head_bytes = strlen(path) + strlen(method);
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, take_header, r);
    return r;
}

static void request_free(struct request *r)
{
    json_decref(r->document);
    buf_free(&r->bytes);
    while (r->answer_headers != NULL) {
        struct answer_header *header = r->answer_headers;
        LL_DELETE(r->answer_headers, header);
        free(header->value);
        free(header);
    }
    if (r->alarm != NULL)
        event_free(r->alarm);
    if (r->response != NULL)
        MHD_destroy_response(r->response);
    free(r);
}

/* ---- body and query ---- */

struct query_reading {
    struct request *request;
    struct mistakes *mistakes;
    uint32_t seen;
};

static enum MHD_Result take_parameter(void *context, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    struct query_reading *reading = context;
    struct request *r = reading->request;

    (void)kind;
    if (strcmp(name, "pretty") == 0) {
        r->pretty = true;
    } else if (r->route->query != NULL) {
        decode_parameter(r->route->query, name, value, r->query_values, &reading->seen,
                         reading->mistakes);
    } else if (r->route->roles != 0) { /* probes may add what they like to get past caches */
        mistakes_add(reading->mistakes, "", name, "is not a parameter that is known here");
    }
    return MHD_YES;
}

static void read_query(struct request *r, struct mistakes *mistakes)
{
    struct query_reading reading = {.request = r, .mistakes = mistakes};

    mistakes->in = "query";
    if (r->route->query != NULL)
        decode_defaults(r->route->query, r->query_values);
    MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, take_parameter, &reading);
    if (r->route->query != NULL)
        decode_finish(r->route->query, reading.seen, "", r->query_values, mistakes);
}

static void write_position(struct writer *w, const void *context)
{
    const json_error_t *error = context;

    writer_open_object(w, "position");
    writer_number(w, "line", error->line);
    writer_number(w, "column", error->column);
    writer_close_object(w);
}

static bool shape_needs_nothing(const struct shape *shape)
{
    for (size_t i = 0; i < shape->count; i++)
        if (shape->fields[i].required)
            return false;
    return true;
}

static void parse_body(struct request *r, const char *bytes, size_t length)
{
    json_error_t error;

    r->document = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &error);
    if (r->document == NULL && json_error_code(&error) == json_error_numeric_overflow) {
        /* Read so, the number can be refused by its member's name. */
        r->whole_as_real = true;
        r->document =
            json_loadb(bytes, length, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
    }
    if (r->document == NULL) {
        bool nul = json_error_code(&error) == json_error_null_character;
        request_problem_with(r, PROBLEM_NOT_JSON, nul ? "\\u0000 is not taken" : error.text,
                             write_position, &error);
    }
}

/* False: answered. */
static bool read_body(struct request *r, struct mistakes *mistakes)
{
    mistakes->in = "body";
    mistakes->whole_as_real = r->whole_as_real;
    if (r->received == 0 && shape_needs_nothing(r->route->body)) {
        decode_defaults(r->route->body, r->body_values);
        return true;
    }
    if (r->received == 0) {
        request_problem(r, PROBLEM_NOT_JSON, NULL, "the body is empty");
        return false;
    }
    decode_object(r->route->body, r->document, "", r->body_values, mistakes);
    return true;
}

bool request_take(struct request *r, const char *bytes, size_t length)
{
    r->received += length;
    if (r->answered)
        return r->received <= (size_t)r->server->config->http.max_body_bytes * REFUSED_BODY_FACTOR;
    if (r->route->body == NULL)
        return r->received <= (size_t)r->server->config->http.max_body_bytes;
    if (length == r->announced) {
        parse_body(r, bytes, length); /* it has come in one piece */
        return true;
    }
    buf_append(&r->bytes, bytes, length);
    if (r->bytes.overflowed)
        request_is_too_large(r);
    return true;
}

void request_dispatch(struct request *r)
{
    struct mistakes mistakes;

    mistakes_begin(&mistakes, "body");
    if (!r->answered && r->bytes.length > 0) {
        parse_body(r, r->bytes.data, r->bytes.length);
        buf_free(&r->bytes);
    }
    if (r->answered)
        return;
    assert(r->route->body == NULL || r->route->body->size <= sizeof(r->body_values));
    assert(r->route->query == NULL || r->route->query->size <= sizeof(r->query_values));
    read_query(r, &mistakes);
    if (r->route->body != NULL && !read_body(r, &mistakes))
        return;
    if (mistakes.count > 0)
        request_problem_mistakes(r, &mistakes);
    else
        r->route->handle(r);
}

/* ---- its end ---- */

void request_hold(struct request *r)
{
    r->held = true;
    DL_APPEND2(r->server->held, r, held_prev, held_next);
}

void request_expect(struct request *r)
{
    r->expecting = true;
}

bool request_returned(struct request *r)
{
    r->expecting = false;
    if (r->connection == NULL) {
        request_free(r);
        return false;
    }
    return true;
}

void request_gone(struct request *r)
{
    struct http_server *server = r->server;
    bool was_open = r->dispatched;

    wait_forget(r);
    if (r->held)
        DL_DELETE2(server->held, r, held_prev, held_next);
    r->connection = NULL;
    if (!r->expecting)
        request_free(r);
    if (was_open)
        http_server_request_ended(server);
}
