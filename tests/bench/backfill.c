/* A backfill beside an application that goes on changing single rows of the same table at a steady rate: by
 * one plain UPDATE, by a client's loop with 1,000 rows a statement, and by schemagate; then schemagate with
 * each throttle in effect once. SCHEMAGATE_BENCH_ROWS: other than 2,000,000 rows; SCHEMAGATE_BENCH_ROUNDS:
 * how often, the median counts. */
#include <support/application.h>
#include <support/bench.h>
#include <support/json.h>
#include <support/load.h>
#include <support/report.h>
#include <support/rollout.h>
#include <support/test.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RATE 400 /* transactions a second */
#define CLIENTS 4
#define QUIET_MS 10000 /* of the application alone */
#define STANDING_MS 2000
#define WAL_MB "20" /* a second */
#define LAG_SECONDS "1"
#define DELAY "3s" /* of the standby; more than LAG_SECONDS */
#define BUSY 4
#define ROUNDS 3
#define ROUNDS_MOST 9

#define FILL "UPDATE t SET n = 1 WHERE n IS NULL"

static int64_t row_count = 2000000;
static int64_t version; /* of the last migration */

/* ---- the table ---- */

static void create_rows(struct bench *bench)
{
    sql_run(bench->sql, "SET client_min_messages = warning; DROP TABLE IF EXISTS t;"
                        "CREATE TABLE t (id bigint PRIMARY KEY, body text, used int NOT NULL DEFAULT 0, "
                        "n int);"
                        "INSERT INTO t SELECT i, repeat('x', 60) FROM generate_series(1, %" PRId64 ") AS i",
            row_count);
    sql_run(bench->sql, "VACUUM (ANALYZE) t");
    sql_run(bench->sql, "CHECKPOINT");
}

/* ---- the application ---- */

static struct application start_application(struct bench *bench)
{
    struct application application;
    char script[128];

    snprintf(script, sizeof script,
             "\\set id random(1, %" PRId64 ")\nUPDATE t SET used = used + 1 WHERE id = :id;\n", row_count);
    application_start(&application, &bench->scratch, bench->sql,
                      &(struct application_options){.name = "application",
                                                    .conninfo = bench->conninfo,
                                                    .script = script,
                                                    .rate = RATE,
                                                    .clients = CLIENTS});
    return application;
}

/* ---- ways to fill ---- */

typedef void fill(struct bench *bench);

static void fill_nothing(struct bench *bench)
{
    (void)bench;
    usleep(QUIET_MS * 1000);
}

static void fill_at_once(struct bench *bench)
{
    sql_run(bench->sql, FILL);
}

/* As pgroll's batches are: the rows are locked in the order of their keys, then changed. */
static void fill_in_a_loop(struct bench *bench)
{
    char *last = strdup("0");
    while (last[0] != '\0') {
        char *next = sql_text(bench->sql,
                              "WITH batch AS (SELECT id FROM t WHERE id > %s ORDER BY id LIMIT 1000 "
                              "FOR NO KEY UPDATE), filled AS (UPDATE t SET n = 1 FROM batch "
                              "WHERE t.id = batch.id RETURNING t.id) SELECT max(id) FROM filled", last);
        free(last);
        last = next;
    }
    free(last);
}

static void submit(struct bench *bench)
{
    rollout_submit(&bench->daemon.client, ++version, "-- schemagate: backfill\n" FILL ";\n");
}

static void wait_filled(struct bench *bench)
{
    while (sql_number(bench->sql, "SELECT count(*) FROM schemagate.step WHERE version = %" PRId64
                                  " AND section = 'backfill' AND state = 'done'", version) == 0)
        usleep(10000);
}

static void fill_by_schemagate(struct bench *bench)
{
    submit(bench);
    wait_filled(bench);
}

/* No row was left out, and schemagate has changed none twice. */
static void expect_filled(struct bench *bench, fill *way)
{
    if (sql_number(bench->sql, "SELECT count(*) FROM t WHERE n = 1") != row_count)
        test_fail("rows were left out");
    if (way == fill_by_schemagate
        && sql_number(bench->sql, "SELECT (progress->>'rows')::bigint FROM schemagate.step "
                                  "WHERE version = %" PRId64 " AND section = 'backfill'", version)
               != row_count)
        test_fail("rows were changed twice");
}

