/* Rows of the table that the benchmarks print: what was measured, the mark, and whether it was
 * met. */
#ifndef SUPPORT_REPORT_H
#define SUPPORT_REPORT_H

/* A measurement that must be at most (or at least) its mark. */
void report_at_most(const char *what, double measured, const char *unit, double mark);
void report_at_least(const char *what, double measured, const char *unit, double mark);

/* A measurement that stands beside others. */
void report_plain(const char *what, double measured, const char *unit);

#endif
