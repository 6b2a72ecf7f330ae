/* A column is renamed, and one gets another type, under the demo's application: old and new releases at
 * once, taken back in the middle, then once more to the end. No query fails, no answer is wrong, and whoever
 * looks while both shapes are there finds the same in both. */
#include <schemagate/base/embed.h>
#include <support/process.h>
#include <support/samples.h>
#include <support/world.h>

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

EMBED(shapes_customer, "tests/demo/migrations/1_customer.sql");

enum {
    APPLICATIONS = 2, /* of a release, at once */
    QUERIES = 60,     /* that each of them runs between two steps */
};

struct shape {
    const char *migration, *old_release, *new_release;
    const char *equal; /* true while both are there; %d: the version */
};

static const struct shape renamed = {
    "ALTER TABLE customer RENAME COLUMN name TO full_name;",
    "1", "2",
    "SELECT count(*) > 500 AND bool_and(name = full_name) FROM customer",
};

/* Code that knows the column by its name goes on with either type. */
static const struct shape retyped = {
    "-- schemagate: using up=\"left(full_name, 200)\" down=\"full_name\"\n"
    "ALTER TABLE customer ALTER COLUMN full_name TYPE varchar(200);",
    "2", "2",
    "SELECT count(*) > 500 AND bool_and(to_jsonb(c) ->> 'full_name' = to_jsonb(c) ->> 'full_name__%d')\n"
    "FROM customer AS c",
};

/* ---- the application ---- */

struct application {
    pid_t pid;
    char *counters; /* a path; owned */
};

struct release {
    struct application applications[APPLICATIONS];
};

struct stage {
    struct world *world;
    struct http_client *client;
    uint64_t started;       /* applications */
    char *environment[4];   /* owned: where the database is; ends with NULL */
    char *program;          /* owned */
    uint64_t queries;       /* of applications that have ended */
};

struct counted {
    uint64_t queries, failed;
    char error[200];
};

static struct counted count(const struct application *application)
{
    char *text = scratch_read(application->counters);
    struct counted counted = {0};

    if (sscanf(text, "%*d %" SCNu64 " %" SCNu64 " %*d %199[^\n]", &counted.queries, &counted.failed,
               counted.error) < 2)
        counted = (struct counted){0}; /* it has only begun */
    free(text);
    return counted;
}

static void expect_no_failure(const struct counted *counted, const char *when)
{
    if (counted->failed > 0)
        fail_msg("%s: %" PRIu64 " queries of %" PRIu64 " failed: %s", when, counted->failed,
                 counted->queries, counted->error);
}

static struct application start_application(struct stage *stage, const char *release)
{
    struct application application = {
        .counters = scratch_path(&stage->world->scratch, "counters-%" PRIu64, stage->started++),
    };
    const char *const arguments[] = {stage->program, release, application.counters, NULL};

    application.pid = process_start(&(struct process_options){
        .arguments = arguments,
        .environment = (const char *const *)stage->environment,
    });
    return application;
}

static struct release start_release(struct stage *stage, const char *name)
{
    struct release release;

    for (size_t i = 0; i < APPLICATIONS; i++)
        release.applications[i] = start_application(stage, name);
    return release;
}

static void stop_release(struct stage *stage, struct release *release, const char *when)
{
    for (size_t i = 0; i < APPLICATIONS; i++) {
        struct application *application = &release->applications[i];
        struct counted counted;

        kill(application->pid, SIGTERM);
        process_wait(application->pid, PATIENCE_MS);
        counted = count(application);
        expect_no_failure(&counted, when);
        assert_true(counted.queries >= QUERIES);
        stage->queries += counted.queries;
        free(application->counters);
    }
}

/* ---- looking ---- */

static void look(struct stage *stage, const char *equal, int64_t version)
{
    char *answer = sql_text(stage->world->sql, equal, (int)version);

    if (answer[0] != 't')
        fail_msg("the two shapes differ: %s", equal);
    free(answer);
}

