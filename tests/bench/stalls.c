/* What an application feels of a migration while a long reader (a report, pg_dump) sits idle in its
 * transaction on the same table: without any migration, by psql in the obvious form, by psql with
 * schemagate's lock_timeout in a loop, and by schemagate.
 *
 * Each kind of migration has a lane of its own: a database, a daemon, an application at a steady rate, a
 * reader. Lanes run side by side, because nearly all of their time is waiting for the reader; they begin one
 * after the other, so that no two readers end at the same moment.
 *
 * SCHEMAGATE_BENCH_ROUNDS: how often, the median counts; SCHEMAGATE_BENCH_READER_SECONDS: how long a reader
 * stays; SCHEMAGATE_BENCH_STALL_ROWS: of each table. */
#include <support/application.h>
#include <support/bench.h>
#include <support/fleet.h>
#include <support/load.h>
#include <support/process.h>
#include <support/report.h>
#include <support/rollout.h>
#include <support/samples.h>
#include <support/test.h>
#include <support/usage.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RATE 100 /* transactions a second, in each lane */
#define CLIENTS 4
#define ROWS 200000
#define ROUNDS 3
#define ROUNDS_MOST 9
#define READER_SECONDS 20
#define APART_MS 500      /* between the beginnings of two lanes */
#define READER_FIRST_MS 500 /* so much sooner than the migration it is there */
#define AFTERWARDS_MS 2000  /* what was stalled is made up for */
#define LOCK_TIMEOUT_MS 100 /* schemagate's default */
#define LEASE_SECONDS 3600

