/* Hours of the week. */
#include <schemagate/base/hours.h>

#include <schemagate/base/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define DAY_MINUTES 1440
#define ZONES "/usr/share/zoneinfo/"

static int find_day(const char *text)
{
    static const char *const names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    for (int day = 0; day < 7; day++)
        if (strncasecmp(names[day], text, 3) == 0)
            return day;
    return -1;
}

/* "Mon" or "Fri-Mon". */
static bool parse_days(const char *text, unsigned *days)
{
    int first = find_day(text), last = first;
    bool range = strlen(text) == 7 && text[3] == '-';

    if (range)
        last = find_day(text + 4);
    if (first < 0 || last < 0 || !(range || strlen(text) == 3))
        return false;
    *days = 0;
    for (int day = first;; day = (day + 1) % 7) {
        *days |= 1U << day;
        if (day == last)
            return true;
    }
}

static bool parse_times(const char *text, struct hours *hours)
{
    int from_hour, from_minute, until_hour, until_minute, used = 0;

    if (sscanf(text, "%2d:%2d-%2d:%2d%n", &from_hour, &from_minute, &until_hour, &until_minute,
               &used) != 4 ||
        text[used] != '\0' || from_hour < 0 || from_hour > 23 || until_hour < 0 || until_hour > 24 ||
        from_minute < 0 || from_minute > 59 || until_minute < 0 || until_minute > 59)
        return false;
    hours->from = from_hour * 60 + from_minute;
    hours->until = until_hour * 60 + until_minute;
    if (hours->until > DAY_MINUTES)
        return false;
    if (hours->until <= hours->from)
        hours->until += DAY_MINUTES;
    return true;
}

bool hours_parse(const char *text, struct hours *hours, const char **mistake)
{
    char words[3][HOURS_ZONE_SIZE], rest[2];
    int count = sscanf(text, "%63s %63s %63s %1s", words[0], words[1], words[2], rest), at = 0;

    *hours = (struct hours){.days = 0x7f, .zone = "UTC"};
    if (count > 0 && parse_days(words[0], &hours->days))
        at = 1;
    *mistake = "must be days, hours and a time zone, like Mon-Fri 09:00-17:00 Europe/Berlin";
    if (at >= count || count > at + 2 || !parse_times(words[at], hours))
        return false;
    if (count == at + 2)
        memcpy(hours->zone, words[at + 1], sizeof hours->zone);
    *mistake = "must name a time zone that this machine knows, like Europe/Berlin";
    return hours_zone_exists(hours->zone);
}

bool hours_contain(const struct hours *hours, int minute_of_week)
{
    int day = minute_of_week / DAY_MINUTES, minute = minute_of_week % DAY_MINUTES;
    bool today = hours->days & (1U << day), yesterday = hours->days & (1U << (day + 6) % 7);

    return (today && minute >= hours->from && minute < hours->until) ||
           (yesterday && minute + DAY_MINUTES < hours->until);
}

bool hours_zone_exists(const char *zone)
{
    char path[sizeof ZONES + HOURS_ZONE_SIZE];

    if (strcmp(zone, "UTC") == 0)
        return true;
    if (*zone == '/' || *zone == '.' || strstr(zone, ".."))
        return false;
    snprintf(path, sizeof path, ZONES "%s", zone);
    return access(path, R_OK) == 0;
}

/* The C library knows one zone at a time, that of the environment; it is put back at once. Only the main
 * thread asks, and nothing else in the program uses local time. */
int hours_minute_of_week(const char *zone, int64_t wall_ms)
{
    char *before = memory_copy(getenv("TZ"));
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;

    setenv("TZ", zone, 1);
    tzset();
    localtime_r(&seconds, &tm);
    setenv("TZ", before ? before : ":/etc/localtime", 1);
    tzset();
    free(before);
    return (tm.tm_wday + 6) % 7 * DAY_MINUTES + tm.tm_hour * 60 + tm.tm_min;
}
