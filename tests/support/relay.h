/* A relay between clients and a unix socket: what passes it can be held up, and both ends notice nothing but
 * silence. A process of its own; it dies with the test program. */
#ifndef SUPPORT_RELAY_H
#define SUPPORT_RELAY_H

#include <sys/types.h>

struct relay {
    pid_t pid;
    char *socket; /* where it listens */
};

/* Listens on `socket` and connects each client to `target`. */
void relay_open(struct relay *relay, const char *socket, const char *target);
void relay_hold(const struct relay *relay); /* nothing passes any more */
void relay_close(struct relay *relay);

#endif
