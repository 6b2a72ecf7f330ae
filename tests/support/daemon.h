/* A daemon under test: started with a configuration and an environment of its own. */
#ifndef SUPPORT_DAEMON_H
#define SUPPORT_DAEMON_H

#include <support/http.h>
#include <support/scratch.h>

#include <stdbool.h>
#include <sys/types.h>

struct daemon_options {
    const char *conninfo;           /* of the database */
    const char *sections;           /* more text of the configuration file */
    const char *const *environment; /* "SCHEMAGATE_GATE_LEASE_SECONDS=60", …; ends with NULL */
    const char *failpoint;          /* "contract-fenced=stop" */
    const char *preload;            /* a library for LD_PRELOAD */
    int watchdog_ms;                /* ask for watchdog notifications; 0: do not */
    bool tcp;                       /* hand over a TCP socket on the loopback, as systemd does */
};

struct daemon {
    pid_t pid; /* 0: ended and waited for */
    struct http_client client;     /* over the unix socket */
    int port;                      /* of the TCP socket; 0: none */
    int notifications;             /* the service manager's end of NOTIFY_SOCKET */
    char *log, *config;            /* paths */
};

/* Starts it and waits for READY=1. */
void daemon_start(struct daemon *daemon, const struct scratch *scratch,
                  const struct daemon_options *options);

/* Starts it and does not wait. */
void daemon_launch(struct daemon *daemon, const struct scratch *scratch,
                   const struct daemon_options *options);

/* Waits for a notification with this line in it ("READY=1", "WATCHDOG=1"). */
void daemon_wait_notification(struct daemon *daemon, const char *line);

/* Waits until it leads (/readyz answers 200). */
void daemon_wait_leader(struct daemon *daemon);

/* Waits until the log holds the text. */
void daemon_wait_log(const struct daemon *daemon, const char *text);

/* The wait status after it has ended by itself (a failpoint, a wrong configuration). */
int daemon_wait_end(struct daemon *daemon);

/* Waits for its end by a failpoint that kills; nothing else kills it so. */
void daemon_expect_killed(struct daemon *daemon);

/* Asks it to end and expects exit code 0; does nothing when it has ended. */
void daemon_stop(struct daemon *daemon);

/* kill -9 */
void daemon_kill(struct daemon *daemon);

/* Kills what still runs and frees. */
void daemon_close(struct daemon *daemon);

#endif
