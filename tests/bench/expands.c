/* 200 small migrations, submitted and then expanded one after the other, beside psql that runs the
 * same transactions. */
#include <support/bench.h>
#include <support/load.h>
#include <support/process.h>
#include <support/report.h>
#include <support/rollout.h>
#include <support/test.h>

#include <stdio.h>
#include <stdlib.h>

#define COUNT 200
#define ROUNDS 5

static char *psql_script(const struct bench *bench)
{
    size_t length = 0;
    char *text = NULL;
    FILE *script = open_memstream(&text, &length);
    fprintf(script, "CREATE TABLE beside (id int);\n");
    for (int i = 1; i <= COUNT; i++)
        fprintf(script, "BEGIN;\nSET LOCAL lock_timeout = '100ms';\n"
                        "ALTER TABLE beside ADD COLUMN c%d int;\nCOMMIT;\n", i);
    fprintf(script, "DROP TABLE beside;\n");
    fclose(script);
    char *path = scratch_write(&bench->scratch, "beside.sql", text);
    free(text);
    return path;
}

static double measure_psql(struct bench *bench, const char *script)
{
    int64_t started = test_now_ms();
    int code = process_run(
        &(struct process_options){.arguments = (const char *[]){"psql", "-Xq", "-v",
                                                                "ON_ERROR_STOP=1",
                                                                "-f", script, bench->conninfo,
                                                                NULL}},
        PATIENCE_MS);
    if (code != 0)
        test_fail("psql ended with %d", code);
    return (double)(test_now_ms() - started);
}

static void submit_all(struct bench *bench, int first, int round)
{
    char sql[96];
    for (int i = 0; i < COUNT; i++) {
        snprintf(sql, sizeof sql, "-- schemagate: expand\nALTER TABLE ours%d ADD COLUMN c%d int;\n",
                 round, i);
        rollout_submit(&bench->daemon.client, first + i, sql);
    }
}

/* All are submitted, then the daemon is let go: `submit` is how long the submissions took, the
 * result how long all expands did. */
static double measure_ours(struct bench *bench, int round, double *submit)
{
    struct http_client *client = &bench->daemon.client;
    int first = round * COUNT + 1;
    sql_run(bench->sql, "CREATE TABLE ours%d (id int)", round);
    http_call(client, "POST", NULL, "/v1/pause");
    int64_t started = test_now_ms();
    submit_all(bench, first, round);
    *submit = (double)(test_now_ms() - started);
    started = test_now_ms();
    http_call(client, "POST", NULL, "/v1/resume");
    rollout_wait(client, first + COUNT - 1, "complete");
    return (double)(test_now_ms() - started);
}

int main(void)
{
    struct bench bench;
    double psql[ROUNDS], ours[ROUNDS], submit[ROUNDS];
    bench_open(&bench, NULL);
    char *script = psql_script(&bench);
    for (int round = 0; round < ROUNDS; round++) {
        psql[round] = measure_psql(&bench, script);
        ours[round] = measure_ours(&bench, round, &submit[round]);
    }
    double best_psql = load_quantile(psql, ROUNDS, 0), best_ours = load_quantile(ours, ROUNDS, 0);
    report_plain("200 small migrations: psql runs the transactions", best_psql, "ms");
    report_plain("200 small migrations: schemagate expands them", best_ours, "ms");
    report_at_most("200 small migrations: beside psql", best_ours / best_psql, "times", 1.3);
    report_plain("200 small migrations: submitted one by one before",
                 load_quantile(submit, ROUNDS, 0),
                 "ms");
    free(script);
    bench_close(&bench);
    return 0;
}
