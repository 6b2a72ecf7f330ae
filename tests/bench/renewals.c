/* Renewals over keep-alive connections: the daemon beside a bare epoll server with the same
 * parsing, at several numbers of connections, in the same run; and what the connections cost in
 * memory. */
#include <support/bench.h>
#include <support/load.h>
#include <support/process.h>
#include <support/report.h>
#include <support/test.h>
#include <support/usage.h>

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DURATION_MS 2000
#define ROUNDS 5
#define BODY "{\"incarnation\": \"one\", \"health\": {\"requests\": 1200, \"errors\": 3}}"
#define MANY 10000

struct server {
    int port;
    pid_t pid;
};

struct measurement {
    double per_second, cpu_us, p99_ms;
};

static struct server start_ceiling(struct bench *bench, size_t replicas)
{
    char count[24];
    struct server server = {0};
    const char *folder = getenv("SCHEMAGATE_PROGRAMS");
    char *program = NULL, *output = scratch_path(&bench->scratch, "ceiling");
    snprintf(count, sizeof count, "%zu", replicas);
    if (asprintf(&program, "%s/ceiling", folder ? folder : "build/tests/bench") < 0)
        test_fail("out of memory");
    server.pid = process_start(&(struct process_options){
        .arguments = (const char *[]){program, count, NULL}, .output = output});
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    while (server.port == 0) {
        char *text = scratch_read(output);
        server.port = strchr(text, '\n') ? atoi(text) : 0;
        free(text);
        if (test_now_ms() > deadline)
            test_fail("%s does not start", program);
        test_pause();
    }
    free(program);
    free(output);
    return server;
}

/* Keeps the best of all rounds: what else the machine does only takes away. */
static void measure(struct server server, size_t connections, char **requests,
                    struct measurement *best)
{
    struct load_result result;
    double cpu = usage_cpu_seconds(server.pid);
    load_run(&(struct load){.port = server.port,
                            .connections = connections,
                            .requests = requests,
                            .request_count = connections,
                            .duration_ms = DURATION_MS},
             &result, NULL, NULL);
    cpu = (usage_cpu_seconds(server.pid) - cpu) * 1e6 / (double)result.answered;
    if (result.failed)
        test_fail("%llu renewals failed", (unsigned long long)result.failed);
    best->per_second = fmax(best->per_second, (double)result.answered / result.seconds);
    best->cpu_us = fmin(best->cpu_us, cpu);
    best->p99_ms = fmin(best->p99_ms, result.p99_ms);
}

static void compare(struct server ceiling, struct server daemon, size_t connections,
                    char **requests)
{
    char what[96];
    struct measurement bare = {0, INFINITY, INFINITY}, ours = bare;
    for (int round = 0; round < ROUNDS; round++) { /* they take turns */
        measure(ceiling, connections, requests, &bare);
        measure(daemon, connections, requests, &ours);
    }
    snprintf(what, sizeof what, "renewals a second, %zu connections: ceiling", connections);
    report_plain(what, bare.per_second, "/s");
    snprintf(what, sizeof what, "renewals a second, %zu connections: schemagate", connections);
    report_plain(what, ours.per_second, "/s");
    snprintf(what, sizeof what, "share of the ceiling, %zu connections", connections);
    report_at_least(what, ours.per_second / bare.per_second, "", 0.75);
    snprintf(what, sizeof what, "CPU a request, %zu connections: ceiling", connections);
    report_plain(what, bare.cpu_us, "us");
    snprintf(what, sizeof what, "CPU a request, %zu connections: schemagate", connections);
    report_plain(what, ours.cpu_us, "us");
    snprintf(what, sizeof what, "CPU of the ceiling's, %zu connections", connections);
    report_at_most(what, ours.cpu_us / bare.cpu_us, "times", 1.35);
    snprintf(what, sizeof what, "p99 of a renewal, %zu connections: schemagate", connections);
    report_plain(what, ours.p99_ms, "ms");
}

static void look_at_memory(void *context)
{
    const struct server *server = context;
    report_at_most("anonymous memory with 10,000 open connections",
                   (double)usage_anonymous_kb(server->pid) / 1024, "MB", 64);
}

int main(void)
{
    struct bench bench;
    struct load_result result;
    bench_open(&bench, NULL);
    bench_expand_samples(&bench);
    bench_register(&bench, MANY, 3600);
    struct server daemon = {bench.daemon.port, bench.daemon.pid};
    struct server ceiling = start_ceiling(&bench, MANY);
    char **requests = bench_requests("POST", "/renew", BODY, MANY);
    usage_pin(daemon.pid, BENCH_SERVER_PROCESSOR);
    usage_pin(ceiling.pid, BENCH_SERVER_PROCESSOR);
    usage_pin(0, BENCH_LOAD_PROCESSOR);
    compare(ceiling, daemon, 64, requests);
    compare(ceiling, daemon, 1000, requests);
    load_run(&(struct load){.port = daemon.port,
                            .connections = MANY,
                            .requests = requests,
                            .request_count = MANY},
             &result, look_at_memory, &daemon);
    bench_free_requests(requests, MANY);
    kill(ceiling.pid, SIGKILL);
    process_wait(ceiling.pid, PATIENCE_MS);
    bench_close(&bench);
    return 0;
}
