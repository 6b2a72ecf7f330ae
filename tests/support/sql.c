/* libpq for tests: one line per statement. */
#include <support/sql.h>

#include <support/test.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMATTED(text, format)                                                                    \
    char *text = NULL;                                                                             \
    va_list arguments;                                                                             \
    va_start(arguments, format);                                                                   \
    if (vasprintf(&text, format, arguments) < 0)                                                   \
        test_fail("out of memory");                                                                \
    va_end(arguments)

PGconn *sql_open(const char *conninfo)
{
    PGconn *session = PQconnectdb(conninfo);
    if (PQstatus(session) != CONNECTION_OK)
        test_fail("cannot connect: %s", PQerrorMessage(session));
    return session;
}

static PGresult *run(PGconn *session, const char *text)
{
    PGresult *result = PQexec(session, text);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        test_fail("%s: %s", text, PQresultErrorMessage(result));
    return result;
}

void sql_run(PGconn *session, const char *format, ...)
{
    FORMATTED(text, format);
    PQclear(run(session, text));
    free(text);
}

const char *sql_try(PGconn *session, char sqlstate[6], const char *format, ...)
{
    FORMATTED(text, format);
    PGresult *result = PQexec(session, text);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    snprintf(sqlstate, 6, "%s", state ? state : "00000");
    PQclear(result);
    free(text);
    return sqlstate;
}

static char *first_value(PGconn *session, const char *text)
{
    PGresult *result = run(session, text);
    char *value = strdup(PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return value;
}

char *sql_text(PGconn *session, const char *format, ...)
{
    FORMATTED(text, format);
    char *value = first_value(session, text);
    free(text);
    return value;
}

int64_t sql_number(PGconn *session, const char *format, ...)
{
    FORMATTED(text, format);
    char *value = first_value(session, text);
    int64_t number = strtoll(value, NULL, 10);
    free(value);
    free(text);
    return number;
}

void sql_wait(PGconn *session, const char *format, ...)
{
    FORMATTED(text, format);
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    for (;;) {
        char *value = first_value(session, text);
        int is_true = value[0] == 't';
        free(value);
        if (is_true)
            break;
        if (test_now_ms() > deadline)
            test_fail("did not come true: %s", text);
        test_pause();
    }
    free(text);
}
