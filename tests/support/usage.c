/* /proc, processors and limits. */
#include <support/usage.h>

#include <support/test.h>

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static FILE *open_proc(pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    FILE *file = fopen(path, "r");
    if (!file)
        test_fail("cannot read %s", path);
    return file;
}

double usage_cpu_seconds(pid_t pid)
{
    char line[1024] = "";
    unsigned long user = 0, kernel = 0;
    FILE *file = open_proc(pid, "stat");
    if (!fgets(line, sizeof line, file))
        line[0] = '\0';
    fclose(file);
    /* The name may hold blanks; the 12th and 13th fields after it are the times. */
    const char *rest = strrchr(line, ')');
    if (!rest ||
        sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
        test_fail("cannot read the times of process %d", (int)pid);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

int64_t usage_anonymous_kb(pid_t pid)
{
    char line[256];
    long kilobytes = -1;
    FILE *file = open_proc(pid, "status");
    while (kilobytes < 0 && fgets(line, sizeof line, file))
        sscanf(line, "RssAnon: %ld kB", &kilobytes);
    fclose(file);
    return kilobytes;
}

void usage_pin(pid_t pid, unsigned processor)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    sched_setaffinity(pid, sizeof set, &set); /* a machine with one processor goes on without */
}

void usage_allow_files(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}