/* Until each application has run some more queries; equal NULL: there is one shape. */
static void let_work(struct stage *stage, struct release *release, const char *equal, int64_t version)
{
    int64_t deadline = test_now_ms() + 60000;

    for (size_t i = 0; i < APPLICATIONS; i++) {
        uint64_t from = count(&release->applications[i]).queries;

        while (count(&release->applications[i]).queries < from + QUERIES) {
            if (test_now_ms() > deadline)
                test_fail("the application has stopped working");
            if (equal != NULL)
                look(stage, equal, version);
            else
                test_pause();
        }
    }
}

/* ---- rollouts ---- */

static struct fleet_replica replica(const char *instance, int64_t version)
{
    return (struct fleet_replica){
        .app = "shop", .instance = instance, .incarnation = "one", .min = version, .max = version};
}

/* Until both releases work side by side on both shapes. */
static struct release begin(struct stage *stage, const struct shape *shape, struct release *old,
                            int64_t version)
{
    struct fleet_replica joined = replica("new", version);
    struct release new;

    rollout_submit(stage->client, version, shape->migration);
    rollout_wait(stage->client, version, "expanded");
    fleet_join(stage->client, &joined);
    new = start_release(stage, shape->new_release);
    let_work(stage, old, shape->equal, version);
    let_work(stage, &new, shape->equal, version);
    return new;
}

static void roll_back(struct stage *stage, const struct shape *shape, struct release *old, int64_t version)
{
    struct release new = begin(stage, shape, old, version);
    struct fleet_replica joined = replica("new", version);

    stop_release(stage, &new, "the new release, before it was rolled back");
    fleet_leave(stage->client, &joined);
    rollout_act(stage->client, version, "undo");
    rollout_wait(stage->client, version, "undone");
    let_work(stage, old, NULL, version);
}

static void roll_out(struct stage *stage, const struct shape *shape, struct release *old, int64_t before,
                     int64_t version)
{
    struct release new = begin(stage, shape, old, version);
    struct fleet_replica joined = replica("new", version), gone = replica("old", before);

    stop_release(stage, old, "the old release");
    fleet_leave(stage->client, &gone);
    rollout_wait(stage->client, version, "complete");
    let_work(stage, &new, NULL, version);
    stop_release(stage, &new, "the new release");
    fleet_leave(stage->client, &joined);
}

static void begin_stage(struct stage *stage, struct world *world)
{
    char *error = NULL;
    PQconninfoOption *options = PQconninfoParse(world->conninfo, &error);
    const char *programs = getenv("SCHEMAGATE_PROGRAMS");
    size_t count = 0;

    assert_non_null(options);
    assert_non_null(programs);
    *stage = (struct stage){.world = world, .client = world_client(world)};
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (option->val == NULL || option->envvar == NULL)
            continue;
        assert_true(count + 1 < sizeof(stage->environment) / sizeof(stage->environment[0]));
        assert_true(asprintf(&stage->environment[count++], "%s=%s", option->envvar, option->val) > 0);
    }
    PQconninfoFree(options);
    assert_true(asprintf(&stage->program, "%s/../demo/app", programs) > 0);
    rollout_submit(stage->client, 1, shapes_customer);
    rollout_wait(stage->client, 1, "complete");
    sql_run(world->sql, "INSERT INTO customer (email, name) SELECT i || '@example.org', 'Mary ' || i\n"
                        "FROM generate_series(1, 600) AS i");
}

static void end_stage(struct stage *stage)
{
    for (size_t i = 0; stage->environment[i] != NULL; i++)
        free(stage->environment[i]);
    free(stage->program);
}

static void change(struct stage *stage, const struct shape *shape, int64_t before)
{
    struct fleet_replica joined = replica("old", before);
    struct release old;

    fleet_join(stage->client, &joined);
    old = start_release(stage, shape->old_release);
    let_work(stage, &old, NULL, before);
    roll_back(stage, shape, &old, before + 1);
    roll_out(stage, shape, &old, before, before + 2);
}

static void no_query_fails_and_no_value_differs(void **state)
{
    struct stage stage;

    begin_stage(&stage, *state);
    change(&stage, &renamed, 1);
    change(&stage, &retyped, 3);
    print_message("%" PRIu64 " queries, none failed\n", stage.queries);
    end_stage(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(no_query_fails_and_no_value_differs),
    };

    return world_run(tests);
}
