/* Protection of browsers' users (guard.h). */
#include "guard.h"

#include "transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HOST_SIZE 256

/* Copies "host", "host:port", "[v6]:port" without port and brackets; false if it is too long. */
static bool bare_host(const char *text, char host[HOST_SIZE])
{
    size_t length;

    if (*text == '[')
        length = strcspn(++text, "]");
    else
        length = strcspn(text, ":");
    if (length >= HOST_SIZE)
        return false;
    memcpy(host, text, length);
    host[length] = '\0';
    return true;
}

static bool is_loopback_name(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (strcasecmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool guard_host_is_local(const char *host, const struct config_list *listen)
{
    char bare[HOST_SIZE], own[HOST_SIZE];

    if (!bare_host(host, bare))
        return false;
    if (is_loopback_name(bare))
        return true;
    for (size_t i = 0; i < listen->count; i++)
        if (strncmp(listen->items[i], "unix:", 5) != 0 && bare_host(listen->items[i], own) &&
            *own != '\0' && strcasecmp(own, bare) == 0)
            return true;
    return false;
}

bool guard_origin_matches(const char *origin, const char *host)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t length = strlen(schemes[i]);
        if (strncasecmp(origin, schemes[i], length) == 0)
            return strcasecmp(origin + length, host) == 0;
    }
    return false;
}

bool guard_check_host(struct request *r)
{
    const struct http_server *server = r->server;

    if (server->tokens != NULL || r->peer->is_socket ||
        guard_host_is_local(r->headers[HEADER_HOST], &server->config->http.listen))
        return true;
    request_problem(r, PROBLEM_CROSS_SITE, NULL,
                    "without a tokens file only Host: localhost, a loopback address or a host of "
                    "[http] listen is served");
    return false;
}

bool guard_check_site(struct request *r)
{
    const char *site = r->headers[HEADER_SEC_FETCH_SITE], *origin = r->headers[HEADER_ORIGIN];
    bool same = site != NULL ? strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0
                             : origin == NULL || guard_origin_matches(origin, r->headers[HEADER_HOST]);

    if (r->route->method == METHOD_GET || same)
        return true;
    request_problem(r, PROBLEM_CROSS_SITE, NULL, "changes are taken from pages of this daemon only");
    return false;
}
