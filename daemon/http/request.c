/* A request: what is checked before its handler runs, and its end (request.h). */
#include "request.h"

#include "auth.h"
#include "guard.h"
#include "media.h"
#include "transport.h"
#include "wait.h"

#include <schemagate/base/memory.h>

#include <assert.h>
#include <inttypes.h>
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
    r->server->open_requests++;
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
    if (r->alarm != NULL) {
        event_free(r->alarm);
    }
    if (r->response != NULL) {
        MHD_destroy_response(r->response);
    }
    free(r);
}

/* ---- before the body: each step answers what is wrong and returns false ---- */

static bool check_framing(struct request *r)
{
    const char *wrong = NULL;

    if (r->headers[HEADER_CONTENT_LENGTH] != NULL && r->headers[HEADER_TRANSFER_ENCODING] != NULL) {
        wrong = "send either Content-Length or Transfer-Encoding, not both";
    } else if (r->duplicate_header) {
        wrong = "a header that may stand there once stands there twice";
    } else if (r->headers[HEADER_HOST] == NULL) {
        wrong = "send a Host header";
    }
    if (wrong != NULL) {
        request_problem(r, PROBLEM_BAD_REQUEST, NULL, wrong);
        request_header(r, "Connection", "close");
    }
    return wrong == NULL;
}

static bool check_certificate(struct request *r)
{
    if (transport_is_certified(r->transport, r->connection, r->peer)) {
        return true;
    }
    request_problem(r, PROBLEM_FORBIDDEN, NULL,
                    "connect with a client certificate of the authority in [http] tls_client_ca");
    return false;
}

/* "GET, HEAD, PUT" */
static void allow_methods(struct request *r, unsigned allowed)
{
    struct buf list = BUF_INIT(0);

    for (unsigned i = 0; i < METHODS; i++) {
        if ((allowed & 1U << i) != 0) {
            buf_printf(&list, "%s%s", method_name((enum method)i), i == METHOD_GET ? ", HEAD, " : ", ");
        }
    }
    request_header(r, "Allow", "%sOPTIONS", buf_text(&list));
    buf_free(&list);
}

static bool check_route(struct request *r)
{
    struct mistakes mistakes = {.in = "path"};
    unsigned allowed = 0;
    enum route_verdict verdict = ROUTE_NO_PATH;
    size_t length = strlen(r->path);

    if (length < PATH_SIZE) {
        memcpy(r->path_text, r->path, length + 1);
        verdict = route_find(r->method, r->path_text, &r->route, &r->at, &allowed, &mistakes);
    }
    switch (verdict) {
    case ROUTE_FOUND:
        return true;
    case ROUTE_NO_PATH:
        request_problem(r, PROBLEM_NOT_FOUND, NULL, "see /openapi.json for what is there");
        return false;
    case ROUTE_INVALID:
        request_problem_mistakes(r, &mistakes);
        return false;
    case ROUTE_NO_METHOD:
        break;
    }
    if (strcmp(r->method, "OPTIONS") == 0) {
        request_answer_empty(r, 204);
    } else {
        request_problem(r, PROBLEM_METHOD_NOT_ALLOWED, NULL, "use one of the methods in the Allow header");
    }
    allow_methods(r, allowed);
    return false;
}

static bool check_leadership(struct request *r)
{
    const struct coordinator *c = r->server->coordinator;
    enum coordinator_role role = coordinator_role(c);

    if ((r->route->flags & ROUTE_STANDBY) != 0 || (role != ROLE_STARTING && role != ROLE_STANDBY)) {
        return true;
    }
    if (role == ROLE_STARTING) {
        const char *trouble = coordinator_trouble(c);
        request_problem_f(r, PROBLEM_DATABASE_UNAVAILABLE, "%s%s", trouble,
                          *trouble != '\0' ? "" : "the daemon is starting; try again");
    } else {
        const char *leader = coordinator_leader_url(c);
        request_problem_f(r, PROBLEM_NOT_LEADER, "this daemon stands by; the leader is %s",
                          *leader != '\0' ? leader : "another one that names no advertise_url");
    }
    return false;
}

