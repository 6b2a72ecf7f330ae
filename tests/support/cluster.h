/* A throwaway PostgreSQL cluster that listens on a unix socket only. */
#ifndef SUPPORT_CLUSTER_H
#define SUPPORT_CLUSTER_H

#include <support/scratch.h>

#include <stdbool.h>
#include <sys/types.h>

struct cluster {
    const struct scratch *scratch;
    char data[96], sockets[96], log[96];
    bool durable;
    pid_t server;
    unsigned databases;
};

/* Creates and starts a cluster below the scratch directory. `durable` keeps fsync on. */
void cluster_open(struct cluster *cluster, const struct scratch *scratch, bool durable);

/* Copies a running cluster and starts the copy as its streaming standby. */
void cluster_open_standby(struct cluster *standby, const struct cluster *primary);
/* Makes a standby a primary of its own. */
void cluster_promote(struct cluster *standby);

/* Adds a line to the configuration, for the next start. */
void cluster_configure(const struct cluster *cluster, const char *setting);

void cluster_start(struct cluster *cluster);
void cluster_stop(struct cluster *cluster);  /* sessions are ended, the server shuts down */
void cluster_crash(struct cluster *cluster); /* immediate: the next start recovers from the log */
void cluster_close(struct cluster *cluster); /* the quickest way; nobody needs its data any more */

#define CLUSTER_CONNINFO_SIZE 192

/* Creates a fresh database and writes its connection string. */
void cluster_database(struct cluster *cluster, char conninfo[CLUSTER_CONNINFO_SIZE]);

void cluster_conninfo(const struct cluster *cluster, const char *database,
                      char conninfo[CLUSTER_CONNINFO_SIZE]);

#endif
