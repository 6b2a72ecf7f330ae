/* Hours of the week, as the configuration writes them: "Mon-Fri 09:00-17:00 Europe/Berlin". Days and zone
 * may be left out (every day, UTC); hours may run over midnight ("22:00-04:00", counted from the day on
 * which they begin), days over the weekend ("Fri-Mon"). */
#ifndef SCHEMAGATE_BASE_HOURS_H
#define SCHEMAGATE_BASE_HOURS_H

#include <stdbool.h>
#include <stdint.h>

#define HOURS_WEEK_MINUTES 10080
#define HOURS_ZONE_SIZE 64

struct hours {
    unsigned days; /* bits, Monday first: those on which they begin */
    int from, until; /* minutes of the day; until > from, up to 2880 */
    char zone[HOURS_ZONE_SIZE];
};

/* Returns false with *mistake (static) saying what is wrong. */
bool hours_parse(const char *text, struct hours *hours, const char **mistake);

/* minute_of_week: 0 is Monday 00:00 in the zone of the hours. */
bool hours_contain(const struct hours *hours, int minute_of_week);

/* By the C library's time zones. wall_ms: milliseconds since 1970 UTC. */
int hours_minute_of_week(const char *zone, int64_t wall_ms);
bool hours_zone_exists(const char *zone);

#endif