static const struct {
    const char *name, *sql;
} kinds[] = {
    {"ADD COLUMN", "ALTER TABLE t ADD COLUMN added int;\n"},
    {"DROP COLUMN", "ALTER TABLE t DROP COLUMN unused;\n"},
    {"foreign key", "ALTER TABLE t ADD CONSTRAINT t_parent FOREIGN KEY (parent) REFERENCES parent (id);\n"},
    {"index", "CREATE INDEX t_body ON t (body);\n"},
    {"SET NOT NULL", "ALTER TABLE t ALTER COLUMN n SET NOT NULL;\n"},
    {"type change", "ALTER TABLE t ALTER COLUMN n TYPE bigint;\n"},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

enum way { NOTHING, PSQL, LOOP, SCHEMAGATE, WAYS };

static const char *const way_names[WAYS] = {"no migration", "psql", "psql in a loop", "schemagate"};

struct lane {
    size_t kind;
    char name[24];
    char conninfo[CLUSTER_CONNINFO_SIZE];
    PGconn *sql, *reader; /* reader NULL: it is not there now */
    struct daemon daemon;
    struct application application;
    int64_t version; /* of its last migration */
    char *file;      /* the migration, for psql */
    pid_t psql;      /* 0: it has ended, or was not begun */
    bool began, ended;
};

struct felt {
    double worst[ROUNDS_MOST], p99[ROUNDS_MOST], p999[ROUNDS_MOST], slow[ROUNDS_MOST];
};

struct stalls {
    struct scratch scratch;
    struct cluster cluster;
    struct lane lanes[KINDS];
    struct felt felt[KINDS][WAYS];
    int64_t reader_ms, row_count;
};

/* ---- lanes ---- */

static void lane_open(struct stalls *stalls, size_t kind)
{
    struct lane *lane = &stalls->lanes[kind];

    *lane = (struct lane){.kind = kind};
    snprintf(lane->name, sizeof lane->name, "lane-%zu", kind);
    cluster_database(&stalls->cluster, lane->conninfo);
    lane->sql = sql_open(lane->conninfo);
    sql_run(lane->sql, "SET client_min_messages = warning; CREATE TABLE parent (id int PRIMARY KEY);"
                       "INSERT INTO parent SELECT generate_series(1, 1000)");
    daemon_start(&lane->daemon, &stalls->scratch, &(struct daemon_options){.conninfo = lane->conninfo});
    daemon_wait_leader(&lane->daemon);
    fleet_join(&lane->daemon.client, &(struct fleet_replica){.app = "web", .instance = "all",
                                                             .incarnation = "one", .min = 0, .max = 1000000,
                                                             .lease_seconds = LEASE_SECONDS});
    lane->file = scratch_write(&stalls->scratch, lane->name, kinds[kind].sql);
}

static void lane_close(struct lane *lane)
{
    daemon_stop(&lane->daemon);
    daemon_close(&lane->daemon);
    PQfinish(lane->sql);
    free(lane->file);
}

/* The table as it was, and the application at work on it. */
static void lane_prepare(struct stalls *stalls, struct lane *lane)
{
    char script[256];

    lane->began = lane->ended = false;
    sql_run(lane->sql, "DROP TABLE IF EXISTS t;"
                       "CREATE TABLE t (id int PRIMARY KEY, parent int, n int, unused int, "
                       "used int NOT NULL DEFAULT 0, body text);"
                       "INSERT INTO t SELECT i, i %% 1000 + 1, i, i, 0, md5(i::text) "
                       "FROM generate_series(1, %" PRId64 ") AS i",
            stalls->row_count);
    sql_run(lane->sql, "VACUUM (ANALYZE) t");
    snprintf(script, sizeof script,
             "\\set id random(1, %" PRId64 ")\nBEGIN;\nSELECT n, body FROM t WHERE id = :id;\n"
             "UPDATE t SET used = used + 1 WHERE id = :id;\nCOMMIT;\n",
             stalls->row_count);
    application_start(&lane->application, &stalls->scratch, lane->sql,
                      &(struct application_options){.name = lane->name, .conninfo = lane->conninfo,
                                                    .script = script, .rate = RATE, .clients = CLIENTS});
}

/* ---- the ways ---- */

static pid_t psql_start(const char *const *arguments)
{
    return process_start(&(struct process_options){.arguments = arguments, .output = "/dev/null",
                                                   .errors = "/dev/null"});
}

static void migrate_by_psql(struct lane *lane)
{
    lane->psql = psql_start((const char *[]){"psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", lane->file,
                                             lane->conninfo, NULL});
}

/* As deploy scripts do it: tries with a pause between them, until one gets its locks. */
static void migrate_in_a_loop(struct lane *lane)
{
    static const char script[] =
        "until psql -Xq -v ON_ERROR_STOP=1 -c \"SET lock_timeout = $1\" -f \"$2\" \"$3\"; do sleep 0.4; done";
    char timeout[16];

    snprintf(timeout, sizeof timeout, "%d", LOCK_TIMEOUT_MS);
    lane->psql = psql_start((const char *[]){"sh", "-c", script, "sh", timeout, lane->file, lane->conninfo,
                                             NULL});
}

static void migrate_by_schemagate(struct lane *lane)
{
    rollout_submit(&lane->daemon.client, ++lane->version, kinds[lane->kind].sql);
}

static void migrate_not(struct lane *lane)
{
    (void)lane;
}

static void (*const migrate[WAYS])(struct lane *lane) = {migrate_not, migrate_by_psql, migrate_in_a_loop,
                                                         migrate_by_schemagate};

static void wait_migrated(struct lane *lane, enum way way)
{
    if (way == SCHEMAGATE)
        rollout_wait(&lane->daemon.client, lane->version, "complete");
    if (lane->psql && process_code(process_wait(lane->psql, PATIENCE_MS)) != 0)
        test_fail("psql failed: %s", kinds[lane->kind].sql);
    lane->psql = 0;
}

/* ---- a round ---- */

/* It has a snapshot, too: a concurrent build of an index waits for it. */
static void reader_come(struct lane *lane)
{
    lane->reader = sql_open(lane->conninfo);
    sql_run(lane->reader, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t WHERE id < 10");
}

static void reader_go(struct lane *lane)
{
    sql_run(lane->reader, "COMMIT");
    PQfinish(lane->reader);
    lane->reader = NULL;
}

/* True once its reader has gone. `ms`: since its lane had its turn. */
static bool lane_advance(const struct stalls *stalls, struct lane *lane, enum way way, int64_t ms)
{
    if (ms >= 0 && !lane->reader && !lane->began)
        reader_come(lane);
    if (ms >= READER_FIRST_MS && !lane->began) {
        migrate[way](lane);
        lane->began = true;
    }
    if (ms >= stalls->reader_ms && lane->reader) {
        reader_go(lane);
        lane->ended = true;
    }
    return lane->ended;
}

static void follow_lanes(struct stalls *stalls, enum way way)
{
    int64_t started = test_now_ms();

    for (size_t ended = 0; ended < KINDS; usleep(5000)) {
        ended = 0;
        for (size_t i = 0; i < KINDS; i++)
            ended += lane_advance(stalls, &stalls->lanes[i], way,
                                  test_now_ms() - started - (int64_t)i * APART_MS);
    }
}

static void measure(struct stalls *stalls, enum way way, int round)
{
    for (size_t i = 0; i < KINDS; i++)
        lane_prepare(stalls, &stalls->lanes[i]);
    sql_run(stalls->lanes[0].sql, "CHECKPOINT");
    follow_lanes(stalls, way);
    for (size_t i = 0; i < KINDS; i++)
        wait_migrated(&stalls->lanes[i], way);
    usleep(AFTERWARDS_MS * 1000);
    for (size_t i = 0; i < KINDS; i++) {
        struct application_felt felt;
        struct felt *into = &stalls->felt[i][way];
        application_stop(&stalls->lanes[i].application, stalls->lanes[i].sql, &felt);
        into->worst[round] = felt.worst;
        into->p99[round] = felt.p99;
        into->p999[round] = felt.p999;
        into->slow[round] = (double)felt.slow;
    }
}

/* ---- the report ---- */

static void report(struct stalls *stalls, size_t kind, size_t rounds)
{
    double worst[WAYS], slow[WAYS];
    char what[128];

    for (size_t way = 0; way < WAYS; way++) {
        struct felt *felt = &stalls->felt[kind][way];
        worst[way] = load_quantile(felt->worst, rounds, 0.5);
        slow[way] = load_quantile(felt->slow, rounds, 0.5);
        snprintf(what, sizeof what, "%s, %s: worst (p99 %.1f, p99.9 %.1f; %.0f over %d ms)",
                 kinds[kind].name, way_names[way], load_quantile(felt->p99, rounds, 0.5),
                 load_quantile(felt->p999, rounds, 0.5), slow[way], APPLICATION_SLOW_MS);
        if (way == SCHEMAGATE)
            report_at_most(what, worst[way], "ms", 1.5 * worst[NOTHING] + LOCK_TIMEOUT_MS);
        else
            report_plain(what, worst[way], "ms");
    }
    snprintf(what, sizeof what, "%s, schemagate: transactions over %d ms", kinds[kind].name,
             APPLICATION_SLOW_MS);
    report_at_most(what, slow[SCHEMAGATE], "", 0);
}

static int64_t option(const char *name, int64_t otherwise)
{
    const char *value = getenv(name);
    return value ? strtoll(value, NULL, 10) : otherwise;
}

int main(void)
{
    static struct stalls stalls;
    int64_t rounds = option("SCHEMAGATE_BENCH_ROUNDS", ROUNDS);

    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MOST ? ROUNDS_MOST : rounds;
    stalls.reader_ms = option("SCHEMAGATE_BENCH_READER_SECONDS", READER_SECONDS) * 1000;
    stalls.row_count = option("SCHEMAGATE_BENCH_STALL_ROWS", ROWS);
    usage_allow_files();
    scratch_open(&stalls.scratch, "stalls", SCRATCH_DISK, false);
    cluster_open(&stalls.cluster, &stalls.scratch, true);
    cluster_configure(&stalls.cluster, "max_connections = 120\nshared_buffers = 512MB");
    cluster_stop(&stalls.cluster);
    cluster_start(&stalls.cluster);
    for (size_t i = 0; i < KINDS; i++)
        lane_open(&stalls, i);
    for (int round = 0; round < rounds; round++)
        for (enum way way = NOTHING; way < WAYS; way++)
            measure(&stalls, way, round);
    for (size_t i = 0; i < KINDS; i++)
        report(&stalls, i, (size_t)rounds);
    for (size_t i = 0; i < KINDS; i++)
        lane_close(&stalls.lanes[i]);
    cluster_stop(&stalls.cluster);
    return 0;
}
