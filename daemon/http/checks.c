/* What is checked before a request's body is read. Each step answers what is wrong and returns false. */
#include "request.h"

#include "auth.h"
#include "guard.h"
#include "media.h"
#include "transport.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool check_framing(struct request *r)
{
    const char *wrong = NULL;

    if (r->headers[HEADER_CONTENT_LENGTH] != NULL && r->headers[HEADER_TRANSFER_ENCODING] != NULL)
        wrong = "send either Content-Length or Transfer-Encoding, not both";
    else if (r->duplicate_header)
        wrong = "a header that may stand there once stands there twice";
    else if (r->headers[HEADER_HOST] == NULL)
        wrong = "send a Host header";
    if (wrong != NULL) {
        request_problem(r, PROBLEM_BAD_REQUEST, NULL, wrong);
        request_header(r, "Connection", "close");
    }
    return wrong == NULL;
}

static bool check_certificate(struct request *r)
{
    if (transport_is_certified(r->transport, r->connection, r->peer))
        return true;
    request_problem(r, PROBLEM_FORBIDDEN, NULL,
                    "connect with a client certificate of the authority in [http] tls_client_ca");
    return false;
}

/* "GET, HEAD, PUT" */
static void allow_methods(struct request *r, unsigned allowed)
{
    struct buf list = BUF_INIT(0);

    for (unsigned i = 0; i < METHODS; i++)
        if ((allowed & 1U << i) != 0)
            buf_printf(&list, "%s%s", method_name((enum method)i), i == METHOD_GET ? ", HEAD, " : ", ");
    request_header(r, "Allow", "%sOPTIONS", buf_text(&list));
    buf_free(&list);
}

static bool check_route(struct request *r)
{
    struct mistakes mistakes;
    unsigned allowed = 0;
    enum route_verdict verdict = ROUTE_NO_PATH;
    size_t length = strlen(r->path);

    mistakes_begin(&mistakes, "path");
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
    if (strcmp(r->method, "OPTIONS") == 0)
        request_answer_empty(r, 204);
    else
        request_problem(r, PROBLEM_METHOD_NOT_ALLOWED, NULL, "use one of the methods in the Allow header");
    allow_methods(r, allowed);
    return false;
}

bool request_check_leadership(struct request *r)
{
    const struct coordinator *c = r->server->coordinator;
    enum coordinator_role role = coordinator_role(c);

    if ((r->route->flags & ROUTE_STANDBY) != 0 || (role != ROLE_STARTING && role != ROLE_STANDBY))
        return true;
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

bool request_is_too_large(struct request *r)
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
    if (r->announced > maximum)
        return request_is_too_large(r);
    r->bytes = BUF_INIT(maximum);
    return true;
}

void request_begin(struct request *r)
{
    static bool (*const steps[])(struct request *) = {
        check_framing, check_certificate,        guard_check_host, check_route,  guard_check_site,
        auth_check,    request_check_leadership, check_media,      check_length,
    };

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && steps[i](r); i++)
        ;
}
