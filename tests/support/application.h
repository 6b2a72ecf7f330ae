/* An application at work beside what is measured: pgbench sends its transaction at a steady rate, whatever
 * the server does meanwhile, and times each from when it should have begun. What waits is made up for
 * afterwards, so that a stall of a second counts for every transaction of that second. */
#ifndef SUPPORT_APPLICATION_H
#define SUPPORT_APPLICATION_H

#include <support/scratch.h>

#include <libpq-fe.h>
#include <stddef.h>
#include <sys/types.h>

struct application_options {
    const char *name;     /* its application_name, unique among those of a scratch directory */
    const char *conninfo;
    const char *script;   /* as `pgbench -f` reads it */
    unsigned rate;        /* transactions a second, by all clients together */
    unsigned clients;
};

struct application {
    const char *name;
    pid_t pgbench;
    char *prefix; /* of its log */
};

/* What its users felt; in ms. */
struct application_felt {
    size_t count, slow; /* transactions; those of them that took over APPLICATION_SLOW_MS */
    double p99, p999, worst;
};

#define APPLICATION_SLOW_MS 50

/* Returns when all clients are there; `session` looks for them. */
void application_start(struct application *application, const struct scratch *scratch, PGconn *session,
                       const struct application_options *options);

/* Ends its sessions by `session`, and reads what was felt. */
void application_stop(struct application *application, PGconn *session, struct application_felt *felt);

#endif
