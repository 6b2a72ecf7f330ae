/* One line a measurement, tab-separated; tests/bench/run makes a table of them. */
#include <support/report.h>

#include <stdio.h>

static void row(const char *what, double measured, const char *unit, const char *mark,
                const char *verdict)
{
    printf("%s\t%.*f %s\t%s\t%s\n", what, measured < 10 ? 2 : measured < 100 ? 1 : 0, measured,
           unit,
           mark, verdict);
    fflush(stdout);
}

void report_at_most(const char *what, double measured, const char *unit, double mark)
{
    char text[64];
    snprintf(text, sizeof text, "at most %g", mark);
    row(what, measured, unit, text, measured <= mark ? "met" : "MISSED");
}

void report_at_least(const char *what, double measured, const char *unit, double mark)
{
    char text[64];
    snprintf(text, sizeof text, "at least %g", mark);
    row(what, measured, unit, text, measured >= mark ? "met" : "MISSED");
}

void report_plain(const char *what, double measured, const char *unit)
{
    row(what, measured, unit, "", "");
}
