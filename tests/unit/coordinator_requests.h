/* Requests to a coordinator in its scripted world, their answers, and what to look at afterwards. */
#ifndef TESTS_UNIT_COORDINATOR_REQUESTS_H
#define TESTS_UNIT_COORDINATOR_REQUESTS_H

#include "coordinator_world.h"

/* ---- answers ---- */

struct reply {
    unsigned count;
    enum problem problem;
    bool created, baselined, has_replica;
    enum replica_state state;
    int64_t needed;
    char detail[512], pointer[32];
};

static inline void take_reply(void *context, const struct outcome *o)
{
    struct reply *reply = context;

    *reply = (struct reply){.count = reply->count + 1,
                            .problem = o->problem,
                            .created = o->created,
                            .baselined = o->baselined,
                            .has_replica = o->replica != NULL,
                            .state = o->replica ? o->replica->state : REPLICA_GONE,
                            .needed = o->needed};
    snprintf(reply->detail, sizeof reply->detail, "%s", o->detail ? o->detail : "");
    snprintf(reply->pointer, sizeof reply->pointer, "%s", o->pointer ? o->pointer : "");
}

/* ---- requests; those that return a reply settle first ---- */

static inline void send_registration(struct world *w, struct registration r, struct reply *reply)
{
    r.app = "web";
    r.actor = "app:web";
    r.incarnation = r.incarnation ? r.incarnation : "i1";
    r.release = r.release ? r.release : "";
    r.application_name = r.application_name ? r.application_name : "";
    coordinator_register(w->c, &r, take_reply, reply);
}

static inline struct reply register_as(struct world *w, struct registration r)
{
    struct reply reply = {0};
    send_registration(w, r, &reply);
    world_settle(w);
    assert_int_equal(reply.count, 1);
    return reply;
}

static inline void send_register(struct world *w, const char *instance, const char *incarnation,
                                 int64_t min, int64_t max, struct reply *reply)
{
    send_registration(w, (struct registration){.instance = instance, .incarnation = incarnation,
                                               .range = {min, max}, .application_name = instance}, reply);
}

static inline struct reply join(struct world *w, const char *instance, int64_t min, int64_t max)
{
    struct reply reply = {0};
    send_register(w, instance, "i1", min, max, &reply);
    world_settle(w);
    assert_int_equal(reply.count, 1);
    return reply;
}

static inline void send_remove(struct world *w, enum replica_event how, const char *instance,
                               const char *incarnation, struct reply *reply)
{
    coordinator_remove(w->c, how, "web", instance, incarnation, "for a test", "tester", take_reply, reply);
}

static inline struct reply leave(struct world *w, const char *instance)
{
    struct reply reply = {0};
    send_remove(w, REPLICA_DEREGISTERED, instance, "i1", &reply);
    world_settle(w);
    assert_int_equal(reply.count, 1);
    return reply;
}

static inline struct outcome renew(struct world *w, const char *instance, const char *incarnation)
{
    struct outcome outcome;
    coordinator_renew(w->c, "web", instance, incarnation, 0, 0, &outcome);
    return outcome;
}

static inline void send_submit(struct world *w, int64_t version, const char *sql, struct reply *reply)
{
    coordinator_submit(w->c,
                       &(struct submission){.version = version,
                                            .sql = sql,
                                            .sql_length = strlen(sql),
                                            .soak_seconds = -1,
                                            .keep_hours = -1,
                                            .actor = "deployer:ci"},
                       take_reply, reply);
}

static inline struct reply submit(struct world *w, int64_t version, const char *sql)
{
    struct reply reply = {0};
    send_submit(w, version, sql, &reply);
    world_settle(w);
    assert_int_equal(reply.count, 1);
    return reply;
}

static inline void send_act(struct world *w, int64_t version, enum machine_event action,
                            struct reply *reply)
{
    coordinator_act(w->c, version, action, "for a test", "tester", take_reply, reply);
}

static inline struct reply act(struct world *w, int64_t version, enum machine_event action)
{
    struct reply reply = {0};
    send_act(w, version, action, &reply);
    world_settle(w);
    assert_int_equal(reply.count, 1);
    return reply;
}

static inline struct reply baseline(struct world *w, int64_t version)
{
    struct reply reply = {0};
    coordinator_baseline(w->c, version, "tester", take_reply, &reply);
    world_settle(w);
    return reply;
}

/* ---- what there is ---- */

static inline const struct migration *the_migration(const struct world *w, int64_t version)
{
    const struct migration *m = coordinator_find_migration(w->c, version);
    assert_non_null(m);
    return m;
}

