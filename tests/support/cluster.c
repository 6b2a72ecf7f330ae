/* A server as our child, and databases in it. The server refuses to run as root: then it runs as the user
 * postgres. */
#include <support/cluster.h>

#include <support/initdb.h>
#include <support/logs.h>
#include <support/process.h>
#include <support/sql.h>
#include <support/test.h>

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define START_PATIENCE_MS 60000

static const char settings[] = "listen_addresses = ''\n"
                               "unix_socket_permissions = 0777\n"
                               "max_connections = 60\n"
                               "max_prepared_transactions = 4\n"
                               "shared_buffers = 64MB\n"
                               "autovacuum = off\n"
                               "log_min_messages = warning\n"
                               "log_checkpoints = off\n";

static const char settings_fast[] = "fsync = off\nfull_page_writes = off\n";

static void make_folder(const char *path, mode_t mode)
{
    struct passwd *user = geteuid() == 0 ? getpwnam(SERVER_USER) : NULL;
    if (mkdir(path, mode) != 0 || (user && chown(path, user->pw_uid, user->pw_gid) != 0))
        test_fail("cannot create %s: %s", path, strerror(errno));
}

void cluster_configure(const struct cluster *cluster, const char *setting)
{
    char path[128];
    snprintf(path, sizeof path, "%s/postgresql.auto.conf", cluster->data);
    FILE *file = fopen(path, "a");
    if (!file)
        test_fail("cannot write %s", path);
    fprintf(file, "%s\n", setting);
    fclose(file);
}

static void write_settings(const struct cluster *cluster)
{
    char sockets[160];
    snprintf(sockets, sizeof sockets, "unix_socket_directories = '%s'", cluster->sockets);
    cluster_configure(cluster, settings);
    cluster_configure(cluster, cluster->durable ? "" : settings_fast);
    cluster_configure(cluster, sockets);
}

static void make_cluster(struct cluster *cluster, const struct scratch *scratch, bool durable,
                         const char *prefix)
{
    *cluster = (struct cluster){.scratch = scratch, .durable = durable};
    snprintf(cluster->data, sizeof cluster->data, "%s/%sdata", scratch->path, prefix);
    snprintf(cluster->sockets, sizeof cluster->sockets, "%s/%spg", scratch->path, prefix);
    snprintf(cluster->log, sizeof cluster->log, "%s/%spostgresql.log", scratch->path, prefix);
    logs_watch(cluster->log);
    make_folder(cluster->data, 0700);
    make_folder(cluster->sockets, 0755);
}

void cluster_open(struct cluster *cluster, const struct scratch *scratch, bool durable)
{
    make_cluster(cluster, scratch, durable, "");
    initdb_fill(cluster->data, cluster->log);
    write_settings(cluster);
    cluster_start(cluster);
}

/* A file of text in the data folder; the server syncs it too. */
static void write_data(const struct cluster *cluster, const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", cluster->data, name);
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0 || chmod(path, 0666) != 0)
        test_fail("cannot write %s", path);
}

static void copy_data(const struct cluster *from, const struct cluster *to)
{
    char lock[160];
    snprintf(lock, sizeof lock, "%s/postmaster.pid", to->data);
    initdb_copy(from->data, to->data, to->log); /* files may go meanwhile; what is missing is in the log */
    unlink(lock);
}

/* By SQL, because not every server comes with pg_basebackup. The functions were renamed in PostgreSQL 15. */
static void back_up(struct cluster *standby, const struct cluster *primary)
{
    char conninfo[CLUSTER_CONNINFO_SIZE];
    cluster_conninfo(primary, "postgres", conninfo);
    PGconn *session = sql_open(conninfo);
    bool renamed = PQserverVersion(session) >= 150000;
    free(sql_text(session, renamed ? "SELECT pg_backup_start('standby', true)"
                                   : "SELECT pg_start_backup('standby', true, false)"));
    copy_data(primary, standby);
    char *label = sql_text(session, "SELECT labelfile FROM %s",
                           renamed ? "pg_backup_stop(false)" : "pg_stop_backup(false, false)");
    write_data(standby, "backup_label", label);
    free(label);
    PQfinish(session);
}

void cluster_open_standby(struct cluster *standby, const struct cluster *primary)
{
    static unsigned serial;
    char prefix[24];

    snprintf(prefix, sizeof prefix, "standby-%u-", ++serial);
    make_cluster(standby, primary->scratch, primary->durable, prefix);
    back_up(standby, primary);
    char settings_of_standby[768];
    snprintf(settings_of_standby, sizeof settings_of_standby,
             "%s%sunix_socket_directories = '%s'\n"
             "primary_conninfo = 'host=%s user=" SERVER_USER "'\n",
             settings, standby->durable ? "" : settings_fast, standby->sockets, primary->sockets);
    write_data(standby, "postgresql.auto.conf", settings_of_standby);
    write_data(standby, "standby.signal", "");
    cluster_start(standby);
}

void cluster_promote(struct cluster *standby)
{
    char conninfo[CLUSTER_CONNINFO_SIZE];
    cluster_conninfo(standby, "postgres", conninfo);
    PGconn *session = sql_open(conninfo);
    sql_run(session, "SELECT pg_promote(true)");
    PQfinish(session);
}

void cluster_conninfo(const struct cluster *cluster, const char *database,
                      char conninfo[CLUSTER_CONNINFO_SIZE])
{
    snprintf(conninfo, CLUSTER_CONNINFO_SIZE, "host=%s user=" SERVER_USER " dbname=%s",
             cluster->sockets, database);
}

void cluster_start(struct cluster *cluster)
{
    char program[256], conninfo[CLUSTER_CONNINFO_SIZE];
    initdb_program("postgres", program);
    const char *arguments[] = {program, "-D", cluster->data, NULL};
    /* SIGQUIT: should we die, the server ends at once and with all its children. */
    cluster->server = process_start(&(struct process_options){.arguments = arguments,
                                                              .user = SERVER_USER,
                                                              .output = cluster->log,
                                                              .errors = cluster->log,
                                                              .own_group = true,
                                                              .death_signal = SIGQUIT});
    cluster_conninfo(cluster, "postgres", conninfo);
    int64_t deadline = test_now_ms() + START_PATIENCE_MS;
    while (PQping(conninfo) != PQPING_OK) {
        if (test_now_ms() > deadline || !process_runs(cluster->server))
            test_fail("PostgreSQL does not start, see %s", cluster->log);
        test_pause();
    }
}

static void cluster_end(struct cluster *cluster, int signal_number)
{
    if (!cluster->server)
        return;
    kill(cluster->server, signal_number);
    process_wait(cluster->server, START_PATIENCE_MS);
    cluster->server = 0;
}

void cluster_stop(struct cluster *cluster)
{
    cluster_end(cluster, SIGINT);
}

void cluster_crash(struct cluster *cluster)
{
    cluster_end(cluster, SIGQUIT);
}

void cluster_close(struct cluster *cluster)
{
    cluster_end(cluster, SIGQUIT);
}

void cluster_database(struct cluster *cluster, char conninfo[CLUSTER_CONNINFO_SIZE])
{
    char name[32];
    snprintf(name, sizeof name, "test_%u", ++cluster->databases);
    cluster_conninfo(cluster, "postgres", conninfo);
    PGconn *session = sql_open(conninfo);
    /* The way of servers before 15 takes less than half the time. */
    sql_run(session, "CREATE DATABASE %s TEMPLATE template0%s", name,
            PQserverVersion(session) < 150000 ? "" : " STRATEGY FILE_COPY");
    PQfinish(session);
    cluster_conninfo(cluster, name, conninfo);
}