/* ---- what is measured ---- */

static const struct {
    const char *name;
    fill *fill;
} ways[] = {
    {"nothing", fill_nothing},
    {"one UPDATE", fill_at_once},
    {"a loop of 1,000 rows a statement", fill_in_a_loop},
    {"schemagate", fill_by_schemagate},
};
enum { NOTHING, ONE_UPDATE, LOOP, SCHEMAGATE, WAYS };

struct measured {
    double rate[ROUNDS_MOST], p99[ROUNDS_MOST], worst[ROUNDS_MOST];
};

static void measure(struct bench *bench, fill *way, int round, struct measured *measured)
{
    struct application_felt felt;

    create_rows(bench);
    struct application application = start_application(bench);
    int64_t started = test_now_ms();
    way(bench);
    measured->rate[round] = (double)row_count * 1000 / (double)(test_now_ms() - started);
    application_stop(&application, bench->sql, &felt);
    if (way != fill_nothing)
        expect_filled(bench, way);
    measured->p99[round] = felt.p99;
    measured->worst[round] = felt.worst;
}

static double median(double *values, int count)
{
    return load_quantile(values, (size_t)count, 0.5);
}

static double median_ratio(const double *ours, const double *others, int count)
{
    double ratios[ROUNDS_MOST];

    for (int i = 0; i < count; i++)
        ratios[i] = ours[i] / others[i];
    return median(ratios, count);
}

/* In turns: what else the machine does then hits all of them. */
static void measure_all(struct bench *bench, int rounds)
{
    struct measured measured[WAYS];
    char what[96];

    for (int round = 0; round < rounds; round++)
        for (size_t i = 0; i < WAYS; i++)
            measure(bench, ways[i].fill, round, &measured[i]);
    double beside_update = median_ratio(measured[SCHEMAGATE].rate, measured[ONE_UPDATE].rate, rounds);
    double beside_loop = median_ratio(measured[SCHEMAGATE].rate, measured[LOOP].rate, rounds);
    for (size_t i = 0; i < WAYS; i++) {
        snprintf(what, sizeof what, "backfill, %s: rows a second", ways[i].name);
        if (i != NOTHING)
            report_plain(what, median(measured[i].rate, rounds), "/s");
        snprintf(what, sizeof what, "backfill, %s: the application's worst", ways[i].name);
        report_plain(what, median(measured[i].worst, rounds), "ms");
        snprintf(what, sizeof what, "backfill, %s: the application's p99", ways[i].name);
        if (i == SCHEMAGATE)
            report_at_most(what, median(measured[i].p99, rounds), "ms", 25);
        else
            report_plain(what, median(measured[i].p99, rounds), "ms");
    }
    report_at_least("backfill, schemagate: rate beside one UPDATE", beside_update, "times", 0.8);
    report_at_least("backfill, schemagate: rate beside the loop", beside_loop, "times", 2);
}

/* ---- throttles ---- */

static void restart(struct bench *bench, const char *const *environment)
{
    daemon_stop(&bench->daemon);
    daemon_close(&bench->daemon);
    daemon_start(&bench->daemon, &bench->scratch,
                 &(struct daemon_options){.conninfo = bench->conninfo,
                                          .environment = environment,
                                          .tcp = true});
    daemon_wait_leader(&bench->daemon);
}

/* Waits until it is throttled: the rows that it has done by then; -1: it has ended before. */
static int64_t wait_throttled(struct bench *bench, const char *by)
{
    for (;;) {
        const struct http_answer *answer = rollout_get(&bench->daemon.client, version);
        const json_t *throttle = json_at(answer->json, "/backfill/throttled_by");
        if (json_is_string(throttle) && strcmp(json_string_value(throttle), by) == 0)
            return json_integer_value(json_at(answer->json, "/backfill/rows_done"));
        if (strcmp(json_text_at(answer->json, "/phase"), "complete") == 0)
            return -1;
        usleep(10000);
    }
}

