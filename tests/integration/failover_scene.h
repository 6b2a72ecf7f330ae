/* A streaming standby that is promoted while a daemon works: the daemon is given both servers. */
#ifndef INTEGRATION_FAILOVER_SCENE_H
#define INTEGRATION_FAILOVER_SCENE_H

#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <stdio.h>
#include <string.h>

static struct cluster standby;

/* A daemon whose connection string names both; `sections` of its configuration, or NULL. */
static struct http_client *begin_with_standby(struct world *world, const char *sections)
{
    char both[2 * CLUSTER_CONNINFO_SIZE];
    struct daemon_options options = {.conninfo = both, .sections = sections};

    cluster_open_standby(&standby, &world->cluster);
    snprintf(both, sizeof both, "host=%s,%s user=postgres dbname=%s target_session_attrs=read-write",
             world->cluster.sockets, standby.sockets, PQdb(world->sql));
    return &world_daemon(world, &options)->client;
}

/* All that is committed is on the standby; what comes then is not. */
static void cut_off_standby(struct world *world)
{
    sql_wait(world->sql, "SELECT replay_lsn >= pg_current_wal_lsn() FROM pg_stat_replication");
    cluster_stop(&standby);
}

static void connect_to_standby(struct world *world)
{
    char there[CLUSTER_CONNINFO_SIZE];

    cluster_conninfo(&standby, strstr(world->conninfo, "dbname=") + strlen("dbname="), there);
    world->sql = sql_open(there);
}

/* The daemon leads there. `renew` is called meanwhile, or NULL. */
static void wait_for_timeline(struct http_client *client, void (*renew)(struct http_client *client))
{
    int64_t until = test_now_ms() + PATIENCE_MS;
    const char *timeline = "";

    while (test_now_ms() < until && strcmp(timeline, "00000002") != 0) {
        if (renew)
            renew(client);
        const struct http_answer *status = http_call(client, "GET", NULL, "/status");
        const char *text =
            json_string_value(json_object_get(json_at(status->json, "/database"), "timeline"));
        timeline = text ? text : "";
        if (strcmp(timeline, "00000002") != 0)
            test_pause();
    }
    assert_string_equal(timeline, "00000002");
}

/* The primary crashes, the standby takes its place, and the daemon follows. */
static void fail_over(struct world *world, struct http_client *client,
                      void (*renew)(struct http_client *client))
{
    PQfinish(world->sql);
    cluster_crash(&world->cluster);
    cluster_start(&standby);
    int64_t asked = test_now_ms();
    cluster_promote(&standby);
    int64_t promoted = test_now_ms();
    wait_for_timeline(client, renew);
    print_message("promotion took %d ms, and the daemon led there %d ms later\n", (int)(promoted - asked),
                  (int)(test_now_ms() - promoted));
    connect_to_standby(world);
}

/* As the next test wants to find it. */
static void end_with_standby(struct world *world)
{
    daemon_stop(&world->daemons[0]);
    PQfinish(world->sql);
    cluster_close(&standby);
    cluster_start(&world->cluster);
    world->sql = sql_open(world->conninfo);
}

#endif
