/* libmicrohttpd on libevent (transport.h). */
#include "transport.h"

#include "request.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Holds a request's headers and its answer's; it is zeroed for each request, so a large one costs more
 * time than anything else. A request that leaves too little of it for the answer's headers is refused
 * here, because libmicrohttpd would only hang up. */
#define CONNECTION_POOL_BYTES ((size_t)5120)
#define ANSWER_HEAD_BYTES ((size_t)1200)
#define REQUEST_HEAD_BYTES (CONNECTION_POOL_BYTES - ANSWER_HEAD_BYTES)
#define CERTIFICATE_MAXIMUM ((size_t)1024 * 1024)

/* ---- connections ---- */

bool transport_is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)address;
        return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
    }
    return false;
}

const char *transport_client_address(struct MHD_Connection *connection,
                                     char address[TRANSPORT_ADDRESS_SIZE])
{
    static const char mapped[] = "::ffff:"; /* IPv4 over a socket of IPv6 */
    const struct sockaddr *client =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    socklen_t length = client->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                                    : sizeof(struct sockaddr_in6);

    if (client->sa_family == AF_UNIX ||
        getnameinfo(client, length, address, TRANSPORT_ADDRESS_SIZE, NULL, 0, NI_NUMERICHOST) != 0)
        return "";
    return strncmp(address, mapped, sizeof(mapped) - 1) == 0 ? address + sizeof(mapped) - 1 : address;
}

static struct peer *peer_new(struct MHD_Connection *connection)
{
    struct peer *peer = memory_new(sizeof(*peer));
    const struct sockaddr *address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;

    peer->is_socket = address->sa_family == AF_UNIX;
    peer->is_loopback = transport_is_loopback(address);
    if (peer->is_socket) {
        struct ucred credentials = {.uid = (uid_t)-1};
        socklen_t length = sizeof(credentials);
        int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length);
        peer->uid = credentials.uid;
    }
    return peer;
}

static void peer_free(struct peer *peer)
{
    if (peer->authorization != NULL) {
        explicit_bzero(peer->authorization, strlen(peer->authorization));
        free(peer->authorization);
    }
    free(peer);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **peer,
                          enum MHD_ConnectionNotificationCode code)
{
    struct transport *transport = context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *peer = peer_new(connection);
        transport->server->connections++;
    } else {
        peer_free(*peer);
        transport->server->connections--;
    }
}

bool transport_is_certified(const struct transport *transport, struct MHD_Connection *connection,
                            struct peer *peer)
{
    unsigned wrong = 0;

    if (!transport->asks_certificate || peer->is_certified)
        return true;
    /* libmicrohttpd asks for a certificate but lets clients in that show none. */
    gnutls_session_t session =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
    peer->is_certified = gnutls_certificate_verify_peers2(session, &wrong) == 0 && wrong == 0;
    return peer->is_certified;
}

/* ---- requests ---- */

/* Answers past libmicrohttpd, and ends the connection for both sides. */
static void refuse_head(const struct transport *transport, struct MHD_Connection *connection,
                        const char *status)
{
    char text[160];
    int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    int length = snprintf(text, sizeof(text),
                          "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", status);

    if (!transport->secure)
        send(fd, text, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd, SHUT_WR);
}

/* Sees the request's first line before it is taken apart. What it returns would be the request. */
static void *on_first_line(void *context, const char *uri, struct MHD_Connection *connection)
{
    if (strlen(uri) > REQUEST_HEAD_BYTES)
        refuse_head(context, connection, "414 URI Too Long");
    return NULL;
}

static void hold(struct request *r)
{
    request_hold(r);
    MHD_suspend_connection(r->connection);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *bytes,
                                  size_t *length, void **slot)
{
    struct request *r = *slot;

    (void)version;
    if (r == NULL) {
        r = *slot = request_new(context, connection, path, method);
        if (r->head_bytes > REQUEST_HEAD_BYTES) {
            refuse_head(r->transport, connection, "431 Request Header Fields Too Large");
            return MHD_NO;
        }
        request_begin(r);
        /* Who asks before sending a body need not send it. */
        return r->answered && r->headers[HEADER_EXPECT] != NULL ? request_send(r) : MHD_YES;
    }
    if (*length > 0) {
        bool go_on = request_take(r, bytes, *length);
        *length = 0;
        return go_on ? MHD_YES : MHD_NO;
    }
    if (!r->dispatched) {
        r->dispatched = true;
        r->server->open_requests++;
        request_dispatch(r);
    }
    if (r->answered)
        return request_send(r);
    hold(r);
    return MHD_YES;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)connection;
    (void)code;
    if (*slot != NULL) {
        request_gone(*slot);
        *slot = NULL;
    }
}

/* A NUL would cut the text short and hide what follows; no name may have the byte that takes its place. */
static size_t unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    if (strchr(text, '%') == NULL)
        return strlen(text);
    for (char *nul = strstr(text, "%00"); nul != NULL; nul = strstr(nul, "%00"))
        nul[2] = '1';
    return MHD_http_unescape(text);
}

