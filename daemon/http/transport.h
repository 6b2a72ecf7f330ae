/* libmicrohttpd on the event loop: one of its daemons without a listen socket, whose epoll descriptor and
 * time-outs libevent watches. Listeners hand it connections. */
#ifndef HTTP_TRANSPORT_H
#define HTTP_TRANSPORT_H

#include "caller.h"

#include <schemagate/base/buf.h>

#include <microhttpd.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

struct event;
struct http_server;

struct transport {
    struct http_server *server;
    struct MHD_Daemon *daemon;
    struct event *readable, *soon, *timer;
    bool secure;
    bool asks_certificate; /* clients must show one of tls_client_ca */
};

/* What is known of the other side of a connection. */
struct peer {
    bool is_socket, is_loopback;
    bool is_certified; /* its certificate was verified */
    uid_t uid; /* of a unix socket's other side */
    struct caller caller;
    char *authorization; /* the header that `caller` was found by; NULL: none */
    unsigned identities; /* server->identities when it was found; 0: never */
};

/* secure: with the certificates that the configuration names. NULL with a line in `errors`. */
struct transport *transport_new(struct http_server *server, bool secure, struct buf *errors);
void transport_free(struct transport *transport);

/* Takes over a connection. */
void transport_add(struct transport *transport, int fd, const struct sockaddr *address, socklen_t length);

/* Verifies the client's certificate where one is asked for; true where none is. */
bool transport_is_certified(const struct transport *transport, struct MHD_Connection *connection,
                            struct peer *peer);

bool transport_is_loopback(const struct sockaddr *address);

/* The client's address as PostgreSQL would write it; "" for unix sockets. */
#define TRANSPORT_ADDRESS_SIZE 64
const char *transport_client_address(struct MHD_Connection *connection,
                                     char address[TRANSPORT_ADDRESS_SIZE]);

/* Lets libmicrohttpd run in this turn of the loop, but not from inside the call. */
void transport_run_soon(struct transport *transport);

#endif
