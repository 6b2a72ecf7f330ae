/* A walk through every failpoint of a migration. First it runs undisturbed and leaves a trace of the
 * failpoints that it passes; then it runs again for each of them, and is struck right there: kill -9 of the
 * daemon, the end of its backend, a crash of PostgreSQL. Each time all has to end as if nothing had
 * happened. */
#ifndef INTEGRATION_CRASH_SCENE_H
#define INTEGRATION_CRASH_SCENE_H

#include <support/expect.h>
#include <support/process.h>
#include <support/samples.h>
#include <support/world.h>

#include <schemagate/base/failpoint.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARRIVALS_MAX 64

/* Its code works with the schema before and after. */
#define EVERYWHERE REPLICA("web-1", 0, 1)

struct scenario {
    const char *section; /* whose failpoints are passed, beside those outside of transactions */
    const char *prepare; /* by hand, before the daemon comes */
    const char *sql;     /* of migration 1 */
    const char *act;     /* path of an operator's request, once it is expanded; or NULL */
    const char *end;     /* phase */
    void (*before)(struct world *world, const struct scenario *scenario); /* what the walk begins with */
};

/* Doing any of this twice fails, or shows in the ledger. */
#define ENTER(entry) "INSERT INTO ledger (entry) VALUES ('" entry "');\n"
#define LEDGER "CREATE TABLE ledger (id serial PRIMARY KEY, entry text);\n" ENTER("first")

/* ---- how a run ends ---- */

static const char outcome_query[] =
    "SELECT concat_ws(E'\\n',"
    " (SELECT string_agg(concat_ws(' ', attrelid::regclass, attname, atttypid::regtype), ', '"
    "   ORDER BY attrelid::regclass::text, attname)"
    "   FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
    "   WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0"
    "   AND NOT attisdropped),"
    " (SELECT string_agg(concat_ws(' ', indexrelid::regclass, indisvalid), ', ' ORDER BY relname)"
    "   FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
    "   WHERE relnamespace = 'public'::regnamespace),"
    " (SELECT string_agg(inhrelid::regclass::text, ', ')"
    "   FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE relkind = 'r'),"
    " (SELECT string_agg(entry, ', ' ORDER BY entry) FROM ledger),"
    " (SELECT string_agg(concat_ws(' ', section, number, state), ', ' ORDER BY section, number)"
    "   FROM schemagate.step),"
    " (SELECT concat_ws(' ', phase, failed, floor, ceiling, contracting, undoing)"
    "   FROM schemagate.migration, schemagate.\"window\"),"
    /* Whoever goes back behind the fence is expanded once more. */
    " (SELECT string_agg(kind, ' ' ORDER BY id) FROM schemagate.event AS e WHERE version = 1 AND kind IN "
    "   ('migration.submitted', 'migration.expanded', 'migration.complete', 'migration.undone',"
    "    'migration.failed')"
    "   AND NOT (kind = 'migration.expanded' AND EXISTS (SELECT FROM schemagate.event WHERE version = 1"
    "            AND kind = e.kind AND id < e.id))))";

static char *outcome(struct world *world)
{
    return sql_text(world->sql, "%s", outcome_query);
}

/* ---- one run ---- */

/* Requests that nobody waits for: the daemon is struck before it answers. */
static int sent[4];
static size_t sent_count;

static void send_on(struct daemon *daemon, const char *method, json_t *body, const char *path)
{
    sent[sent_count++] = http_send(&daemon->client, method, body, "%s", path);
}

static void forget_sent(void)
{
    while (sent_count > 0)
        close(sent[--sent_count]);
}

static json_t *migration(const struct scenario *scenario)
{
    return json_pack("{s:i, s:s}", "version", 1, "sql", scenario->sql);
}

/* The operator's act comes when the expand is done; no failpoint is struck before. */
static void begin(struct daemon *daemon, const struct scenario *scenario)
{
    send_on(daemon, "PUT", fleet_body(EVERYWHERE), "/v1/apps/web/replicas/web-1");
    send_on(daemon, "POST", migration(scenario), "/v1/migrations");
    if (scenario->act) {
        rollout_wait(&daemon->client, 1, "complete");
        send_on(daemon, "POST", json_object(), scenario->act);
    }
}