static void on_log(void *context, const char *format, va_list arguments)
{
    char line[256];

    (void)context;
    vsnprintf(line, sizeof(line), format, arguments);
    line[strcspn(line, "\n")] = '\0';
    log_debug("libmicrohttpd", LOG_TEXT("text", line));
}

/* ---- the loop ---- */

static void transport_run(struct transport *transport)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;

    MHD_run(transport->daemon);
    if (MHD_get_timeout(transport->daemon, &wait_ms) == MHD_YES) {
        const struct timeval wait = {.tv_sec = (time_t)(wait_ms / 1000),
                                     .tv_usec = (suseconds_t)(wait_ms % 1000 * 1000)};
        evtimer_add(transport->timer, &wait);
    } else {
        evtimer_del(transport->timer);
    }
}

static void on_event(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    transport_run(context);
}

void transport_run_soon(struct transport *transport)
{
    event_active(transport->soon, EV_TIMEOUT, 0);
}

void transport_add(struct transport *transport, int fd, const struct sockaddr *address, socklen_t length)
{
    static const char busy[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n"
                               "Connection: close\r\nContent-Length: 0\r\n\r\n";
    struct http_server *server = transport->server;

    if (server->connections >= server->connection_limit) {
        if (!transport->secure)
            send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        close(fd);
        return;
    }
    if (MHD_add_connection(transport->daemon, fd, address, length) != MHD_YES)
        log_warn("a connection could not be taken", LOG_TEXT("error", strerror(errno)));
    transport_run_soon(transport); /* its time-out is to be watched */
}

/* ---- life ---- */

static char *read_file(const char *path, struct buf *errors)
{
    struct buf text = BUF_INIT(CERTIFICATE_MAXIMUM);
    char chunk[4096];
    size_t got;

    FILE *file = fopen(path, "re");
    if (file == NULL) {
        buf_printf(errors, "%s: %s\n", path, strerror(errno));
        return NULL;
    }
    while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0)
        buf_append(&text, chunk, got);
    fclose(file);
    return buf_take(&text);
}

struct certificates {
    char *certificate, *key, *client_ca; /* client_ca: NULL, clients need no certificate */
};

static bool certificates_read(const struct config *config, struct certificates *files, struct buf *errors)
{
    bool asked = *config->http.tls_client_ca != '\0';

    files->certificate = read_file(config->http.tls_certificate, errors);
    files->key = read_file(config->http.tls_key, errors);
    files->client_ca = asked ? read_file(config->http.tls_client_ca, errors) : NULL;
    return files->certificate != NULL && files->key != NULL && (files->client_ca != NULL || !asked);
}

static void certificates_free(struct certificates *files)
{
    if (files->key != NULL)
        explicit_bzero(files->key, strlen(files->key));
    free(files->certificate);
    free(files->key);
    free(files->client_ca);
}

static struct MHD_Daemon *start_daemon(struct transport *transport, const struct certificates *files)
{
    const struct http_server *server = transport->server;
    const unsigned flags = MHD_USE_NO_LISTEN_SOCKET | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME |
                           MHD_USE_ERROR_LOG | (transport->secure ? MHD_USE_TLS : 0);
    const struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, files->certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, files->key},
        {files->client_ca != NULL ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0, files->client_ca},
        {MHD_OPTION_END, 0, NULL},
    };
    const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};

    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, transport,
        MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, transport,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, transport,
        MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, on_first_line, transport,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_POOL_BYTES,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)server->connection_limit,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)server->config->http.idle_timeout_seconds,
        MHD_OPTION_ARRAY, transport->secure ? tls : none,
        MHD_OPTION_END);
}

struct transport *transport_new(struct http_server *server, bool secure, struct buf *errors)
{
    struct transport *transport = memory_new(sizeof(*transport));
    struct certificates files = {0};

    transport->server = server;
    transport->secure = secure;
    bool read = !secure || certificates_read(server->config, &files, errors);
    if (read) {
        transport->asks_certificate = files.client_ca != NULL;
        transport->daemon = start_daemon(transport, &files);
    }
    certificates_free(&files);
    if (transport->daemon == NULL) {
        if (read)
            buf_printf(errors, secure ? "http.tls_certificate, http.tls_key: not a certificate with its key\n"
                                      : "libmicrohttpd cannot start\n");
        free(transport);
        return NULL;
    }
    int fd = MHD_get_daemon_info(transport->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    transport->readable = event_new(server->base, fd, EV_READ | EV_PERSIST, on_event, transport);
    transport->soon = event_new(server->base, -1, 0, on_event, transport);
    transport->timer = evtimer_new(server->base, on_event, transport);
    event_add(transport->readable, NULL);
    return transport;
}

void transport_free(struct transport *transport)
{
    if (transport == NULL)
        return;
    event_free(transport->readable);
    event_free(transport->soon);
    event_free(transport->timer);
    MHD_run(transport->daemon); /* lets answers out that were given just now */
    MHD_stop_daemon(transport->daemon);
    free(transport);
}
