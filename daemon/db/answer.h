/* What PostgreSQL answers, read: errors, and the outcome of schemagate.commit. */
#ifndef DB_ANSWER_H
#define DB_ANSWER_H

#include <schemagate/base/buf.h>
#include <schemagate/coordinator/environment.h>

#include <libpq-fe.h>

/* The five characters, or "" where the error is libpq's own. */
const char *answer_sqlstate(const PGresult *error);

/* A boolean of the first row. */
bool answer_is_true(const PGresult *result, int column);

/* Appends "42P07: relation "x" already exists", one line. */
void answer_describe_error(const PGresult *error, struct buf *text);

struct commit_answer {
    struct commit_result result;
    int64_t *event_ids; /* owned */
    json_t *hidden;     /* owned */
};

/* Reads what schemagate.commit returned into answer->result: DONE or STALE. Returns false where it
 * is not that. Release it in either case. */
bool commit_answer_read(struct commit_answer *answer, const char *json);
void commit_answer_release(struct commit_answer *answer);

/* The place of character `position` (from 1) of a statement that begins at line and column of a
 * file. */
struct file_place {
    unsigned line, column;
};
struct file_place file_place_of(struct file_place statement, const char *sql, unsigned position);

#endif