/* Asks again and again, until the answer is recorded. */
static void tell_until(struct world *world, struct daemon *daemon, json_t *body, const char *path,
                       const char *recorded)
{
    int64_t deadline = test_now_ms() + 3 * PATIENCE_MS;

    while (sql_number(world->sql, "SELECT (%s)::int", recorded) == 0) {
        test_pause();
        http_tell(&daemon->client, "POST", json_deep_copy(body), path);
        if (test_now_ms() > deadline)
            test_fail("POST %s is not recorded", path);
    }
    json_decref(body);
}

/* After whatever has happened. What was not recorded is told again. */
static void bring_home(struct world *world, struct daemon *daemon, const struct scenario *scenario)
{
    int64_t deadline = test_now_ms() + 3 * PATIENCE_MS;

    daemon_wait_leader(daemon);
    fleet_join(&daemon->client, EVERYWHERE);
    tell_until(world, daemon, migration(scenario), "/v1/migrations",
               "EXISTS (SELECT FROM schemagate.migration)");
    if (scenario->act)
        tell_until(world, daemon, json_object(), scenario->act,
                   "EXISTS (SELECT FROM schemagate.migration WHERE phase IN ('undoing', 'undone'))");
    /* A term that begins later than it seemed wants to hear of everybody once more. */
    while (test_now_ms() < deadline &&
           sql_number(world->sql, "SELECT count(*) FROM schemagate.migration WHERE phase = '%s'",
                      scenario->end) == 0) {
        fleet_renew(&daemon->client, EVERYWHERE);
        test_pause();
    }
    rollout_wait(&daemon->client, 1, scenario->end);
}

static void new_database(struct world *world, const struct scenario *scenario)
{
    void *state = world;

    forget_sent();
    world_end_test(&state);
    world_begin_test(&state);
    sql_run(world->sql, "%s", scenario->prepare);
    if (scenario->before)
        scenario->before(world, scenario);
}

/* ---- the undisturbed run ---- */

struct trace {
    char *text;                        /* owned */
    const char *arrivals[ARRIVALS_MAX]; /* in order */
    size_t count;
};

