/* The demo's application: works on customers all the time, as an ORM does. Every query lists every
 * column that the release knows; every failure is counted, and so is every wrong answer.
 *
 *     app RELEASE COUNTERS     the database comes from the PG* environment
 *
 * COUNTERS is a file of one line, kept current through a memory map: even a kill -9 loses no count.
 *     PID QUERIES FAILED SLOWEST_MICROSECONDS FIRST-ERROR */
#include <fcntl.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define COUNTERS_SIZE 512
#define PAUSE_MS 20

/* What a release's object mapper sends. $1 is an e-mail address, $2 a name. */
struct release {
    const char *name;
    const char *insert, *select, *update;
};

static const struct release releases[] = {
    {"1",
     "INSERT INTO customer (email, name) VALUES ($1, $2) RETURNING id, email, name",
     "SELECT id, email, name FROM customer WHERE email = $1 AND name <> $2",
     "UPDATE customer SET name = $2 WHERE email = $1 RETURNING id, email, name"},
    {"2",
     "INSERT INTO customer (email, full_name) VALUES ($1, $2) RETURNING id, email, full_name",
     "SELECT id, email, full_name FROM customer WHERE email = $1 AND full_name <> $2",
     "UPDATE customer SET full_name = $2 WHERE email = $1 RETURNING id, email, full_name"},
};

struct work {
    PGconn *session;
    char *counters; /* the mapped file */
    uint64_t queries, failed;
    int64_t slowest_us;
    char first_error[200];
};

static volatile sig_atomic_t stopping;

static void stop(int signal_number)
{
    (void)signal_number;
    stopping = 1;
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void publish(struct work *work)
{
    snprintf(work->counters, COUNTERS_SIZE, "%d %" PRIu64 " %" PRIu64 " %" PRId64 " %s\n",
             (int)getpid(), work->queries, work->failed, work->slowest_us, work->first_error);
}

static void note_failure(struct work *work, const char *message)
{
    work->failed++;
    if (work->first_error[0] == '\0')
        snprintf(work->first_error, sizeof work->first_error, "%.*s", (int)strcspn(message, "\n"),
                 message);
}

/* One row: a number, the address and the name. */
static bool is_answer(const PGresult *result, const char *email, const char *name)
{
    return PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 1), email) == 0 &&
           strcmp(PQgetvalue(result, 0, 2), name) == 0;
}

static void query(struct work *work, const char *sql, const char *email, const char *name,
                  const char *answer)
{
    const char *values[] = {email, name};
    int64_t started = now_us();
    PGresult *result = PQexecParams(work->session, sql, 2, NULL, values, NULL, NULL, 0);
    int64_t took = now_us() - started;
    work->queries++;
    if (took > work->slowest_us)
        work->slowest_us = took;
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        note_failure(work, PQresultErrorMessage(result));
    else if (!is_answer(result, email, answer))
        note_failure(work, "a wrong answer");
    PQclear(result);
    publish(work);
}

static bool open_counters(struct work *work, const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (file < 0 || ftruncate(file, COUNTERS_SIZE) != 0)
        return false;
    work->counters = mmap(NULL, COUNTERS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return work->counters != MAP_FAILED;
}

static void work_on(struct work *work, const struct release *release)
{
    for (uint64_t round = 0; !stopping; round++) {
        char email[64];
        snprintf(email, sizeof email, "customer-%d-%" PRIu64 "@example.org", (int)getpid(), round);
        query(work, release->insert, email, "Ada Lovelace", "Ada Lovelace");
        query(work, release->select, email, "", "Ada Lovelace");
        query(work, release->update, email, "Ada King", "Ada King");
        if (PQstatus(work->session) != CONNECTION_OK)
            PQreset(work->session);
        poll(NULL, 0, PAUSE_MS);
    }
}

int main(int argc, char **argv)
{
    const struct release *release = NULL;
    struct work work = {0};
    for (size_t i = 0; argc == 3 && i < sizeof releases / sizeof releases[0]; i++)
        if (strcmp(argv[1], releases[i].name) == 0)
            release = &releases[i];
    if (!release || !open_counters(&work, argv[2])) {
        fprintf(stderr, "usage: app 1|2 COUNTERS\n");
        return 2;
    }
    signal(SIGTERM, stop);
    work.session = PQconnectdb("");
    if (PQstatus(work.session) != CONNECTION_OK)
        note_failure(&work, PQerrorMessage(work.session));
    work_on(&work, release);
    publish(&work);
    PQfinish(work.session);
    return EXIT_SUCCESS;
}
