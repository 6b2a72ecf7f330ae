/* A session of the test's own with PostgreSQL. Every error fails the test, unless it is asked
 * for. */
#ifndef SUPPORT_SQL_H
#define SUPPORT_SQL_H

#include <libpq-fe.h>
#include <stdint.h>

PGconn *sql_open(const char *conninfo);

/* Runs statements that may be several. */
void sql_run(PGconn *session, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Runs statements that may fail: the SQLSTATE, "00000" when they did not; valid until the next
 * call. */
const char *sql_try(PGconn *session, char sqlstate[6], const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The first column of the first row: "" for no row or NULL; the caller frees the text. */
char *sql_text(PGconn *session, const char *format, ...) __attribute__((format(printf, 2, 3)));
int64_t sql_number(PGconn *session, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Looks again and again until the query's first column is true. */
void sql_wait(PGconn *session, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
