/* A large fleet: memory with an empty registry and per replica, what a renewal costs in fleets of
 * different size, and how late 10,000 leases that run out together are noticed. */
#include <support/bench.h>
#include <support/json.h>
#include <support/load.h>
#include <support/report.h>
#include <support/test.h>
#include <support/usage.h>

#include <stdio.h>
#include <stdlib.h>

#define FLEET 100000
#define SMALL_FLEET 100
#define TOGETHER 10000
#define LEASE_SECONDS 5
#define BODY "{\"incarnation\": \"one\"}"
#define CONNECTIONS 64
#define DURATION_MS 3000

static double renewal_cpu_us(struct bench *bench, size_t fleet)
{
    struct load_result result;
    char **requests = bench_requests("POST", "/renew", BODY, fleet);
    double cpu = usage_cpu_seconds(bench->daemon.pid);
    load_run(&(struct load){.port = bench->daemon.port,
                            .connections = CONNECTIONS,
                            .requests = requests,
                            .request_count = fleet,
                            .duration_ms = DURATION_MS},
             &result, NULL, NULL);
    cpu = usage_cpu_seconds(bench->daemon.pid) - cpu;
    bench_free_requests(requests, fleet);
    if (result.failed)
        test_fail("%llu renewals failed", (unsigned long long)result.failed);
    return cpu * 1e6 / (double)result.answered;
}

static void measure_fleet(void)
{
    struct bench bench;
    bench_open(&bench, NULL);
    double empty_kb = (double)usage_anonymous_kb(bench.daemon.pid);
    report_at_most("anonymous memory, empty registry", empty_kb / 1024, "MB", 4);
    bench_expand_samples(&bench);
    usage_pin(bench.daemon.pid, BENCH_SERVER_PROCESSOR);
    usage_pin(0, BENCH_LOAD_PROCESSOR);
    bench_register(&bench, SMALL_FLEET, 3600);
    double small_us = renewal_cpu_us(&bench, SMALL_FLEET);
    double before_kb = (double)usage_anonymous_kb(bench.daemon.pid);
    int64_t started = test_now_ms();
    bench_register(&bench, FLEET, 3600);
    report_plain("registrations a second, durable, 256 at a time",
                 FLEET * 1000.0 / (double)(test_now_ms() - started), "/s");
    double bytes = ((double)usage_anonymous_kb(bench.daemon.pid) - before_kb) * 1024 /
                   (FLEET - SMALL_FLEET);
    report_at_most("memory a registered replica, 100,000 of them", bytes, "bytes", 600);
    double large_us = renewal_cpu_us(&bench, FLEET);
    report_plain("CPU a renewal, fleet of 100", small_us, "us");
    report_plain("CPU a renewal, fleet of 100,000", large_us, "us");
    report_at_most("CPU a renewal, large fleet beside small one", large_us / small_us, "times",
                   1.3);
    bench_close(&bench);
}

static int64_t lost_replicas(struct bench *bench)
{
    const struct http_answer *answer = http_call(&bench->daemon.client, "GET", NULL, "/status");
    return json_number_at(answer->json, "/replicas/lost");
}

/* All leases are extended by requests that come within a moment; the last of them ends the last
 * lease. */
static void measure_lateness(void)
{
    struct bench bench;
    struct load_result result;
    bench_open(&bench, NULL);
    bench_expand_samples(&bench);
    bench_register(&bench, TOGETHER, LEASE_SECONDS);
    char **requests = bench_requests("POST", "/renew", BODY, TOGETHER);
    load_run(&(struct load){.port = bench.daemon.port,
                            .connections = 256,
                            .requests = requests,
                            .request_count = TOGETHER},
             &result, NULL, NULL);
    int64_t due = test_now_ms() + LEASE_SECONDS * 1000, noticed;
    bench_free_requests(requests, TOGETHER);
    do {
        test_pause();
        noticed = test_now_ms();
        if (noticed > due + PATIENCE_MS)
            test_fail("the leases were not noticed");
    } while ((noticed < due - 500) || lost_replicas(&bench) < TOGETHER);
    report_at_most("10,000 leases run out together: the last one noticed after",
                   (double)(noticed - due), "ms", 100);
    double recorded = (double)sql_number(
        bench.sql, "SELECT 1000 * extract(epoch FROM max(at) - min(at)) FROM schemagate.event "
                   "WHERE kind = 'replica.lost'");
    report_plain("10,000 leases run out together: first to last record", recorded, "ms");
    bench_close(&bench);
}

int main(void)
{
    measure_fleet();
    measure_lateness();
    return 0;
}
