/* A backfill beside an application that goes on changing single rows of the same table at a steady rate: by
 * one plain UPDATE, by a client's loop with 1,000 rows a statement, and by schemagate; then schemagate with
 * each throttle in effect once. SCHEMAGATE_BENCH_ROWS: other than 2,000,000 rows. */
#include <support/bench.h>
#include <support/load.h>
#include <support/process.h>
#include <support/report.h>
#include <support/rollout.h>
#include <support/json.h>
#include <support/test.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RATE "400" /* transactions a second */
#define CLIENTS "4"
#define QUIET_MS 10000 /* of the application alone */
#define STANDING_MS 2000
#define WAL_MB "10" /* a second */
#define LAG_SECONDS "1"
#define DELAY "3s" /* of the standby; more than LAG_SECONDS */
#define BUSY 4

#define FILL "UPDATE t SET n = 1 WHERE n IS NULL"

static int64_t row_count = 2000000;

/* ---- the table ---- */

static void create_rows(struct bench *bench)
{
    sql_run(bench->sql, "DROP TABLE IF EXISTS t;"
                        "CREATE TABLE t (id bigint PRIMARY KEY, body text, used int NOT NULL DEFAULT 0, "
                        "n int);"
                        "INSERT INTO t SELECT i, repeat('x', 60) FROM generate_series(1, %" PRId64 ") AS i",
            row_count);
    sql_run(bench->sql, "VACUUM (ANALYZE) t");
    sql_run(bench->sql, "CHECKPOINT");
}

static void expect_filled(struct bench *bench)
{
    if (sql_number(bench->sql, "SELECT count(*) FROM t WHERE n = 1") != row_count)
        test_fail("rows were left out");
}

/* ---- the application ---- */

struct application {
    pid_t pgbench;
    char *prefix; /* of its log */
};

static struct application application_start(const struct bench *bench)
{
    char *script = scratch_write(&bench->scratch, "application.sql",
                                 "\\set id random(1, :rows)\n"
                                 "UPDATE t SET used = used + 1 WHERE id = :id;\n");
    struct application application = {.prefix = scratch_path(&bench->scratch, "application")};
    char *log = NULL, *rows = NULL, *conninfo = NULL;
    if (asprintf(&log, "--log-prefix=%s", application.prefix) < 0
        || asprintf(&rows, "--define=rows=%" PRId64, row_count) < 0
        || asprintf(&conninfo, "%s application_name=application", bench->conninfo) < 0)
        test_fail("out of memory");
    application.pgbench = process_start(&(struct process_options){
        .arguments = (const char *[]){"pgbench", "-n", "-f", script, "-R", RATE, "-c", CLIENTS, "-T", "86400",
                                      "--log", log, rows, conninfo, NULL},
        .output = "/dev/null",
        .errors = "/dev/null",
    });
    sql_wait(bench->sql, "SELECT count(*) = " CLIENTS " FROM pg_stat_activity "
                         "WHERE application_name = 'application'");
    free(script);
    free(log);
    free(rows);
    free(conninfo);
    return application;
}

/* The quantile of its latencies, in ms, each counted from when the transaction should have begun. */
static double read_latency(const char *path, double share)
{
    size_t count = 0, room = 1 << 16;
    double *latencies = malloc(room * sizeof *latencies), us;
    FILE *log = fopen(path, "r");
    if (!log || !latencies)
        test_fail("%s cannot be read", path);
    while (fscanf(log, "%*d %*d %lf %*[^\n]", &us) == 1) {
        if (count == room) {
            latencies = realloc(latencies, (room *= 2) * sizeof *latencies);
            if (!latencies)
                test_fail("out of memory");
        }
        latencies[count++] = us / 1000;
    }
    fclose(log);
    if (count == 0)
        test_fail("the application has done nothing");
    double quantile = load_quantile(latencies, count, share);
    free(latencies);
    return quantile;
}