static void report_throttle(struct bench *bench, const char *by)
{
    char what[96];
    int64_t before = wait_throttled(bench, by);
    if (before < 0)
        test_fail("the backfill was over before %s", by);
    usleep(STANDING_MS * 1000);
    const struct http_answer *answer = rollout_get(&bench->daemon.client, version);
    int64_t after = json_integer_value(json_at(answer->json, "/backfill/rows_done"));
    snprintf(what, sizeof what, "backfill, throttled by %s: rows in %d s", by, STANDING_MS / 1000);
    report_at_most(what, (double)(after - before), "", 0);
}

static void throttle_by_sessions(struct bench *bench)
{
    static const char *const environment[] = {"SCHEMAGATE_MIGRATION_BACKFILL_MAX_ACTIVE_SESSIONS=3", NULL};
    PGconn *busy[BUSY];
    restart(bench, environment);
    create_rows(bench);
    sql_run(bench->sql, "CREATE TABLE gate ()");
    sql_run(bench->sql, "BEGIN; LOCK TABLE gate");
    for (size_t i = 0; i < BUSY; i++) {
        busy[i] = sql_open(bench->conninfo);
        if (PQsendQuery(busy[i], "SELECT FROM gate") != 1)
            test_fail("%s", PQerrorMessage(busy[i]));
    }
    submit(bench);
    report_throttle(bench, "active-sessions");
    sql_run(bench->sql, "COMMIT");
    wait_filled(bench);
    expect_filled(bench, fill_by_schemagate);
    for (size_t i = 0; i < BUSY; i++)
        PQfinish(busy[i]);
}

static void throttle_by_log(struct bench *bench)
{
    static const char *const environment[] = {
        "SCHEMAGATE_MIGRATION_BACKFILL_MAX_WAL_MB_PER_SECOND=" WAL_MB, NULL};
    restart(bench, environment);
    create_rows(bench);
    char *from = sql_text(bench->sql, "SELECT pg_current_wal_insert_lsn()");
    int64_t started = test_now_ms();
    submit(bench);
    wait_filled(bench);
    double seconds = (double)(test_now_ms() - started) / 1000;
    int64_t bytes = sql_number(bench->sql, "SELECT (pg_current_wal_insert_lsn() - '%s')::bigint", from);
    report_at_most("backfill, throttled to " WAL_MB " MB of log a second",
                   (double)bytes / 1048576 / seconds, "MB/s", 1.1 * strtod(WAL_MB, NULL));
    free(from);
}

/* The standby applies what it gets with a delay, until it is told to hurry. */
static void throttle_by_lag(struct bench *bench)
{
    static const char *const environment[] = {
        "SCHEMAGATE_MIGRATION_MAX_REPLICATION_LAG_SECONDS=" LAG_SECONDS, NULL};
    char conninfo[CLUSTER_CONNINFO_SIZE];
    struct cluster standby;
    restart(bench, environment);
    create_rows(bench);
    cluster_open_standby(&standby, &bench->cluster);
    cluster_conninfo(&standby, "postgres", conninfo);
    PGconn *session = sql_open(conninfo);
    sql_run(session, "ALTER SYSTEM SET recovery_min_apply_delay = '" DELAY "'");
    sql_run(session, "SELECT pg_reload_conf()");
    struct application application = start_application(bench);
    sql_wait(bench->sql, "SELECT max(replay_lag) > '" LAG_SECONDS " s' FROM pg_stat_replication");
    submit(bench);
    report_throttle(bench, "replication-lag");
    sql_run(session, "ALTER SYSTEM RESET recovery_min_apply_delay");
    sql_run(session, "SELECT pg_reload_conf()");
    wait_filled(bench);
    expect_filled(bench, fill_by_schemagate);
    struct application_felt felt;
    application_stop(&application, bench->sql, &felt);
    PQfinish(session);
    cluster_close(&standby);
}

int main(void)
{
    const char *rows = getenv("SCHEMAGATE_BENCH_ROWS"), *wanted = getenv("SCHEMAGATE_BENCH_ROUNDS");
    int rounds = wanted ? atoi(wanted) : ROUNDS;
    struct bench bench;

    if (rows)
        row_count = strtoll(rows, NULL, 10);
    bench_open(&bench, NULL);
    measure_all(&bench, rounds < 1 ? 1 : rounds > ROUNDS_MOST ? ROUNDS_MOST : rounds);
    throttle_by_sessions(&bench);
    throttle_by_log(&bench);
    throttle_by_lag(&bench);
    bench_close(&bench);
    return 0;
}
