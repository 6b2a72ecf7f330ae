/* Reads errors and commit results. */
#include "answer.h"

#include "connect.h"

#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>

const char *answer_sqlstate(const PGresult *error)
{
    const char *sqlstate = PQresultErrorField(error, PG_DIAG_SQLSTATE);

    return sqlstate != NULL ? sqlstate : "";
}

bool answer_is_true(const PGresult *result, int column)
{
    return PQgetvalue(result, 0, column)[0] == 't';
}

void answer_describe_error(const PGresult *error, struct buf *text)
{
    const char *message = PQresultErrorField(error, PG_DIAG_MESSAGE_PRIMARY);
    const char *sqlstate = answer_sqlstate(error);

    if (sqlstate[0] != '\0')
        buf_printf(text, "%s: ", sqlstate);
    connect_append_line(text, message != NULL ? message : PQresultErrorMessage(error));
}

/* ---- schemagate.commit ---- */

static int64_t version_of(const json_t *row, const char *column)
{
    return json_integer_value(json_object_get(row, column)); /* null: 0 */
}

static void read_event_ids(struct commit_answer *answer, const json_t *events)
{
    size_t count = json_array_size(events);

    answer->event_ids = memory_new((count + 1) * sizeof *answer->event_ids);
    for (size_t i = 0; i < count; i++)
        answer->event_ids[i] = json_integer_value(json_array_get(events, i));
    answer->result.event_ids = answer->event_ids;
    answer->result.event_count = count;
}

bool commit_answer_read(struct commit_answer *answer, const char *json)
{
    json_t *root = json_loads(json, 0, NULL);
    const json_t *generation = json_object_get(root, "generation");
    const json_t *window = json_object_get(root, "window");
    bool valid = json_is_integer(generation);

    memset(answer, 0, sizeof *answer);
    answer->result.generation = json_integer_value(generation);
    if (window != NULL) {
        answer->result.status = COMMIT_STALE;
        answer->result.window = (struct window){
            .floor = version_of(window, "floor"),
            .ceiling = version_of(window, "ceiling"),
            .contracting = version_of(window, "contracting"),
            .undoing = version_of(window, "undoing"),
        };
    } else {
        answer->result.status = COMMIT_DONE;
        read_event_ids(answer, json_object_get(root, "events"));
        answer->hidden = json_incref(json_object_get(root, "hidden"));
        answer->result.hidden = answer->hidden;
    }
    json_decref(root);
    return valid;
}

void commit_answer_release(struct commit_answer *answer)
{
    free(answer->event_ids);
    answer->event_ids = NULL;
    json_decref(answer->hidden);
    answer->hidden = NULL;
}

/* ---- positions ---- */

struct file_place file_place_of(struct file_place statement, const char *sql, unsigned position)
{
    struct file_place place = statement;

    for (const char *at = sql; *at != '\0' && position > 1; at++) {
        if (*at == '\n') {
            place.line++;
            place.column = 1;
            position--;
        } else if (((unsigned char)at[1] & 0xC0) != 0x80) { /* the last byte of a UTF-8 character */
            place.column++;
            position--;
        }
    }
    return place;
}
