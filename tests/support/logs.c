/* A few paths, and the last lines of what is there. */
#include <support/logs.h>

#include <support/scratch.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGS_MAX 32
#define LINES_SHOWN 12
#define LINES_OF_REPORT 30 /* of a sanitizer's report, from its beginning */

static char *paths[LOGS_MAX];
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER; /* tests start daemons from threads, too */

static void exchange(const char *from, char *to)
{
    pthread_mutex_lock(&guard);
    for (size_t i = 0; i < LOGS_MAX; i++)
        if (from ? paths[i] && strcmp(paths[i], from) == 0 : !paths[i]) {
            free(paths[i]);
            paths[i] = to;
            to = NULL;
            break;
        }
    pthread_mutex_unlock(&guard);
    free(to); /* there was no room: it is not shown */
}

void logs_watch(const char *path)
{
    exchange(NULL, strdup(path));
}

void logs_forget(const char *path)
{
    exchange(path, NULL);
}

static const char *last_lines(const char *text, unsigned count)
{
    const char *at = text + strlen(text);
    while (at > text && count > 0)
        if (*--at == '\n' && at[1] != '\0' && --count == 0)
            return at + 1;
    return at;
}

static void show(const char *path)
{
    char *text = scratch_read(path);
    const char *report = strstr(text, "ERROR: AddressSanitizer");
    report = report ? report : strstr(text, "runtime error: ");
    const char *from = report ? report : last_lines(text, LINES_SHOWN), *end = from;
    for (unsigned i = 0; i < LINES_OF_REPORT && *end; i++)
        end += strcspn(end, "\n") + (strchr(end, '\n') ? 1 : 0);
    fprintf(stderr, "---- the end of %s\n%.*s----\n", strrchr(path, '/') + 1, (int)(end - from), from);
    free(text);
}

void logs_show(void)
{
    fflush(stdout);
    pthread_mutex_lock(&guard);
    for (size_t i = 0; i < LOGS_MAX; i++)
        if (paths[i])
            show(paths[i]);
    pthread_mutex_unlock(&guard);
}
