/* A walk through every failpoint of a migration. First it runs undisturbed and leaves a trace of the
 * failpoints that it passes; then it runs again for each of them, under the next version and over tables that
 * are made anew, and is struck right there: kill -9 of the daemon, the end of its backend, a crash of
 * PostgreSQL. Each time all has to end as if nothing had happened; who goes on then does the next run. */
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
#include <unistd.h>

#define ARRIVALS_MAX 64

/* Its code works with the schema before and after. */
#define EVERYWHERE REPLICA("web-1", 0, 1000)

struct scenario {
    const char *section; /* whose failpoints are passed, beside those outside of transactions */
    const char *prepare; /* by hand, before each run */
    const char *sql;     /* of the migration */
    const char *act;     /* of an operator, once it is expanded; or NULL */
    const char *end;     /* phase */
    const char *before;  /* a failpoint at which each run is killed first; then SQL by hand: */
    const char *then;
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
    "   FROM schemagate.step WHERE version = %d),"
    " (SELECT concat_ws(' ', phase, failed, floor = version, ceiling = version, contracting, undoing)"
    "   FROM schemagate.migration, schemagate.\"window\" WHERE version = %d),"
    /* Whoever goes back behind the fence is expanded once more. */
    " (SELECT string_agg(kind, ' ' ORDER BY id) FROM schemagate.event AS e WHERE version = %d AND kind IN "
    "   ('migration.submitted', 'migration.expanded', 'migration.complete', 'migration.undone',"
    "    'migration.failed')"
    "   AND NOT (kind = 'migration.expanded' AND EXISTS (SELECT FROM schemagate.event "
    "            WHERE version = e.version AND kind = e.kind AND id < e.id))))";

/* ---- one run ---- */

struct walk {
    struct world *world;
    const struct scenario *scenario;
    struct daemon *daemon; /* NULL: none runs */
    int version;           /* of the run's migration */
    char *armed, *trace;   /* paths: SCHEMAGATE_FAILPOINT_FILE, …_TRACE */
};

static char *outcome(struct walk *w)
{
    return sql_text(w->world->sql, outcome_query, w->version, w->version, w->version);
}

/* "": nothing is asked for. */
static void arm(struct walk *w, const char *failpoint)
{
    char temporary[160];
    snprintf(temporary, sizeof temporary, "%s.new", w->armed);
    FILE *file = fopen(temporary, "w");

    /* The version makes each run's request another one: arrivals count from there. */
    if (!file || fprintf(file, "%s %d", failpoint, w->version) < 0 || fclose(file) != 0 ||
        rename(temporary, w->armed) != 0)
        test_fail("cannot write %s", w->armed);
}

/* In place of the one that has ended. */
static void launch(struct walk *w)
{
    char armed[160], trace[160];
    const char *const environment[] = {armed, trace, NULL};

    snprintf(armed, sizeof armed, "SCHEMAGATE_FAILPOINT_FILE=%s", w->armed);
    snprintf(trace, sizeof trace, "SCHEMAGATE_FAILPOINT_TRACE=%s", w->trace);
    while (w->world->daemon_count > 0)
        daemon_close(&w->world->daemons[--w->world->daemon_count]);
    w->daemon = world_launch(w->world, &(struct daemon_options){.environment = environment});
    daemon_wait_notification(w->daemon, "READY=1");
}

/* Requests that nobody waits for: the daemon is struck before it answers. */
static int sent[4];
static size_t sent_count;

static void send_on(struct walk *w, const char *method, json_t *body, const char *path)
{
    sent[sent_count++] = http_send(&w->daemon->client, method, body, "%s", path);
}

static void forget_sent(void)
{
    while (sent_count > 0)
        close(sent[--sent_count]);
}

static json_t *migration(const struct walk *w)
{
    return json_pack("{s:i, s:s}", "version", w->version, "sql", w->scenario->sql);
}

static const char *act_path(const struct walk *w)
{
    static char path[64];
    snprintf(path, sizeof path, "/v1/migrations/%d/%s", w->version, w->scenario->act);
    return path;
}

static void submit(struct walk *w)
{
    fleet_join(&w->daemon->client, EVERYWHERE);
    send_on(w, "POST", migration(w), "/v1/migrations");
}

/* Up to where the scenario begins to be watched. */
static void prepare(struct walk *w)
{
    forget_sent();
    arm(w, "");
    w->version++;
    sql_run(w->world->sql, "SET client_min_messages = warning; DROP SCHEMA public CASCADE;"
                          "CREATE SCHEMA public; %s", w->scenario->prepare);
    if (w->scenario->before) {
        arm(w, w->scenario->before);
        submit(w);
        daemon_expect_killed(w->daemon);
        arm(w, "");
        sql_run(w->world->sql, "%s", w->scenario->then);
    } else if (w->scenario->act) {
        submit(w);
        rollout_wait(&w->daemon->client, w->version, "complete");
    }
}

static void begin(struct walk *w)
{
    if (w->scenario->before)
        launch(w);
    else if (w->scenario->act)
        send_on(w, "POST", json_object(), act_path(w));
    else
        submit(w);
}

/* Asks again and again, until the answer is recorded. */
static void tell_until(struct walk *w, json_t *body, const char *path, const char *phases)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;

