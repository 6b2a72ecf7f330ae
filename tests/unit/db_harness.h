/* Drives the database part against a real cluster: an event loop, and a stand-in for the
 * coordinator that writes down what it is told. For the db_* tests only. */
#ifndef TESTS_UNIT_DB_HARNESS_H
#define TESTS_UNIT_DB_HARNESS_H

#include <support/cluster.h>
#include <support/scratch.h>
#include <support/sql.h>
#include <support/test.h>

#include <schemagate/base/clock.h>
#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>
#include <schemagate/coordinator/coordinator.h>
#include <schemagate/db/database.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The stand-in: coordinator.h leaves the struct to whoever implements it. */
struct coordinator {
    unsigned begun, ended, stood_by;
    struct term term;
    char reason[2048], leader_url[128];
    int64_t proved_boot;
};

void coordinator_begin_term(struct coordinator *c, const struct term *term)
{
    c->begun++;
    c->term = *term;
}

void coordinator_end_term(struct coordinator *c, const char *reason)
{
    c->ended++;
    snprintf(c->reason, sizeof c->reason, "%s", reason);
}

void coordinator_stand_by(struct coordinator *c, const char *leader_url)
{
    c->stood_by++;
    snprintf(c->leader_url, sizeof c->leader_url, "%s", leader_url);
}

void coordinator_prove_lead(struct coordinator *c, int64_t asked_boot)
{
    c->proved_boot = asked_boot;
}

/* One daemon's database part. */
struct part {
    struct event_base *base;
    struct config config;
    char empty[1]; /* for settings that are not made */
    struct coordinator coordinator;
    struct database *db;
};

static struct scratch scratch;
static struct cluster cluster;

static inline void part_open(struct part *part, char *conninfo)
{
    memset(part, 0, sizeof *part);
    part->base = event_base_new();
    part->config.database.conninfo = conninfo;
    part->config.database.password_file = part->empty;
    part->db = database_new(part->base, &part->config, "http://leader.test:7433");
    database_start(part->db, &part->coordinator);
}

/* One turn of the loop, at most 20 ms long. */
static inline void part_turn(struct part *part)
{
    const struct timeval short_while = {0, 20000};

    event_base_loopexit(part->base, &short_while);
    event_base_loop(part->base, EVLOOP_ONCE);
}

#define part_wait(part, condition)                                                                  \
    do {                                                                                            \
        int64_t deadline_ = test_now_ms() + PATIENCE_MS;                                            \
        while (!(condition)) {                                                                      \
            if (test_now_ms() > deadline_)                                                          \
                test_fail("waited in vain for: %s (reason: %s)", #condition,                        \
                          (part)->coordinator.reason);                                              \
            part_turn(part);                                                                        \
        }                                                                                           \
    } while (0)

static inline void part_on_stopped(void *context)
{
    *(bool *)context = true;
}

static inline void part_stop(struct part *part)
{
    bool stopped = false;

    test_meanwhile(NULL, NULL);
    database_stop(part->db, 5000, part_on_stopped, &stopped);
    part_wait(part, stopped);
    database_free(part->db);
    event_base_free(part->base);
}

static inline void part_turn_meanwhile(void *part)
{
    part_turn(part);
}

/* It goes on while the test waits for something else: the server ends a session that is silent for 5 s. */
static inline void part_lead(struct part *part, char *conninfo)
{
    part_open(part, conninfo);
    part_wait(part, part->coordinator.begun == 1);
    test_meanwhile(part_turn_meanwhile, part);
}

/* ---- the answers of one commit or execution, copied ---- */

struct committed {
    unsigned answers;
    enum commit_status status;
    int64_t generation, first_event;
    size_t events;
    struct window window;
    char error[256];
};

static inline void on_commit(void *context, const struct commit_result *result)
{
    struct committed *c = context;

    c->answers++;
    c->status = result->status;
    c->generation = result->generation;
    c->events = result->event_count;
    c->first_event = result->event_count > 0 ? result->event_ids[0] : 0;
    c->window = result->window;
    snprintf(c->error, sizeof c->error, "%s", result->error ? result->error : "");
}

static inline struct committed commit_json(struct part *part, int64_t expected, const char *json)
{
    struct committed c = {0};
    json_t *changes = json_loads(json, 0, NULL);

    assert_non_null(changes);
    database_store_ops.commit(part->db, changes, expected, on_commit, &c);
    assert_int_equal(c.answers, 0); /* never from inside the call */
    part_wait(part, c.answers > 0);
    part_turn(part);
    assert_int_equal(c.answers, 1);
    return c;
}

struct executed {
    unsigned answers;
    enum execution_status status;
    struct execution_error error;
    char message[512];
    struct committed commit;
    double seconds[8];
    size_t seconds_count;
};

static inline void on_execution(void *context, const struct execution_result *result)
{
    struct executed *e = context;

    e->answers++;
    e->status = result->status;
    e->error = result->error;
    snprintf(e->message, sizeof e->message, "%s", result->error.message ? result->error.message : "");
    e->seconds_count = result->seconds_count;
    for (size_t i = 0; i < result->seconds_count; i++)
        e->seconds[i] = result->seconds[i];
    on_commit(&e->commit, &result->commit);
}

static inline void execute_start(struct part *part, struct executed *e, struct execution execution,
                                 const char *changes)
{
    memset(e, 0, sizeof *e);
    execution.version = 1;
    execution.phase = "expand";
    execution.run_as = execution.run_as ? execution.run_as : "";
    execution.changes = json_loads(changes, 0, NULL);
    assert_non_null(execution.changes);
    database_executor_ops.run(part->db, &execution, on_execution, e);
    assert_int_equal(e->answers, 0);
}

static inline struct executed execute(struct part *part, struct execution execution, const char *changes)
{
    struct executed e;

    execute_start(part, &e, execution, changes);
    part_wait(part, e.answers > 0);
    part_turn(part);
    assert_int_equal(e.answers, 1);
    return e;
}

static inline int open_cluster(void **state)
{
    (void)state;
    log_open(getenv("DB_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    scratch_open(&scratch, "db", SCRATCH_FAST, false);
    cluster_open(&cluster, &scratch, false);
    return 0;
}

static inline int close_cluster(void **state)
{
    (void)state;
    cluster_close(&cluster);
    return 0;
}

#endif
