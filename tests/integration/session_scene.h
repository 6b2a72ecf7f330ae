/* A contract that waits for a replica with a database session. */
#ifndef TESTS_INTEGRATION_SESSION_SCENE_H
#define TESTS_INTEGRATION_SESSION_SCENE_H

#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline PGconn *connect_as(const struct world *world, const char *role, const char *name)
{
    char conninfo[CLUSTER_CONNINFO_SIZE + 80];
    snprintf(conninfo, sizeof conninfo, "%s user=%s application_name=%s", world->conninfo, role, name);
    return sql_open(conninfo);
}

static inline void register_named(struct http_client *client, const struct fleet_replica *replica)
{
    json_t *body = fleet_body(replica);
    json_object_set_new(body, "application_name", json_string(replica->instance));
    expect_answer(http_call(client, "PUT", body, "/v1/apps/%s/replicas/%s", replica->app, replica->instance),
                  201, NULL);
}

/* Version 2 is expanded, and `old`, which has a session like `new`, holds its contract. */
struct scene {
    struct http_client *client;
    PGconn *old, *new;
};

static inline struct scene begin_as(struct world *world, const char *old_role, const char *sections)
{
    struct daemon_options options = {.sections = sections};
    struct scene s = {.client = &world_daemon(world, &options)->client};

    char sqlstate[6];
    sql_try(world->sql, sqlstate, "CREATE ROLE app LOGIN"); /* of the cluster: once */
    sql_try(world->sql, sqlstate, "CREATE ROLE old_app LOGIN");
    rollout_submit(s.client, 1, SAMPLE_CREATE);
    rollout_submit(s.client, 2, SAMPLE_RENAME);
    rollout_wait(s.client, 2, "expanded");
    s.old = connect_as(world, old_role, "old");
    s.new = connect_as(world, "app", "new");
    register_named(s.client, REPLICA("old", 1, 1));
    register_named(s.client, REPLICA("new", 1, 2));
    rollout_wait_hold(s.client, 2, "replica-behind");
    return s;
}

static inline struct scene begin(struct world *world, const char *sections)
{
    return begin_as(world, "app", sections);
}

static inline void end(struct scene *s)
{
    PQfinish(s->old);
    PQfinish(s->new);
}

/* The old replica says goodbye once its session has ended. */
static inline void old_leaves(struct scene *s)
{
    PQfinish(s->old);
    s->old = NULL;
    expect_answer(fleet_leave(s->client, REPLICA("old", 1, 1)), 204, NULL);
}

/* Until a look has found that both replicas' sessions are what this grade says. */
static inline void wait_for_evidence(const struct scene *s, const char *grade)
{
    int64_t until = test_now_ms() + 60000;
    bool reached = false;
    while (!reached && test_now_ms() < until) {
        fleet_renew(s->client, REPLICA("old", 1, 1));
        fleet_renew(s->client, REPLICA("new", 1, 2));
        const struct http_answer *gate = http_call(s->client, "GET", NULL, "/v1/migrations/2/gate");
        reached = strcmp(json_text_at(gate->json, "/evidence"), grade) == 0;
        test_pause();
    }
    assert_true(reached);
}

#endif
