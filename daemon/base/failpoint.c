/* Stops or kills the test build at a named place (failpoint.h). */
#include <schemagate/base/failpoint.h>

#include <signal.h>

#ifdef SCHEMAGATE_FAILPOINTS
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A transaction of a phase, from its start to the answer to its COMMIT. */
#define PHASE(section) section "-begin", section "-sent", section "-committed"
/* Between the fence of a gate and the SQL behind it. */
#define GATE(section) section "-fenced", section "-verified"

const char *const failpoint_names[] = {
    PHASE("expand"), PHASE("backfill"), PHASE("contract"), PHASE("undo"), PHASE("purge"), PHASE("restore"),
    GATE("contract"), GATE("undo"), GATE("purge"),
    "alone-noted",   /* what is there before a statement outside of transactions is noted with its step */
    "alone-ran",     /* it has ended, and nothing says so yet */
    "alone-mending", /* what an interrupted one has left behind is being cleared away */
    "alone-mended",
    NULL,
};

static void failpoint_check(const char *name)
{
    for (size_t i = 0; failpoint_names[i] != NULL; i++)
        if (strcmp(failpoint_names[i], name) == 0)
            return;
    fprintf(stderr, "failpoint %s is not listed in daemon/base/failpoint.c\n", name);
    abort();
}

static void failpoint_trace(const char *name)
{
    const char *path = getenv("SCHEMAGATE_FAILPOINT_TRACE");
    FILE *file = path != NULL ? fopen(path, "a") : NULL;

    if (file != NULL) {
        fprintf(file, "%s\n", name);
        fclose(file);
    }
}

/* What is asked for: SCHEMAGATE_FAILPOINT, or the first line of SCHEMAGATE_FAILPOINT_FILE, as it is now. */
static void read_request(char request[96])
{
    const char *asked = getenv("SCHEMAGATE_FAILPOINT"), *path = getenv("SCHEMAGATE_FAILPOINT_FILE");
    FILE *file = path != NULL ? fopen(path, "r") : NULL;

    snprintf(request, 96, "%s", asked != NULL ? asked : "");
    if (file != NULL) {
        if (fgets(request, 96, file) == NULL)
            request[0] = '\0';
        fclose(file);
    }
}

/* What `request` asks of `name`: the signal and the arrival at which it is raised; 0: nothing. */
static int failpoint_asked(const char *request, const char *name, unsigned long *arrival)
{
    size_t length = strlen(name);

    if (strncmp(request, name, length) != 0 || request[length] != '=')
        return 0;
    const char *action = request + length + 1;
    const char *count = strchr(action, ':');
    *arrival = count != NULL ? strtoul(count + 1, NULL, 10) : 1;
    return strncmp(action, "kill", 4) == 0 ? SIGKILL : strncmp(action, "stop", 4) == 0 ? SIGSTOP : 0;
}

void failpoint(const char *name)
{
    static unsigned long arrivals; /* at the one place that is asked for */
    static char last[96];
    char request[96];
    unsigned long wanted;

    read_request(request);
    if (strcmp(request, last) != 0) {
        snprintf(last, sizeof last, "%s", request);
        arrivals = 0;
    }
    int signal_number = failpoint_asked(request, name, &wanted);
    failpoint_check(name);
    failpoint_trace(name);
    if (signal_number != 0 && ++arrivals == wanted)
        raise(signal_number);
}
#endif
