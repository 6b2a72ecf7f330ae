/* Reads the clocks; the only place that does (clock.h). */
#include <schemagate/base/clock.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CLOCK_LAST_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z: years have four digits */

static int64_t clock_read_ms(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) != 0)
        abort(); /* both clocks exist on every Linux that can run this program */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct instant clock_sample(void)
{
    return (struct instant){.boot_ms = clock_read_ms(CLOCK_BOOTTIME),
                            .wall_ms = clock_read_ms(CLOCK_REALTIME)};
}

char *clock_rfc3339(int64_t wall_ms, char text[CLOCK_RFC3339_SIZE])
{
    struct tm parts;

    if (wall_ms < 0)
        wall_ms = 0;
    else if (wall_ms > CLOCK_LAST_MS)
        wall_ms = CLOCK_LAST_MS;
    int64_t milliseconds = wall_ms % 1000;
    time_t seconds = (time_t)(wall_ms / 1000);
    gmtime_r(&seconds, &parts);

    char fraction[sizeof(".000Z")] = {'.', (char)('0' + milliseconds / 100),
                                      (char)('0' + milliseconds / 10 % 10),
                                      (char)('0' + milliseconds % 10), 'Z', '\0'};
    size_t length = strftime(text, CLOCK_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + length, CLOCK_RFC3339_SIZE - length, "%s", fraction);
    return text;
}