/* In memory and in the database alike. */
static inline void assert_phase(const struct world *w, int64_t version, enum phase phase)
{
    const json_t *row;
    size_t i;

    assert_string_equal(phase_name(the_migration(w, version)->phase), phase_name(phase));
    json_array_foreach(world_table(w, "migrations"), i, row)
    {
        if (world_number(row, "version") == version)
            assert_string_equal(world_text(row, "phase"), phase_name(phase));
    }
}

static inline void assert_window(const struct world *w, int64_t floor, int64_t ceiling,
                                 int64_t contracting, int64_t undoing)
{
    const struct window expected = {floor, ceiling, contracting, undoing}, stored = world_window(w);
    assert_memory_equal(&stored, &expected, sizeof expected);
    assert_memory_equal(&coordinator_window(w->c)->window, &expected, sizeof expected);
}

static inline bool has_hold(const struct world *w, int64_t version, enum gate_code code)
{
    struct hold holds[20];
    size_t total, count = coordinator_holds(w->c, the_migration(w, version), holds, 20, &total);

    for (size_t i = 0; i < count; i++)
        if (holds[i].code == code)
            return true;
    return false;
}

static inline unsigned count_events(const struct world *w, const char *kind)
{
    unsigned count = 0;
    const json_t *row;
    size_t i;
    json_array_foreach(world_table(w, "events"), i, row)
    {
        count += strcmp(world_text(row, "kind"), kind) == 0;
    }
    return count;
}

/* As the database has it; "" where there is none. */
static inline const char *stored_state(const struct world *w, const char *instance,
                                       const char *incarnation)
{
    const json_t *row;
    size_t i;
    json_array_foreach(world_table(w, "replicas"), i, row)
    {
        if (strcmp(world_text(row, "instance"), instance) == 0 &&
            strcmp(world_text(row, "incarnation"), incarnation) == 0)
            return world_text(row, "state");
    }
    return "";
}

/* ---- executions that fail ---- */

static unsigned run_failures; /* so many executions to come end as `run_failure` says */
static enum execution_status run_failure;

static inline enum execution_status fail_runs(struct world *world, const struct call *call)
{
    (void)world, (void)call;
    if (run_failures == 0)
        return EXECUTION_DONE;
    run_failures--;
    return run_failure;
}

/* The contract's runs only. */
static inline enum execution_status fail_contracts(struct world *world, const struct call *call)
{
    return strcmp(call->phase, "contract") == 0 ? fail_runs(world, call) : EXECUTION_DONE;
}

/* Of all transactions, or of those that are no expand: from the second one on. */
static unsigned passed;

static inline enum execution_status fail_second_of_all(struct world *world, const struct call *call)
{
    return passed++ > 0 ? fail_runs(world, call) : EXECUTION_DONE;
}

static inline enum execution_status fail_second(struct world *world, const struct call *call)
{
    return strcmp(call->phase, "expand") == 0 ? EXECUTION_DONE : fail_second_of_all(world, call);
}

/* From now on so many runs end as `status` says, of those that `which` picks: fail_runs, fail_contracts, … */
static inline void let_fail(struct world *w,
                            enum execution_status (*which)(struct world *w, const struct call *call),
                            unsigned count, enum execution_status status)
{
    passed = 0;
    run_failures = count;
    run_failure = status;
    w->on_run = which;
}

/* ---- turn by turn ---- */

/* Until the coordinator makes such a call, which is not carried out yet. */
static inline struct call *up_to(struct world *w, enum call_kind kind)
{
    while (!world_find(w, kind))
        assert_true(world_turn(w));
    return world_find(w, kind);
}

/* The instance says goodbye; the call that commits it, held. */
static inline struct call *hold_goodbye(struct world *w, const char *instance, struct reply *reply)
{
    send_remove(w, REPLICA_DEREGISTERED, instance, "i1", reply);
    struct call *commit = up_to(w, CALL_COMMIT);
    commit->held = true;
    return commit;
}

static inline struct call *up_to_run(struct world *w, const char *phase)
{
    struct call *call;
    while (!(call = world_find(w, CALL_RUN)) || strcmp(call->phase, phase) != 0)
        assert_true(world_turn(w));
    return call;
}

/* ---- files ---- */

#define EXPAND "-- schemagate: expand\nCREATE TABLE t (a int);\n"
#define BACKFILL "-- schemagate: backfill\nINSERT INTO t VALUES (1);\n"
#define CONTRACT "-- schemagate: contract\nALTER TABLE t DROP COLUMN b;\n"
#define CONTRACT_IN_TWO                                                                                 \
    "-- schemagate: contract atomic=no\nALTER TABLE t DROP COLUMN b;\nALTER TABLE t DROP COLUMN c;\n"
#define UNDO "-- schemagate: undo\nDROP TABLE t;\n"
#define UNDO_IN_TWO "-- schemagate: undo atomic=no\nDROP TABLE t;\nDROP TABLE u;\n"

#endif