/* Its sessions are ended: it stops, and has written its log then. */
static void application_stop(const struct bench *bench, struct application *application, double *p99,
                             double *worst)
{
    char *path = NULL;
    sql_run(bench->sql, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE application_name = 'application'");
    process_wait(application->pgbench, PATIENCE_MS);
    if (asprintf(&path, "%s.%d", application->prefix, (int)application->pgbench) < 0)
        test_fail("out of memory");
    *p99 = read_latency(path, 0.99);
    *worst = read_latency(path, 1);
    unlink(path);
    free(path);
    free(application->prefix);
}

/* ---- ways to fill ---- */

typedef void fill(struct bench *bench, int64_t version);

static void fill_nothing(struct bench *bench, int64_t version)
{
    (void)bench, (void)version;
    usleep(QUIET_MS * 1000);
}

static void fill_at_once(struct bench *bench, int64_t version)
{
    (void)version;
    sql_run(bench->sql, FILL);
    expect_filled(bench);
}

static void fill_in_a_loop(struct bench *bench, int64_t version)
{
    (void)version;
    char *last = strdup("0");
    while (last[0] != '\0') {
        char *next = sql_text(bench->sql,
                              "WITH batch AS (SELECT id FROM t WHERE id > %s ORDER BY id LIMIT 1000), "
                              "filled AS (UPDATE t SET n = 1 FROM batch WHERE t.id = batch.id AND n IS NULL) "
                              "SELECT max(id) FROM batch", last);
        free(last);
        last = next;
    }
    free(last);
    expect_filled(bench);
}

static void submit(struct bench *bench, int64_t version)
{
    rollout_submit(&bench->daemon.client, version, "-- schemagate: backfill\n" FILL ";\n");
}

static void wait_filled(struct bench *bench, int64_t version)
{
    while (sql_number(bench->sql, "SELECT count(*) FROM schemagate.step WHERE version = %" PRId64
                                  " AND section = 'backfill' AND state = 'done'", version) == 0)
        usleep(10000);
    expect_filled(bench);
}

static void fill_by_schemagate(struct bench *bench, int64_t version)
{
    submit(bench, version);
    wait_filled(bench, version);
}

static double measure(struct bench *bench, const char *name, fill *way, int64_t version, double *p99)
{
    char what[96];
    double worst;
    create_rows(bench);
    struct application application = application_start(bench);
    int64_t started = test_now_ms();
    way(bench, version);
    double rate = (double)row_count * 1000 / (double)(test_now_ms() - started);
    application_stop(bench, &application, p99, &worst);
    if (way != fill_nothing) {
        snprintf(what, sizeof what, "backfill, %s: rows a second", name);
        report_plain(what, rate, "/s");
    }
    snprintf(what, sizeof what, "backfill, %s: the application's p99", name);
    report_plain(what, *p99, "ms");
    snprintf(what, sizeof what, "backfill, %s: the application's worst", name);
    report_plain(what, worst, "ms");
    return rate;
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
static int64_t wait_throttled(struct bench *bench, int64_t version, const char *by)
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

static void report_throttle(struct bench *bench, int64_t version, const char *by)
{
    char what[96];
    int64_t before = wait_throttled(bench, version, by);
    if (before < 0)
        test_fail("the backfill was over before %s", by);
    usleep(STANDING_MS * 1000);
    const struct http_answer *answer = rollout_get(&bench->daemon.client, version);
    int64_t after = json_integer_value(json_at(answer->json, "/backfill/rows_done"));
    snprintf(what, sizeof what, "backfill, throttled by %s: rows in %d s", by, STANDING_MS / 1000);
    report_at_most(what, (double)(after - before), "", 0);
}

static void throttle_by_sessions(struct bench *bench, int64_t version)
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
    submit(bench, version);
    report_throttle(bench, version, "active-sessions");
    sql_run(bench->sql, "COMMIT");
    wait_filled(bench, version);
    for (size_t i = 0; i < BUSY; i++)
        PQfinish(busy[i]);
}

static void throttle_by_log(struct bench *bench, int64_t version)
{
    static const char *const environment[] = {
        "SCHEMAGATE_MIGRATION_BACKFILL_MAX_WAL_MB_PER_SECOND=" WAL_MB, NULL};
    restart(bench, environment);
    create_rows(bench);
    char *from = sql_text(bench->sql, "SELECT pg_current_wal_insert_lsn()");
    int64_t started = test_now_ms();
    submit(bench, version);
    wait_filled(bench, version);
    double seconds = (double)(test_now_ms() - started) / 1000;
    int64_t bytes = sql_number(bench->sql, "SELECT (pg_current_wal_insert_lsn() - '%s')::bigint", from);
    report_at_most("backfill, throttled to " WAL_MB " MB of log a second",
                   (double)bytes / 1048576 / seconds, "MB/s", 1.1 * strtod(WAL_MB, NULL));
    free(from);
}

/* The standby applies what it gets with a delay, until it is told to hurry. */
static void throttle_by_lag(struct bench *bench, int64_t version)
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
    struct application application = application_start(bench);
    sql_wait(bench->sql, "SELECT max(replay_lag) > '" LAG_SECONDS " s' FROM pg_stat_replication");
    submit(bench, version);
    report_throttle(bench, version, "replication-lag");
    sql_run(session, "ALTER SYSTEM RESET recovery_min_apply_delay");
    sql_run(session, "SELECT pg_reload_conf()");
    wait_filled(bench, version);
    double p99, worst;
    application_stop(bench, &application, &p99, &worst);
    PQfinish(session);
    cluster_stop(&standby);
}

int main(void)
{
    const char *rows = getenv("SCHEMAGATE_BENCH_ROWS");
    struct bench bench;
    double p99;

    if (rows)
        row_count = strtoll(rows, NULL, 10);
    bench_open(&bench, NULL);
    measure(&bench, "nothing", fill_nothing, 0, &p99);
    double plain = measure(&bench, "one UPDATE", fill_at_once, 0, &p99);
    double loop = measure(&bench, "a loop of 1,000 rows a statement", fill_in_a_loop, 0, &p99);
    double ours = measure(&bench, "schemagate", fill_by_schemagate, 1, &p99);
    report_at_least("backfill, schemagate: rate beside one UPDATE", ours / plain, "times", 0.8);
    report_at_least("backfill, schemagate: rate beside the loop", ours / loop, "times", 2);
    report_at_most("backfill, schemagate: the application's p99", p99, "ms", 25);
    throttle_by_sessions(&bench, 2);
    throttle_by_log(&bench, 3);
    throttle_by_lag(&bench, 4);
    bench_close(&bench);
    return 0;
}
