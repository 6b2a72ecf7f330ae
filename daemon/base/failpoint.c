/* Stops or kills the test build at a named place (failpoint.h). */
#include <schemagate/base/failpoint.h>

#include <signal.h>

#ifdef SCHEMAGATE_FAILPOINTS
#include <stdlib.h>
#include <string.h>

/* What SCHEMAGATE_FAILPOINT asks of `name`: the signal and the arrival at which it is raised; 0: nothing. */
static int failpoint_asked(const char *name, unsigned long *arrival)
{
    const char *asked = getenv("SCHEMAGATE_FAILPOINT");
    size_t length = strlen(name);

    if (asked == NULL || strncmp(asked, name, length) != 0 || asked[length] != '=') {
        return 0;
    }
    const char *action = asked + length + 1;
    const char *count = strchr(action, ':');
    *arrival = count != NULL ? strtoul(count + 1, NULL, 10) : 1;
    return strncmp(action, "kill", 4) == 0 ? SIGKILL : strncmp(action, "stop", 4) == 0 ? SIGSTOP : 0;
}

void failpoint(const char *name)
{
    static unsigned long arrivals; /* at the one place that is asked for */
    unsigned long wanted;
    int signal_number = failpoint_asked(name, &wanted);

    if (signal_number != 0 && ++arrivals == wanted) {
        raise(signal_number);
    }
}
#endif