    while (sql_number(w->world->sql, "SELECT count(*) FROM schemagate.migration WHERE version = %d AND phase "
                                     "IN (%s)", w->version, phases) == 0) {
        test_pause();
        http_tell(&w->daemon->client, "POST", json_deep_copy(body), path);
        if (test_now_ms() > deadline)
            test_fail("POST %s is not recorded", path);
    }
    json_decref(body);
}

/* After whatever has happened. What was not recorded is told again. */
static void bring_home(struct walk *w)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;

    daemon_wait_leader(w->daemon);
    fleet_join(&w->daemon->client, EVERYWHERE);
    if (w->scenario->act)
        tell_until(w, json_object(), act_path(w), "'undoing', 'undone'");
    else
        tell_until(w, migration(w), "/v1/migrations", "phase");
    /* A term that begins later than it seemed wants to hear of everybody once more. */
    while (test_now_ms() < deadline &&
           sql_number(w->world->sql, "SELECT count(*) FROM schemagate.migration WHERE version = %d "
                                     "AND phase = '%s'", w->version, w->scenario->end) == 0) {
        fleet_renew(&w->daemon->client, EVERYWHERE);
        test_pause();
    }
    rollout_wait(&w->daemon->client, w->version, w->scenario->end);
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

static void trace_failpoints(struct walk *w, struct trace *trace)
{
    prepare(w);
    unlink(w->trace);
    begin(w);
    rollout_wait(&w->daemon->client, w->version, w->scenario->end);
    trace_read(trace, w->trace);
}

/* ---- what strikes ---- */

static void strike_daemon(struct walk *w)
{
    daemon_expect_killed(w->daemon);
    arm(w, "");
    launch(w);
}

/* A request that was refused, in a moment between two terms, is made again, as its sender would. */
static void wait_stopped(struct walk *w)
{
    int64_t again = test_now_ms() + PATIENCE_MS / 4;

    while (!process_is_stopped(w->daemon->pid) && test_now_ms() < again)
        test_pause();
    if (!process_is_stopped(w->daemon->pid) && !w->scenario->before &&
        sql_number(w->world->sql, "SELECT count(*) FROM schemagate.migration WHERE version = %d",
                   w->version) == 0) {
        print_message("version %d is not there: it is submitted again\n", w->version);
        submit(w);
    }
    process_wait_stopped(w->daemon->pid);
}

static void strike_backend(struct walk *w)
{
    wait_stopped(w);
    assert_int_equal(sql_number(w->world->sql, "SELECT count(pg_terminate_backend(pid)) "
                                "FROM pg_stat_activity WHERE application_name = 'schemagate coordinator' "
                                "AND datname = current_database()"), 1);
    kill(w->daemon->pid, SIGCONT);
}

static void strike_server(struct walk *w)
{
    wait_stopped(w);
    cluster_crash(&w->world->cluster);
    cluster_start(&w->world->cluster);
    world_reconnect(w->world);
    kill(w->daemon->pid, SIGCONT);
}

struct strike {
    const char *name, *action; /* of the failpoint */
    void (*strike)(struct walk *walk);
    bool in_flight_only; /* elsewhere it comes to the same as between two transactions */
};

static const struct strike of_daemon = {"the daemon", "kill", strike_daemon, false},
                           of_backend = {"the backend", "stop", strike_backend, true},
                           of_server = {"PostgreSQL", "stop", strike_server, true};

static void run_struck(struct walk *w, const struct strike *strike, const char *place, unsigned arrival,
                       const char *expected)
{
    char failpoint[64];

    snprintf(failpoint, sizeof failpoint, "%s=%s:%u", place, strike->action, arrival);
    print_message("%s at %s, arrival %u\n", strike->name, place, arrival);
    prepare(w);
    arm(w, failpoint);
    begin(w);
    strike->strike(w);
    bring_home(w);
    char *actual = outcome(w);
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
    struct walk w = {.world = world, .scenario = scenario,
                     .armed = scratch_path(&world->scratch, "armed"),
                     .trace = scratch_path(&world->scratch, "trace")};

    arm(&w, "");
    launch(&w);
    daemon_wait_leader(w.daemon);
    trace_failpoints(&w, &trace);
    note_reached(&trace);
    char *expected = outcome(&w);
    assert_null(strstr(expected, "failed"));
    for (; *strikes; strikes++)
        for (size_t i = 0; i < trace.count; i++)
            if (is_walked(scenario, *strikes, trace.arrivals[i]))
                run_struck(&w, *strikes, trace.arrivals[i], arrival_of(&trace, i), expected);
    forget_sent();
    free(expected);
    free(trace.text);
    free(w.armed);
    free(w.trace);
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