static bool check_media(struct request *r)
{
    static const struct {
        unsigned flag;
        const char *type;
    } offers[] = {{ROUTE_JSON, "application/json"}, {ROUTE_HTML, "text/html"}, {ROUTE_TEXT, "text/plain"}};
    bool has_body = r->headers[HEADER_CONTENT_LENGTH] != NULL
                        ? strcmp(r->headers[HEADER_CONTENT_LENGTH], "0") != 0
                        : r->headers[HEADER_TRANSFER_ENCODING] != NULL;
    unsigned best = 0;

    for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
        if ((r->route->flags & offers[i].flag) != 0) {
            unsigned quality = media_quality(r->headers[HEADER_ACCEPT], offers[i].type);
            best = quality > best ? quality : best;
        }
    }
    if (best == 0) {
        request_problem(r, PROBLEM_NOT_ACCEPTABLE, NULL,
                        (r->route->flags & ROUTE_JSON) != 0 ? "send Accept: application/json"
                        : (r->route->flags & ROUTE_HTML) != 0 ? "send Accept: text/html"
                                                              : "send Accept: text/plain");
        return false;
    }
    if (has_body && r->route->body != NULL && !media_is_json(r->headers[HEADER_CONTENT_TYPE])) {
        request_problem(r, PROBLEM_UNSUPPORTED_MEDIA_TYPE, NULL, "send Content-Type: application/json");
        return false;
    }
    return true;
}

static bool answer_too_large(struct request *r)
{
    request_problem_f(r, PROBLEM_TOO_LARGE,
                      "at most %" PRId64 " bytes are taken ([http] max_body_bytes)",
                      r->server->config->http.max_body_bytes);
    return false;
}

static bool check_length(struct request *r)
{
    const char *announced = r->headers[HEADER_CONTENT_LENGTH];
    uint64_t maximum = (uint64_t)r->server->config->http.max_body_bytes;

    r->announced = announced != NULL ? strtoull(announced, NULL, 10) : 0;
    if (r->announced > maximum) {
        return answer_too_large(r);
    }
    r->bytes = BUF_INIT(maximum);
    return true;
}

void request_begin(struct request *r)
{
    static bool (*const steps[])(struct request *) = {
        check_framing,    check_certificate, guard_check_host,  check_route, guard_check_site,
        auth_check,       check_leadership,  check_media,       check_length,
    };

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && steps[i](r); i++) {
    }
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
    if (r->route->query != NULL) {
        decode_defaults(r->route->query, r->query_values);
    }
    MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, take_parameter, &reading);
    if (r->route->query != NULL) {
        decode_finish(r->route->query, reading.seen, "", r->query_values, mistakes);
    }
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
    for (size_t i = 0; i < shape->count; i++) {
        if (shape->fields[i].required) {
            return false;
        }
    }
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
        request_problem_with(r, PROBLEM_NOT_JSON, nul ? "\\u0000 is not taken" : error.text, write_position, &error);
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
    if (r->answered) {
        return r->received <= (size_t)r->server->config->http.max_body_bytes * REFUSED_BODY_FACTOR;
    }
    if (r->route->body == NULL) {
        return r->received <= (size_t)r->server->config->http.max_body_bytes;
    }
    if (length == r->announced) {
        parse_body(r, bytes, length); /* it has come in one piece */
        return true;
    }
    buf_append(&r->bytes, bytes, length);
    if (r->bytes.overflowed) {
        answer_too_large(r);
    }
    return true;
}

void request_dispatch(struct request *r)
{
    struct mistakes mistakes; /* large, and empty nearly always: it is not zeroed */

    mistakes.count = 0;
    mistakes.whole_as_real = false;
    if (!r->answered && r->bytes.length > 0) {
        parse_body(r, r->bytes.data, r->bytes.length);
        buf_free(&r->bytes);
    }
    if (r->answered) {
        return;
    }
    assert(r->route->body == NULL || r->route->body->size <= sizeof(r->body_values));
    assert(r->route->query == NULL || r->route->query->size <= sizeof(r->query_values));
    read_query(r, &mistakes);
    if (r->route->body != NULL && !read_body(r, &mistakes)) {
        return;
    }
    if (mistakes.count > 0) {
        request_problem_mistakes(r, &mistakes);
    } else {
        r->route->handle(r);
    }
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

    wait_forget(r);
    if (r->held) {
        DL_DELETE2(server->held, r, held_prev, held_next);
    }
    r->connection = NULL;
    if (!r->expecting) {
        request_free(r);
    }
    http_server_request_ended(server);
}
