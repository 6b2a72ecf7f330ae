/* The coordinator that `dev` starts for itself: this very program as a daemon that only we can reach. */
#ifndef SCHEMAGATE_CLI_DEV_DAEMON_H
#define SCHEMAGATE_CLI_DEV_DAEMON_H

#include <stdbool.h>
#include <sys/types.h>

struct dev_daemon {
    char folder[64]; /* of its configuration and its socket; removed at the end */
    char url[128];   /* unix:… */
    pid_t pid;       /* 0: none */
};

/* conninfo: NULL for libpq's own environment. Returns CLI_DONE, or the exit code after saying what is
 * wrong. */
int dev_daemon_start(struct dev_daemon *daemon, const char *conninfo);

/* True once it has ended: what it said stands on standard error. */
bool dev_daemon_has_ended(struct dev_daemon *daemon);

/* Asks it to end, waits for it, and removes what it left. */
void dev_daemon_stop(struct dev_daemon *daemon);

#endif
