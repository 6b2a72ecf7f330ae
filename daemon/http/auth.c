/* Callers and their rights (auth.h). */
#include "auth.h"

#include "transport.h"

#include <schemagate/base/memory.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#define TOKEN_MAX 256
#define AUTHORIZATION_MAX 1024

/* The password of "user:password" in base64. */
static size_t basic_password(const char *text, char *token, size_t size)
{
    unsigned char plain[AUTHORIZATION_MAX];
    size_t length = strlen(text), padding = 0;

    while (padding < 2 && padding < length && text[length - padding - 1] == '=')
        padding++;
    if (length == 0 || length > sizeof(plain) || length % 4 != 0)
        return 0;
    int decoded = EVP_DecodeBlock(plain, (const unsigned char *)text, (int)length);
    if (decoded < (int)padding)
        return 0;
    size_t end = (size_t)decoded - padding;
    const unsigned char *colon = memchr(plain, ':', end);
    if (colon == NULL || (size_t)(plain + end - (colon + 1)) >= size)
        return 0;
    size_t used = (size_t)(plain + end - (colon + 1));
    memcpy(token, colon + 1, used);
    explicit_bzero(plain, sizeof(plain));
    return used;
}

size_t auth_token(const char *authorization, char *token, size_t size)
{
    if (strncasecmp(authorization, "Bearer ", 7) == 0) {
        const char *start = authorization + 7 + strspn(authorization + 7, " ");
        size_t length = strlen(start);
        if (length >= size)
            return 0;
        memcpy(token, start, length);
        return length;
    }
    if (strncasecmp(authorization, "Basic ", 6) == 0)
        return basic_password(authorization + 6 + strspn(authorization + 6, " "), token, size);
    return 0;
}

static bool find_by_token(const struct http_server *server, const char *authorization,
                          struct caller *caller)
{
    char token[TOKEN_MAX];
    size_t length = auth_token(authorization, token, sizeof(token));
    const struct caller *found = length > 0 ? tokens_find(server->tokens, token, length) : NULL;

    explicit_bzero(token, sizeof(token));
    if (found != NULL)
        *caller = *found;
    return found != NULL;
}

static bool find_caller(const struct http_server *server, const struct peer *peer,
                        const char *authorization, struct caller *caller)
{
    static const struct caller local = {.role = CALLER_OPERATOR, .name = "local"};
    bool by_socket = peer->is_socket &&
                     (server->tokens != NULL || socket_roles_configured(server->socket_roles));

    if (authorization != NULL && server->tokens != NULL)
        return find_by_token(server, authorization, caller);
    if (by_socket) {
        socket_roles_find(server->socket_roles, peer->uid, caller);
        return true;
    }
    if (server->tokens == NULL && (peer->is_socket || peer->is_loopback)) {
        *caller = local;
        return true;
    }
    return false;
}

/* A connection that sends the same header again is who it was; only its digest would cost as much as the
 * rest of a renewal. */
static bool is_known(const struct http_server *server, const struct peer *peer, const char *authorization)
{
    if (peer->identities != server->identities ||
        (peer->authorization == NULL) != (authorization == NULL))
        return false;
    if (authorization == NULL)
        return true;
    size_t length = strlen(authorization);
    return strlen(peer->authorization) == length &&
           CRYPTO_memcmp(peer->authorization, authorization, length) == 0;
}

static bool identify(struct request *r)
{
    struct peer *peer = r->peer;
    const char *authorization = r->headers[HEADER_AUTHORIZATION];

    if (!is_known(r->server, peer, authorization)) {
        peer->identities = 0;
        if (!find_caller(r->server, peer, authorization, &peer->caller))
            return false;
        memory_replace(&peer->authorization, authorization);
        peer->identities = r->server->identities;
    }
    r->caller = &peer->caller;
    return true;
}

bool auth_allows_app(const struct caller *caller, const char *app)
{
    return caller->role != CALLER_APP || strcmp(caller->app, app) == 0;
}

static void refuse_role(struct request *r)
{
    struct buf roles = BUF_INIT(0);

    for (unsigned role = 0; role < CALLER_ROLES; role++)
        if ((r->route->roles & 1U << role) != 0)
            buf_printf(&roles, "%s%s", roles.length > 0 ? ", " : "",
                       caller_role_name((enum caller_role)role));
    request_problem_f(r, PROBLEM_FORBIDDEN, "you are %s (%s); this needs one of: %s", r->caller->name,
                      caller_role_name(r->caller->role), buf_text(&roles));
    buf_free(&roles);
}

bool auth_check(struct request *r)
{
    if (r->route->roles == 0)
        return true;
    if (!identify(r)) {
        request_problem(r, PROBLEM_UNAUTHENTICATED, NULL,
                        r->headers[HEADER_AUTHORIZATION] == NULL
                            ? "send Authorization: Bearer <token>; an operator makes tokens with: "
                              "schemagate token new"
                            : "this token is not in the tokens file; after a change of the file, "
                              "reload the daemon");
        request_header(r, "WWW-Authenticate", "Bearer realm=\"schemagate\"");
        request_header(r, "WWW-Authenticate", "Basic realm=\"schemagate\", charset=\"UTF-8\"");
        return false;
    }
    if ((r->route->roles & 1U << r->caller->role) == 0) {
        refuse_role(r);
        return false;
    }
    if (r->at.app != NULL && !auth_allows_app(r->caller, r->at.app)) {
        request_problem_f(r, PROBLEM_FORBIDDEN, "this token speaks for the application %s only",
                          r->caller->app);
        return false;
    }
    return true;
}
