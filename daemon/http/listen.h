/* The sockets on which connections arrive: TCP, unix, and those that systemd hands over. */
#ifndef HTTP_LISTEN_H
#define HTTP_LISTEN_H

#include "server.h"

/* Opens all that the configuration names and all that systemd hands over. Mistakes go to `errors`. */
bool listen_open(struct http_server *server, struct buf *errors);

/* Stops accepting, closes, removes socket files. */
void listen_close(struct http_server *server);

#endif
