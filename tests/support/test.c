/* Failing with a sentence, and the clock of the tests. */
#include <support/test.h>

#include <support/logs.h>

#include <dlfcn.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void test_fail_at(const char *file, int line, const char *format, ...)
{
    char sentence[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s:%d: %s\n", file, line, sentence);
    _fail(file, line);
    exit(EXIT_FAILURE);
}

/* In the place of cmocka's: its assertions, too, end here, and the logs of that moment tell why. */
void _fail(const char *file, int line)
{
    union {
        void *object;
        void (*call)(const char *file, int line);
    } cmocka = {.object = dlsym(RTLD_NEXT, "_fail")};

    logs_show();
    if (cmocka.object)
        cmocka.call(file, line);
    exit(EXIT_FAILURE);
}

int64_t test_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct {
    void (*turn)(void *context);
    void *context;
} meanwhile;

void test_meanwhile(void (*turn)(void *context), void *context)
{
    meanwhile.turn = turn;
    meanwhile.context = context;
}

void test_pause(void)
{
    poll(NULL, 0, 5);
    if (meanwhile.turn)
        meanwhile.turn(meanwhile.context);
}
