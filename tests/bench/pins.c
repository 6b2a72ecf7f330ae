/* What a session pin costs: for each new connection, and again in one that has a pin, while 40 other sessions
 * are pinned. Beside it: a connection alone, and the cheapest statement. */
#include <support/bench.h>
#include <support/load.h>
#include <support/report.h>

#include <stdio.h>
#include <time.h>

#define OTHERS 40
#define CONNECTIONS 300
#define STATEMENTS 3000

#define PIN "SELECT schemagate.pin(1, 2)"

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

/* p50 of opening a connection, and of the first pin in it. */
static void measure_connections(const struct bench *bench, double *opened, double *pinned)
{
    double open[CONNECTIONS], pin[CONNECTIONS];
    for (size_t i = 0; i < CONNECTIONS; i++) {
        double started = now_ms();
        PGconn *session = sql_open(bench->conninfo);
        open[i] = now_ms() - started;
        started = now_ms();
        sql_run(session, PIN);
        pin[i] = now_ms() - started;
        PQfinish(session);
    }
    *opened = load_quantile(open, CONNECTIONS, 0.5);
    *pinned = load_quantile(pin, CONNECTIONS, 0.5);
}

static double measure_statement(PGconn *session, const char *text)
{
    static double times[STATEMENTS];
    for (size_t i = 0; i < STATEMENTS; i++) {
        double started = now_ms();
        sql_run(session, "%s", text);
        times[i] = now_ms() - started;
    }
    return load_quantile(times, STATEMENTS, 0.5);
}

int main(void)
{
    struct bench bench;
    PGconn *others[OTHERS];
    double opened, pinned;

    bench_open(&bench, NULL);
    bench_expand_samples(&bench);
    for (size_t i = 0; i < OTHERS; i++) {
        others[i] = sql_open(bench.conninfo);
        sql_run(others[i], PIN);
    }
    measure_connections(&bench, &opened, &pinned);
    report_plain("a session pin: the connection before it, p50", opened, "ms");
    report_plain("a session pin: the first of a connection, p50", pinned, "ms");
    report_plain("a session pin: in place of another, p50", measure_statement(bench.sql, PIN), "ms");
    report_plain("a session pin: beside it, SELECT 1, p50", measure_statement(bench.sql, "SELECT 1"), "ms");
    for (size_t i = 0; i < OTHERS; i++)
        PQfinish(others[i]);
    bench_close(&bench);
    return 0;
}
