/* The server's life (schemagate/http/server.h). */
#include "server.h"

#include "listen.h"
#include "page.h"
#include "request.h"
#include "transport.h"
#include "wait.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <utlist.h>

#define STOP_SECONDS 5
#define OTHER_DESCRIPTORS 128 /* everything that is not a client's connection */
#define CONNECTIONS_MIN 16

static void on_look(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    wait_look(context, false);
}

static void on_stopped(evutil_socket_t fd, short what, void *context)
{
    struct http_server *server = context;
    void (*stopped)(void *) = server->stopped;

    (void)fd;
    (void)what;
    event_del(server->stop_deadline);
    server->stopped = NULL;
    if (stopped != NULL)
        stopped(server->stopped_context); /* may free the server */
}

struct http_server *http_server_new(struct event_base *base, const struct config *config,
                                    struct coordinator *coordinator)
{
    struct http_server *server = memory_new(sizeof(*server));

    server->base = base;
    server->config = config;
    server->coordinator = coordinator;
    server->identities = 1;
    server->stamp.second = INT64_MIN;
    server->look = event_new(base, -1, 0, on_look, server);
    server->stop_deadline = evtimer_new(base, on_stopped, server);
    server->style_source = page_style_source();
    return server;
}

/* ---- what the configuration says ---- */

struct identities {
    struct tokens *tokens;
    struct socket_roles *socket_roles;
};

static bool identities_read(const struct config *config, struct identities *read, struct buf *errors)
{
    bool wanted = *config->http.tokens_file != '\0';

    read->tokens = wanted ? tokens_read(config->http.tokens_file, errors) : NULL;
    read->socket_roles = socket_roles_parse(&config->http.socket_roles, errors);
    if ((read->tokens == NULL && wanted) || read->socket_roles == NULL) {
        tokens_free(read->tokens);
        socket_roles_free(read->socket_roles);
        return false;
    }
    return true;
}

static void identities_use(struct http_server *server, const struct identities *read)
{
    tokens_free(server->tokens);
    socket_roles_free(server->socket_roles);
    server->tokens = read->tokens;
    server->socket_roles = read->socket_roles;
    server->identities++;
}

/* Raises the limit of open files as far as it may, and fits the number of connections to it. */
static void set_connection_limit(struct http_server *server)
{
    rlim_t wanted = (rlim_t)server->config->http.max_connections + OTHER_DESCRIPTORS;
    struct rlimit limit;

    server->connection_limit = (size_t)server->config->http.max_connections;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur < wanted) {
        server->connection_limit = limit.rlim_cur > OTHER_DESCRIPTORS + CONNECTIONS_MIN
                                       ? (size_t)limit.rlim_cur - OTHER_DESCRIPTORS
                                       : CONNECTIONS_MIN;
        log_warn("fewer connections than [http] max_connections asks for: raise the hard limit of open "
                 "files (LimitNOFILE=)",
                 LOG_NUMBER("connections", server->connection_limit));
    }
    server->waiter_limit = server->connection_limit / 2;
}

bool http_server_listen(struct http_server *server, struct buf *errors)
{
    const struct config *config = server->config;
    bool secure = *config->http.tls_certificate != '\0' || *config->http.tls_key != '\0';
    struct identities read;

    if (!identities_read(config, &read, errors))
        return false;
    identities_use(server, &read);
    set_connection_limit(server);
    server->plain = transport_new(server, false, errors);
    server->secure = secure ? transport_new(server, true, errors) : NULL;
    if (server->plain == NULL || (secure && server->secure == NULL))
        return false;
    return listen_open(server, errors);
}

bool http_server_configure(struct http_server *server, const struct config *config, struct buf *errors)
{
    struct identities read;

    server->config = config;
    if (!identities_read(config, &read, errors))
        return false;
    if (read.tokens == NULL && server->tokens != NULL) {
        tokens_free(read.tokens);
        socket_roles_free(read.socket_roles);
        buf_puts(errors, "http.tokens_file: cannot be taken away while the daemon runs; restart it\n");
        return false;
    }
    identities_use(server, &read);
    return true;
}

/* ---- while it runs ---- */

void http_server_show_notifies(struct http_server *server,
                               void (*list)(void *context, http_notify_row *row, void *out), void *context)
{
    server->list_notifies = list;
    server->notifies = context;
}

void http_server_each_notify(const struct http_server *server, http_notify_row *row, void *out)
{
    if (server->list_notifies != NULL)
        server->list_notifies(server->notifies, row, out);
}

void http_server_changed(struct http_server *server)
{
    if (server->waiters != NULL)
        event_active(server->look, EV_TIMEOUT, 0);
}

void http_server_request_ended(struct http_server *server)
{
    server->open_requests--;
    if (server->stopping && server->open_requests == 0)
        event_active(server->stop_deadline, EV_TIMEOUT, 0);
}

const char *http_server_stamp(struct http_server *server, int64_t wall_ms)
{
    int64_t second = wall_ms / 1000, milliseconds = wall_ms % 1000;

    if (wall_ms < 0 || second != server->stamp.second) {
        server->stamp.second = wall_ms < 0 ? INT64_MIN : second;
        return clock_rfc3339(wall_ms, server->stamp.text);
    }
    char *fraction = server->stamp.text + sizeof("2026-11-20T09:30:00.") - 1;
    fraction[0] = (char)('0' + milliseconds / 100);
    fraction[1] = (char)('0' + milliseconds / 10 % 10);
    fraction[2] = (char)('0' + milliseconds % 10);
    return server->stamp.text;
}

/* ---- its end ---- */

void http_server_stop(struct http_server *server, void (*done)(void *context), void *context)
{
    const struct timeval deadline = {.tv_sec = STOP_SECONDS};

    server->stopping = true;
    server->stopped = done;
    server->stopped_context = context;
    listen_close(server);
    wait_look(server, true);
    evtimer_add(server->stop_deadline, &deadline);
    if (server->open_requests == 0)
        event_active(server->stop_deadline, EV_TIMEOUT, 0);
}

void http_server_free(struct http_server *server)
{
    struct request *r, *next;

    if (server == NULL)
        return;
    server->stopping = true;
    server->stopped = NULL;
    listen_close(server);
    DL_FOREACH_SAFE2(server->held, r, next, held_next) {
        if (!r->answered)
            request_problem(r, PROBLEM_STOPPING, NULL, "the daemon is stopping; ask again soon");
    }
    transport_free(server->secure);
    transport_free(server->plain);
    event_free(server->look);
    event_free(server->stop_deadline);
    tokens_free(server->tokens);
    socket_roles_free(server->socket_roles);
    free(server->style_source);
    free(server);
}
