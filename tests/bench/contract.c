/* From the goodbye of the last old replica to the contract's commit, on an idle and durable
 * database, beside the sum of its parts measured in the same run: one durable commit and the same
 * DDL in one transaction. */
#include <support/bench.h>
#include <support/fleet.h>
#include <support/load.h>
#include <support/report.h>
#include <support/rollout.h>
#include <support/samples.h>
#include <support/test.h>

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define ROUNDS 200

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1e6;
}

/* Submits a migration whose contract drops a column, with one old replica that holds it. */
static void prepare(struct bench *bench, int64_t version)
{
    char sql[160];
    struct http_client *client = &bench->daemon.client;
    snprintf(sql, sizeof sql,
             "-- schemagate: expand\nALTER TABLE customer ADD COLUMN c%" PRId64 " int;\n"
             "-- schemagate: contract\nALTER TABLE customer DROP COLUMN c%" PRId64 ";\n",
             version, version);
    fleet_join(client, REPLICA("old", 1, version - 1));
    rollout_submit(client, version, sql);
    rollout_wait(client, version, "expanded");
}

/* The answer to a long poll comes after the commit, so that this is an upper bound. */
static double measure_contract(struct bench *bench, int64_t version)
{
    struct http_client *client = &bench->daemon.client;
    char path[96];
    snprintf(path, sizeof path, "/v1/migrations/%" PRId64 "?until=complete&wait=20", version);
    int poll = http_send(client, "GET", NULL, "%s", path);
    http_call(client, "GET", NULL, "/livez"); /* the long poll is there before */
    double started = now_ms();
    int goodbye = http_send(client, "DELETE", NULL, "/v1/apps/web/replicas/old?incarnation=one");
    if (http_receive(poll) != 200)
        test_fail("the long poll failed");
    double took = now_ms() - started;
    if (http_receive(goodbye) != 204)
        test_fail("the goodbye failed");
    rollout_expect_phase(client, version, "complete", "done");
    return took;
}

static double measure_commit(struct bench *bench, int round)
{
    double started = now_ms();
    sql_run(bench->sql, "UPDATE parts SET n = %d", round);
    return now_ms() - started;
}

static double measure_ddl(struct bench *bench, int round)
{
    sql_run(bench->sql, "ALTER TABLE parts ADD COLUMN c%d int", round);
    double started = now_ms();
    sql_run(bench->sql,
            "BEGIN; SET LOCAL lock_timeout = '100ms'; ALTER TABLE parts DROP COLUMN c%d; COMMIT",
            round);
    return now_ms() - started;
}

int main(void)
{
    struct bench bench;
    double contracts[ROUNDS], commits[ROUNDS], ddl[ROUNDS];
    bench_open(&bench, NULL);
    sql_run(bench.sql, "CREATE TABLE parts (n int); INSERT INTO parts VALUES (0)");
    rollout_submit(&bench.daemon.client, 1, SAMPLE_CREATE);
    rollout_wait(&bench.daemon.client, 1, "complete");
    struct fleet_replica replica = *REPLICA("new", 1, ROUNDS + 2);
    replica.lease_seconds = 3600;
    fleet_join(&bench.daemon.client, &replica);
    for (int i = 0; i < ROUNDS; i++) {
        prepare(&bench, i + 2);
        contracts[i] = measure_contract(&bench, i + 2);
        commits[i] = measure_commit(&bench, i);
        ddl[i] = measure_ddl(&bench, i);
    }
    report_plain("one durable commit, p50", load_quantile(commits, ROUNDS, 0.5), "ms");
    report_plain("the same DDL in one transaction, p50", load_quantile(ddl, ROUNDS, 0.5), "ms");
    report_plain("sum of the parts, p50", commits[ROUNDS / 2] + ddl[ROUNDS / 2], "ms");
    report_plain("sum of the parts, p99",
                 load_quantile(commits, ROUNDS, 0.99) + load_quantile(ddl, ROUNDS, 0.99), "ms");
    report_at_most("last goodbye to the contract's commit, p50",
                   load_quantile(contracts, ROUNDS, 0.5),
                   "ms", 3);
    report_at_most("last goodbye to the contract's commit, p99",
                   load_quantile(contracts, ROUNDS, 0.99),
                   "ms", 10);
    bench_close(&bench);
    return 0;
}
