/* 200 small migrations, expanded one after the other, beside psql that runs the same transactions. */
#include <support/bench.h>
#include <support/process.h>
#include <support/report.h>
#include <support/rollout.h>
#include <support/test.h>

#include <stdio.h>
#include <stdlib.h>

#define COUNT 200
#define ROUNDS 3

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
        &(struct process_options){.arguments = (const char *[]){"psql", "-Xq", "-v", "ON_ERROR_STOP=1",
                                                                "-f", script, bench->conninfo, NULL}},
        PATIENCE_MS);
    if (code != 0)
        test_fail("psql ended with %d", code);
    return (double)(test_now_ms() - started);
}

static double measure_ours(struct bench *bench, int round)
{
    struct http_client *client = &bench->daemon.client;
    char sql[96];
    int first = round * COUNT + 1;
    sql_run(bench->sql, "CREATE TABLE ours%d (id int)", round);
    int64_t started = test_now_ms();
    for (int i = 0; i < COUNT; i++) {
        snprintf(sql, sizeof sql, "-- schemagate: expand\nALTER TABLE ours%d ADD COLUMN c%d int;\n",
                 round, i);
        rollout_submit(client, first + i, sql);
    }
    rollout_wait(client, first + COUNT - 1, "complete");
    return (double)(test_now_ms() - started);
}

int main(void)
{
    struct bench bench;
    double psql = 0, ours = 0;
    bench_open(&bench, NULL);
    char *script = psql_script(&bench);
    for (int round = 0; round < ROUNDS; round++) {
        double a = measure_psql(&bench, script), b = measure_ours(&bench, round);
        psql = round == 0 || a < psql ? a : psql;
        ours = round == 0 || b < ours ? b : ours;
    }
    report_plain("200 small migrations: psql", psql, "ms");
    report_plain("200 small migrations: schemagate", ours, "ms");
    report_at_most("200 small migrations: beside psql", ours / psql, "times", 1.3);
    free(script);
    bench_close(&bench);
    return 0;
}
