/* Listening sockets (listen.h). */
#include "listen.h"

#include "transport.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event2/listener.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include <utlist.h>

#define BACKLOG 4096
#define ADDRESS_SIZE 160
#define PAUSE_MS 100 /* after accept failed, for want of descriptors mostly */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

struct listener {
    struct evconnlistener *events;
    struct transport *transport;
    struct event *pause;
    char *address;     /* "127.0.0.1:7433", "[::1]:7433", "unix:/path" */
    char *socket_file; /* to be removed at the end; NULL: none of ours */
    struct listener *next;
};

/* ---- addresses ---- */

static void address_text(const union address *address, char text[ADDRESS_SIZE])
{
    char host[INET6_ADDRSTRLEN] = "";

    if (address->any.sa_family == AF_UNIX) {
        snprintf(text, ADDRESS_SIZE, "unix:%s", address->local.sun_path);
    } else if (address->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof(host));
        snprintf(text, ADDRESS_SIZE, "[%s]:%u", host, ntohs(address->v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof(host));
        snprintf(text, ADDRESS_SIZE, "%s:%u", host, ntohs(address->v4.sin_port));
    }
}

static bool address_is_private(const union address *address)
{
    return address->any.sa_family == AF_UNIX || transport_is_loopback(&address->any);
}

/* ---- accepting ---- */

static void on_accept(struct evconnlistener *events, evutil_socket_t fd, struct sockaddr *address,
                      int length, void *context)
{
    struct listener *listener = context;

    (void)events;
    transport_add(listener->transport, fd, address, (socklen_t)length);
}

static void on_accept_error(struct evconnlistener *events, void *context)
{
    struct listener *listener = context;

    log_warn("connections cannot be accepted for the moment", LOG_TEXT("address", listener->address),
             LOG_TEXT("error", strerror(errno)));
    evconnlistener_disable(events);
    evtimer_add(listener->pause, (&(struct timeval){.tv_usec = PAUSE_MS * 1000}));
}

static void on_pause_end(evutil_socket_t fd, short what, void *context)
{
    struct listener *listener = context;

    (void)fd;
    (void)what;
    evconnlistener_enable(listener->events);
}

/* Takes over fd, which listens already. */
static void add_listener(struct http_server *server, int fd, const char *socket_file)
{
    struct listener *listener = memory_new(sizeof(*listener));
    union address address = {0};
    socklen_t length = sizeof(address);
    char text[ADDRESS_SIZE];

    getsockname(fd, &address.any, &length);
    address_text(&address, text);
    listener->address = memory_copy(text);
    listener->socket_file = memory_copy(socket_file);
    listener->transport =
        server->secure != NULL && address.any.sa_family != AF_UNIX ? server->secure : server->plain;
    listener->pause = evtimer_new(server->base, on_pause_end, listener);
    listener->events = evconnlistener_new(server->base, on_accept, listener,
                                          LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    evconnlistener_set_error_cb(listener->events, on_accept_error);
    LL_APPEND(server->listeners, listener);
    log_info("listening", LOG_TEXT("address", listener->address),
             LOG_TEXT("tls", listener->transport->secure ? "yes" : "no"));
}

/* Binds and listens; returns the descriptor or -1 with errno. */
static int open_socket(const struct sockaddr *address, socklen_t length)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int yes = 1;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
    if (bind(fd, address, length) != 0 || listen(fd, BACKLOG) != 0) {
        int kept = errno;
        close(fd);
        errno = kept;
        return -1;
    }
    return fd;
}

/* ---- unix sockets ---- */

