/* What benchmarks share. */
#include <support/bench.h>

#include <support/load.h>
#include <support/rollout.h>
#include <support/samples.h>
#include <support/test.h>
#include <support/usage.h>

#include <stdio.h>
#include <stdlib.h>

void bench_open(struct bench *bench, const char *const *environment)
{
    *bench = (struct bench){0};
    usage_allow_files();
    scratch_open(&bench->scratch, "bench", SCRATCH_DISK, false);
    cluster_open(&bench->cluster, &bench->scratch, true);
    cluster_database(&bench->cluster, bench->conninfo);
    bench->sql = sql_open(bench->conninfo);
    daemon_start(&bench->daemon, &bench->scratch,
                 &(struct daemon_options){.conninfo = bench->conninfo,
                                          .environment = environment,
                                          .tcp = true});
    daemon_wait_leader(&bench->daemon);
}

void bench_close(struct bench *bench)
{
    daemon_stop(&bench->daemon);
    daemon_close(&bench->daemon);
    PQfinish(bench->sql);
    cluster_close(&bench->cluster);
}

void bench_expand_samples(struct bench *bench)
{
    rollout_submit(&bench->daemon.client, 1, SAMPLE_CREATE);
    rollout_submit(&bench->daemon.client, 2, SAMPLE_RENAME);
    rollout_wait(&bench->daemon.client, 2, "expanded");
}

char **bench_requests(const char *method, const char *verb, const char *body, size_t count)
{
    char path[96];
    char **requests = calloc(count, sizeof *requests);
    if (!requests)
        test_fail("out of memory");
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "/v1/apps/web/replicas/r%zu%s", i, verb);
        requests[i] = load_request(method, path, body);
    }
    return requests;
}

void bench_free_requests(char **requests, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(requests[i]);
    free(requests);
}

void bench_register(struct bench *bench, size_t count, int lease_seconds)
{
    char body[128];
    struct load_result result;
    snprintf(body, sizeof body,
             "{\"incarnation\": \"one\", \"min\": 1, \"max\": 2, \"lease_seconds\": %d}",
             lease_seconds);
    char **requests = bench_requests("PUT", "", body, count);
    load_run(&(struct load){.port = bench->daemon.port,
                            .connections = count < 256 ? count : 256,
                            .requests = requests,
                            .request_count = count},
             &result, NULL, NULL);
    if (result.answered != count)
        test_fail("%zu of %zu registrations were answered", (size_t)result.answered, count);
    bench_free_requests(requests, count);
}
