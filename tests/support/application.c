/* pgbench with --rate, and its log. */
#include <support/application.h>

#include <support/load.h>
#include <support/process.h>
#include <support/sql.h>
#include <support/test.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY_SECONDS "86400" /* longer than it is let run */

void application_start(struct application *application, const struct scratch *scratch, PGconn *session,
                       const struct application_options *options)
{
    char rate[16], clients[16], file[64], *log = NULL, *conninfo = NULL;

    *application = (struct application){.name = options->name,
                                        .prefix = scratch_path(scratch, "%s", options->name)};
    snprintf(file, sizeof file, "%s.sql", options->name);
    snprintf(rate, sizeof rate, "%u", options->rate);
    snprintf(clients, sizeof clients, "%u", options->clients);
    char *script = scratch_write(scratch, file, options->script);
    if (asprintf(&log, "--log-prefix=%s", application->prefix) < 0
        || asprintf(&conninfo, "%s application_name=%s", options->conninfo, options->name) < 0)
        test_fail("out of memory");
    application->pgbench = process_start(&(struct process_options){
        .arguments = (const char *[]){"pgbench", "-n", "-f", script, "-R", rate, "-c", clients, "-T",
                                      DAY_SECONDS, "--log", log, conninfo, NULL},
        .output = "/dev/null",
        .errors = "/dev/null",
    });
    sql_wait(session, "SELECT count(*) = %u FROM pg_stat_activity WHERE application_name = '%s'",
             options->clients, options->name);
    free(script);
    free(log);
    free(conninfo);
}

/* Its latencies, in ms, as many as `count` says then; the caller frees. */
static double *read_log(const char *path, size_t *count)
{
    size_t room = 1 << 14;
    double *latencies = malloc(room * sizeof *latencies), us;
    FILE *log = fopen(path, "r");

    if (!log || !latencies)
        test_fail("%s cannot be read", path);
    for (*count = 0; fscanf(log, "%*d %*d %lf %*[^\n]", &us) == 1; latencies[(*count)++] = us / 1000) {
        if (*count < room)
            continue;
        latencies = realloc(latencies, (room *= 2) * sizeof *latencies);
        if (!latencies)
            test_fail("out of memory");
    }
    fclose(log);
    if (*count == 0)
        test_fail("the application has done nothing");
    return latencies;
}

static void summarize(double *latencies, size_t count, struct application_felt *felt)
{
    *felt = (struct application_felt){
        .count = count,
        .p99 = load_quantile(latencies, count, 0.99),
        .p999 = load_quantile(latencies, count, 0.999),
        .worst = load_quantile(latencies, count, 1),
    };
    for (size_t i = 0; i < count; i++)
        felt->slow += latencies[i] > APPLICATION_SLOW_MS;
}

void application_stop(struct application *application, PGconn *session, struct application_felt *felt)
{
    char *path = NULL;
    size_t count;

    sql_run(session, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '%s'",
            application->name);
    process_wait(application->pgbench, PATIENCE_MS);
    if (asprintf(&path, "%s.%d", application->prefix, (int)application->pgbench) < 0)
        test_fail("out of memory");
    double *latencies = read_log(path, &count);
    summarize(latencies, count, felt);
    unlink(path);
    free(latencies);
    free(path);
    free(application->prefix);
}
