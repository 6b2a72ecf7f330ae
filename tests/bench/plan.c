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

/* Additive statements of the kinds that migrations have, under one marker, or as an ORM prints them. */
static char *large_text(const char *marker)
{
    size_t room = STATEMENTS * 160, length = 0;
    char *sql = malloc(room);
    if (sql == NULL)
        test_fail("out of memory");
    length += (size_t)snprintf(sql, room, "%s", marker);
    for (int i = 0; i < STATEMENTS; i += 2)
        length += (size_t)snprintf(sql + length, room - length,
                                   "CREATE TABLE t%d (id bigint PRIMARY KEY, name text, at timestamptz);\n"
                                   "CREATE INDEX i%d ON t%d (name, at);\n", i, i, i);
    return sql;
}

static double parse(const char *sql)
{
    double started = now_ms();
    PgQueryProtobufParseResult result = pg_query_parse_protobuf(sql);
    double took = now_ms() - started;
    if (result.error != NULL)
        test_fail("%s", result.error->message);
    pg_query_free_protobuf_parse_result(result);
    return took;
}

static double plan_in_process(const char *sql)
{
    double started = now_ms();
    struct plan *plan = plan_read(sql, strlen(sql), &no_options);
    double took = now_ms() - started;
    if (plan_is_refused(plan))
        test_fail("%s", plan->findings[0].message);
    plan_free(plan);
    return took;
}

static void on_plan(void *context, struct plan *plan)
{
    plan_free(plan);
    event_base_loopbreak(context);
}

static double plan_through_worker(struct event_base *base, struct planner *planner, const char *sql)
{
    double started = now_ms();
    planner_read(planner, sql, strlen(sql), &no_options, on_plan, base);
    event_base_dispatch(base);
    return now_ms() - started;
}

struct measured {
    double grammar, in_process, added; /* added: by the worker, turn by turn */
};

/* In turns: what else the machine does then hits all three. */
static struct measured measure(const char *sql, size_t rounds)
{
    double grammar[ROUNDS_SMALL], in_process[ROUNDS_SMALL], added[ROUNDS_SMALL];
    struct event_base *base = event_base_new();
    struct planner *planner = planner_open(base, NULL, NULL);
    plan_through_worker(base, planner, sql); /* it starts */
    for (size_t i = 0; i < rounds; i++) {
        grammar[i] = parse(sql);
        in_process[i] = plan_in_process(sql);
        added[i] = plan_through_worker(base, planner, sql) - in_process[i];
    }
    planner_close(planner);
    event_base_free(base);
    return (struct measured){load_quantile(grammar, rounds, 0.5), load_quantile(in_process, rounds, 0.5),
                             load_quantile(added, rounds, 0.5)};
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

    /* The worker is found through /proc/self/exe, which is this program here. */
    if (argc > 2 && strcmp(argv[1], "plan") == 0 && strcmp(argv[2], "--worker") == 0)
        return planner_worker_main(argc - 2, argv + 2);
    char *marked = large_text("-- schemagate: expand\n"), *plain = large_text("");
    struct measured large = measure(marked, ROUNDS_LARGE), split = measure(plain, ROUNDS_LARGE);
    struct measured small = measure(SAMPLE_RENAME, ROUNDS_SMALL);

    report_plain("1,000 statements, the grammar's own parse, p50", large.grammar, "ms");
    report_at_most("1,000 statements planned, p50", large.in_process, "ms", 60);
    report_at_most("1,000 statements without markers planned, p50", split.in_process, "ms", 60);
    report_at_most("1,000 statements: what the worker adds, p50", large.added, "ms", 2);
    report_plain("a migration of 4 statements planned, p50", small.in_process, "ms");
    report_at_most("a migration of 4 statements: what the worker adds, p50", small.added, "ms", 2);
    bench_open(&bench, NULL);
    sql_run(bench.sql, "CREATE TABLE customer (id int PRIMARY KEY, name text, note text)");
    report_plain("the same over HTTP, with the facts of its table, p50", measure_http(&bench.daemon.client),
                 "ms");
    bench_close(&bench);
    free(marked);
    free(plain);
    return 0;
}
