/* Planning: 1,000 statements beside the grammar's own parse of the same text, what the daemon's worker adds
 * to it, and a plan over HTTP with the facts of the catalog. */
#include <support/bench.h>
#include <support/http.h>
#include <support/load.h>
#include <support/report.h>
#include <support/samples.h>
#include <support/test.h>

#include <schemagate/plan/plan.h>
#include <schemagate/service/planner.h>

#include <event2/event.h>
#include <pg_query.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STATEMENTS 1000
#define ROUNDS_LARGE 40
#define ROUNDS_SMALL 400
#define ROUNDS_HTTP 200

static const struct plan_options no_options = {0};

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

/* Additive statements of the kinds that migrations have, under one marker. */
static char *large_text(void)
{
    size_t room = STATEMENTS * 160, length = 0;
    char *sql = malloc(room);
    if (sql == NULL)
        test_fail("out of memory");
    length += (size_t)snprintf(sql, room, "-- schemagate: expand\n");
    for (int i = 0; i < STATEMENTS; i += 2)
        length += (size_t)snprintf(sql + length, room - length,
                                   "CREATE TABLE t%d (id bigint PRIMARY KEY, name text, at timestamptz);\n"
                                   "CREATE INDEX i%d ON t%d (name, at);\n", i, i, i);
    return sql;
}

static double measure_grammar(const char *sql, size_t rounds)
{
    double times[ROUNDS_SMALL];
    for (size_t i = 0; i < rounds; i++) {
        double started = now_ms();
        PgQueryProtobufParseResult result = pg_query_parse_protobuf(sql);
        times[i] = now_ms() - started;
        if (result.error != NULL)
            test_fail("%s", result.error->message);
        pg_query_free_protobuf_parse_result(result);
    }
    return load_quantile(times, rounds, 0.5);
}

static double measure_in_process(const char *sql, size_t rounds)
{
    double times[ROUNDS_SMALL];
    for (size_t i = 0; i < rounds; i++) {
        double started = now_ms();
        struct plan *plan = plan_read(sql, strlen(sql), &no_options);
        times[i] = now_ms() - started;
        if (plan_is_refused(plan))
            test_fail("%s", plan->findings[0].message);
        plan_free(plan);
    }
    return load_quantile(times, rounds, 0.5);
}

static void on_plan(void *context, struct plan *plan)
{
    plan_free(plan);
    event_base_loopbreak(context);
}

static double measure_worker(const char *sql, size_t rounds)
{
    double times[ROUNDS_SMALL];
    struct event_base *base = event_base_new();
    struct planner *planner = planner_open(base, NULL, NULL);
    for (size_t i = 0; i <= rounds; i++) { /* the first one starts the worker */
        double started = now_ms();
        planner_read(planner, sql, strlen(sql), &no_options, on_plan, base);
        event_base_dispatch(base);
        if (i > 0)
            times[i - 1] = now_ms() - started;
    }
    planner_close(planner);
    event_base_free(base);
    return load_quantile(times, rounds, 0.5);
}

static double measure_http(struct http_client *client)
{
    double times[ROUNDS_HTTP];
    for (size_t i = 0; i <= ROUNDS_HTTP; i++) { /* the first one plans the query */
        double started = now_ms();
        const struct http_answer *answer =
            http_call(client, "POST", json_pack("{s:s}", "sql", SAMPLE_RENAME), "/v1/plan");
        if (i > 0)
            times[i - 1] = now_ms() - started;
        if (answer->status != 200)
            test_fail("%s", answer->body);
    }
    return load_quantile(times, ROUNDS_HTTP, 0.5);
}

int main(int argc, char **argv)
{
    struct bench bench;
    char *large = large_text();

    /* The worker is found through /proc/self/exe, which is this program here. */
    if (argc > 2 && strcmp(argv[1], "plan") == 0 && strcmp(argv[2], "--worker") == 0)
        return planner_worker_main(argc - 2, argv + 2);
    double grammar = measure_grammar(large, ROUNDS_LARGE);
    double whole = measure_in_process(large, ROUNDS_LARGE);
    double small = measure_in_process(SAMPLE_RENAME, ROUNDS_SMALL);

    report_plain("1,000 statements, the grammar's own parse, p50", grammar, "ms");
    report_at_most("1,000 statements planned, p50", whole, "ms", 60);
    report_at_most("1,000 statements: what the worker adds, p50",
                   measure_worker(large, ROUNDS_LARGE) - whole, "ms", 2);
    report_plain("a migration of 4 statements planned, p50", small, "ms");
    report_at_most("a migration of 4 statements: what the worker adds, p50",
                   measure_worker(SAMPLE_RENAME, ROUNDS_SMALL) - small, "ms", 2);
    bench_open(&bench, NULL);
    sql_run(bench.sql, "CREATE TABLE customer (id int PRIMARY KEY, name text, note text)");
    report_plain("the same over HTTP, with the facts of its table, p50", measure_http(&bench.daemon.client),
                 "ms");
    bench_close(&bench);
    free(large);
    return 0;
}