/* A socket file that nobody listens on is what an earlier process left behind. */
static bool remove_stale(const struct sockaddr_un *address)
{
    struct stat status;

    if (lstat(address->sun_path, &status) != 0)
        return errno == ENOENT;
    if (!S_ISSOCK(status.st_mode)) {
        errno = EEXIST;
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool dead = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
                errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    if (!dead) {
        errno = EADDRINUSE;
        return false;
    }
    return unlink(address->sun_path) == 0;
}

static void open_unix(struct http_server *server, const char *path, struct buf *errors)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    /* Without tokens whoever reaches the socket is an operator. */
    bool anybody = server->tokens != NULL || socket_roles_configured(server->socket_roles);
    int fd = -1;

    if (*path != '/' || strlen(path) >= sizeof(address.sun_path)) {
        buf_printf(errors, "http.listen: unix:%s: the path must begin with / and have at most %zu bytes\n",
                   path, sizeof(address.sun_path) - 1);
        return;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (remove_stale(&address))
        fd = open_socket((const struct sockaddr *)&address, sizeof(address));
    if (fd < 0 || chmod(path, anybody ? 0666 : 0660) != 0) {
        buf_printf(errors, "http.listen: unix:%s: %s%s\n", path, strerror(errno),
                   errno == EADDRINUSE ? " (another process listens there)" : "");
        return;
    }
    add_listener(server, fd, path);
}

/* ---- TCP ---- */

static void refuse_open_address(const char *address, struct buf *errors)
{
    buf_printf(errors,
               "http.listen: %s can be reached from other machines, but [http] tokens_file is not set: "
               "anybody could act as an operator; name a tokens file (make tokens with: schemagate token "
               "new), or listen on 127.0.0.1 or unix:/path\n",
               address);
}

/* Has systemd handed over this very address? */
static bool is_open_already(const struct http_server *server, const char *text)
{
    const struct listener *listener;

    LL_FOREACH(server->listeners, listener) {
        if (strcmp(listener->address, text) == 0)
            return true;
    }
    return false;
}

/* True if it is open now. `missing` takes the errors of addresses that this machine does not have. */
static bool open_address(struct http_server *server, const struct addrinfo *found, struct buf *missing,
                         struct buf *errors)
{
    union address address;
    char text[ADDRESS_SIZE];

    memcpy(&address, found->ai_addr, found->ai_addrlen);
    address_text(&address, text);
    if (is_open_already(server, text))
        return true;
    if (server->tokens == NULL && !address_is_private(&address)) {
        refuse_open_address(text, errors);
        return false;
    }
    int fd = open_socket(found->ai_addr, found->ai_addrlen);
    if (fd < 0) {
        bool absent = errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT;
        buf_printf(absent ? missing : errors, "http.listen: %s: %s\n", text, strerror(errno));
        return false;
    }
    add_listener(server, fd, NULL);
    return true;
}

/* "host:port", "[v6]:port", ":port" for all addresses. */
static void open_tcp(struct http_server *server, const char *item, struct buf *errors)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    const char *colon = strrchr(item, ':');
    char host[ADDRESS_SIZE];

    if (colon == NULL || (size_t)(colon - item) >= sizeof(host)) {
        buf_printf(errors, "http.listen: \"%s\" must look like host:port, [v6]:port or unix:/path\n", item);
        return;
    }
    snprintf(host, sizeof(host), "%.*s", (int)(colon - item), item);
    char *bare = host;
    if (*bare == '[' && bare[strlen(bare) - 1] == ']') {
        bare[strlen(bare) - 1] = '\0';
        bare++;
    }
    int failed = getaddrinfo(*bare != '\0' ? bare : NULL, colon + 1, &hints, &found);
    if (failed != 0) {
        buf_printf(errors, "http.listen: \"%s\": %s\n", item, gai_strerror(failed));
        return;
    }
    /* localhost has two addresses even where there is no IPv6: one of them is enough. */
    struct buf missing = BUF_INIT(0);
    bool open = false;
    for (const struct addrinfo *each = found; each != NULL; each = each->ai_next)
        open |= open_address(server, each, &missing, errors);
    if (!open)
        buf_puts(errors, buf_text(&missing));
    buf_free(&missing);
    freeaddrinfo(found);
}

/* ---- systemd ---- */

static void take_handed_over(struct http_server *server, struct buf *errors)
{
    int count = sd_listen_fds(1);

    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; fd++) {
        union address address = {0};
        socklen_t length = sizeof(address);
        char text[ADDRESS_SIZE];

        if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0 ||
            getsockname(fd, &address.any, &length) != 0) {
            buf_printf(errors, "descriptor %d, handed over by systemd, is not a listening stream socket\n",
                       fd);
            continue;
        }
        address_text(&address, text);
        if (server->tokens == NULL && !address_is_private(&address)) {
            refuse_open_address(text, errors);
            continue;
        }
        evutil_make_socket_nonblocking(fd);
        add_listener(server, fd, NULL);
    }
}

bool listen_open(struct http_server *server, struct buf *errors)
{
    const struct config_list *list = &server->config->http.listen;
    size_t before = errors->length;

    take_handed_over(server, errors);
    for (size_t i = 0; i < list->count; i++) {
        if (strncmp(list->items[i], "unix:", 5) == 0)
            open_unix(server, list->items[i] + 5, errors);
        else
            open_tcp(server, list->items[i], errors);
    }
    return errors->length == before;
}

void listen_close(struct http_server *server)
{
    struct listener *listener, *next;

    LL_FOREACH_SAFE(server->listeners, listener, next) {
        LL_DELETE(server->listeners, listener);
        evconnlistener_free(listener->events);
        event_free(listener->pause);
        if (listener->socket_file != NULL)
            unlink(listener->socket_file);
        free(listener->address);
        free(listener->socket_file);
        free(listener);
    }
}