static void trace_read(struct trace *trace, const char *path)
{
    trace->text = scratch_read(path);
    trace->count = 0;
    for (char *save, *line = strtok_r(trace->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (trace->count == ARRIVALS_MAX)
            test_fail("more than %d failpoints are passed", ARRIVALS_MAX);
        trace->arrivals[trace->count++] = line;
    }
}

static void trace_failpoints(struct world *world, const struct scenario *scenario, struct trace *trace)
{
    static unsigned serial;
    char *path = scratch_path(&world->scratch, "trace-%u", ++serial), variable[160];
    const char *const environment[] = {variable, NULL};
    const struct daemon_options options = {.environment = environment};

    snprintf(variable, sizeof variable, "SCHEMAGATE_FAILPOINT_TRACE=%s", path);
    new_database(world, scenario);
    struct daemon *daemon = world_daemon(world, &options);
    if (!scenario->before)
        begin(daemon, scenario);
    rollout_wait(&daemon->client, 1, scenario->end);
    daemon_stop(daemon);
    trace_read(trace, path);
    free(path);
}

/* ---- what strikes ---- */

static void strike_daemon(struct world *world, struct daemon **daemon)
{
    int status = daemon_wait_end(*daemon);

    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        test_fail("the failpoint was not reached: wait status %x", (unsigned)status);
    *daemon = world_daemon(world, NULL);
}

static void strike_backend(struct world *world, struct daemon **daemon)
{
    process_wait_stopped((*daemon)->pid);
    assert_int_equal(sql_number(world->sql, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                                            "WHERE application_name = 'schemagate coordinator' "
                                            "AND datname = current_database()"), 1);
    kill((*daemon)->pid, SIGCONT);
}

static void strike_server(struct world *world, struct daemon **daemon)
{
    process_wait_stopped((*daemon)->pid);
    cluster_crash(&world->cluster);
    cluster_start(&world->cluster);
    world_reconnect(world);
    kill((*daemon)->pid, SIGCONT);
}

struct strike {
    const char *name, *action; /* of the failpoint */
    void (*strike)(struct world *world, struct daemon **daemon);
    bool in_flight_only; /* elsewhere it comes to the same as between two transactions */
};

static const struct strike of_daemon = {"the daemon", "kill", strike_daemon, false},
                           of_backend = {"the backend", "stop", strike_backend, true},
                           of_server = {"PostgreSQL", "stop", strike_server, true};

static void run_struck(struct world *world, const struct scenario *scenario, const struct strike *strike,
                       const char *place, unsigned arrival, const char *expected)
{
    char failpoint[64];
    const struct daemon_options options = {.failpoint = failpoint};

    snprintf(failpoint, sizeof failpoint, "%s=%s:%u", place, strike->action, arrival);
    print_message("%s at %s, arrival %u\n", strike->name, place, arrival);
    new_database(world, scenario);
    struct daemon *daemon = scenario->before ? world_launch(world, &options) : world_daemon(world, &options);
    if (!scenario->before)
        begin(daemon, scenario);
    strike->strike(world, &daemon);
    bring_home(world, daemon, scenario);
    char *actual = outcome(world);
    assert_string_equal(actual, expected);
    free(actual);
}

/* ---- the walk ---- */

#define REACHED_MAX 64
static bool reached[REACHED_MAX]; /* by place in failpoint_names */

static void note_reached(const struct trace *trace)
{
    for (size_t i = 0; i < trace->count; i++)
        for (size_t n = 0; failpoint_names[n]; n++)
            if (strcmp(failpoint_names[n], trace->arrivals[i]) == 0)
                reached[n] = true;
}

static bool begins_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* SQL is with the server, or has run and nothing says so. */
static bool is_in_flight(const char *place)
{
    return strstr(place, "-sent") || begins_with(place, "alone-");
}

static bool is_walked(const struct scenario *scenario, const struct strike *strike, const char *place)
{
    return (begins_with(place, scenario->section) || begins_with(place, "alone-")) &&
           (!strike->in_flight_only || is_in_flight(place));
}

static unsigned arrival_of(const struct trace *trace, size_t i)
{
    unsigned arrival = 0;
    for (size_t n = 0; n <= i; n++)
        arrival += strcmp(trace->arrivals[n], trace->arrivals[i]) == 0;
    return arrival;
}

static void walk(struct world *world, const struct scenario *scenario, const struct strike *const *strikes)
{
    struct trace trace;

    trace_failpoints(world, scenario, &trace);
    note_reached(&trace);
    char *expected = outcome(world);
    assert_null(strstr(expected, "failed"));
    for (; *strikes; strikes++)
        for (size_t i = 0; i < trace.count; i++)
            if (is_walked(scenario, *strikes, trace.arrivals[i]))
                run_struck(world, scenario, *strikes, trace.arrivals[i], arrival_of(&trace, i), expected);
    free(expected);
    free(trace.text);
}

static const struct strike *const by_all[] = {&of_daemon, &of_backend, &of_server, NULL};
static const struct strike *const by_ours[] = {&of_daemon, &of_backend, NULL};
static const struct strike *const by_daemon[] = {&of_daemon, NULL};

/* Which program walks the failpoints whose names begin so. */
static const struct {
    const char *beginning, *program;
} walks[] = {
    {"expand-", "crash_expand"},   {"backfill-", "crash_expand"}, {"alone-", "crash_expand"},
    {"contract-", "crash_gates"},  {"undo-", "crash_gates"},      {"purge-", "reversible_crash"},
    {"restore-", "reversible_crash"},
};

/* A failpoint that no walk passes is a place where nobody has tried a crash. */
static void expect_all_reached(const char *program)
{
    if (getenv("TEST_FILTER"))
        skip();
    for (size_t n = 0; failpoint_names[n]; n++) {
        size_t i = 0;
        while (i < sizeof walks / sizeof *walks && !begins_with(failpoint_names[n], walks[i].beginning))
            i++;
        if (i == sizeof walks / sizeof *walks)
            test_fail("nobody walks %s", failpoint_names[n]);
        if (strcmp(walks[i].program, program) == 0 && !reached[n])
            test_fail("no migration here passes %s", failpoint_names[n]);
    }
}

#endif
