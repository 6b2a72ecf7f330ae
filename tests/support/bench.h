/* The world of a benchmark: a durable cluster, a database, and a daemon on TCP. */
#ifndef SUPPORT_BENCH_H
#define SUPPORT_BENCH_H

#include <support/cluster.h>
#include <support/daemon.h>
#include <support/sql.h>

struct bench {
    struct scratch scratch;
    struct cluster cluster;
    char conninfo[CLUSTER_CONNINFO_SIZE];
    PGconn *sql;
    struct daemon daemon;
};

/* Where the two of a measurement run. */
enum { BENCH_SERVER_PROCESSOR, BENCH_LOAD_PROCESSOR };

/* `environment` as in daemon_options; may be NULL. */
void bench_open(struct bench *bench, const char *const *environment);
void bench_close(struct bench *bench);

/* Submits migrations 1 and 2 of samples.h and waits: the window is [0, 2]. */
void bench_expand_samples(struct bench *bench);

/* Requests that register (or renew) `count` replicas "r0", "r1", … of the app `web`. */
char **bench_requests(const char *method, const char *verb, const char *body, size_t count);
void bench_free_requests(char **requests, size_t count);

/* Registers `count` replicas that support versions 1 and 2, with this lease. */
void bench_register(struct bench *bench, size_t count, int lease_seconds);

#endif
