/* GET /v1/events: the audit trail in pages, and waiting for what comes next. */
#include "handlers.h"

#include "list.h"
#include "wait.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct events_query {
    struct list_query list;
    int64_t after, version, wait;
    const char *kind;
};

#define AT(member) offsetof(struct events_query, member)
static const struct field events_query_fields[] = {
    LIST_FIELDS,
    {"after", FIELD_INTEGER, AT(after), .high = INT64_MAX, .about = "the id of the last event seen"},
    {"kind", FIELD_TEXT, AT(kind), .low = 1, .high = 64, .about = "of this kind; may end in *"},
    {"version", FIELD_INTEGER, AT(version), .low = 1, .high = SCHEMA_VERSION_MAX,
     .about = "of this migration"},
    {"wait", FIELD_INTEGER, AT(wait), .high = WAIT_SECONDS_MAX,
     .about = "seconds to hold the answer back until there is an event"},
};
#undef AT
const struct shape events_query_shape = SHAPE(events_query_fields, struct events_query, NULL);

static void read_events(struct request *r, int64_t after);

/* Where the page begins: cursor or after; -1: the cursor is none of ours. */
static int64_t first_id(const struct events_query *query)
{
    char key[CURSOR_KEY_SIZE];

    if (query->list.cursor == NULL)
        return query->after;
    if (!cursor_decode(query->list.cursor, key) || strspn(key, "0123456789") != strlen(key))
        return -1;
    return strtoll(key, NULL, 10);
}

static void answer_events(struct request *r, const json_t *rows)
{
    const struct events_query *query = request_query(r);
    struct list list;
    size_t i, count = json_array_size(rows);
    json_t *row;

    if (!list_begin(&list, r, &query->list))
        return;
    json_array_foreach((json_t *)(uintptr_t)rows, i, row) {
        list_add(&list, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(row, "id")));
        writer_json(&list.w, NULL, row);
    }
    request_header(r, "X-Index", "%" PRId64, r->seen_index);
    list_finish(&list, count > 0 && (int64_t)count == query->list.limit);
}

static void look_for_events(struct request *r, bool last)
{
    if (last) {
        answer_events(r, NULL);
    } else if (coordinator_index(r->server->coordinator) != r->seen_index) {
        wait_forget(r);
        read_events(r, first_id(request_query(r)));
    }
}

static void on_events(void *context, const json_t *rows)
{
    struct request *r = context;

    if (!request_returned(r))
        return;
    const struct events_query *query = request_query(r);
    if (rows == NULL)
        request_problem(r, PROBLEM_DATABASE_UNAVAILABLE, NULL,
                        "events are read from the database; try again");
    else if (json_array_size(rows) > 0 || query->wait == 0)
        answer_events(r, rows);
    else if (!wait_begin(r, query->wait, look_for_events))
        request_problem(r, PROBLEM_TOO_MANY_WAITERS, NULL, "ask again later, or without ?wait=");
}

static void read_events(struct request *r, int64_t after)
{
    const struct events_query *query = request_query(r);
    struct coordinator *c = r->server->coordinator;

    r->seen_index = coordinator_index(c);
    request_expect(r);
    coordinator_events(c, after, query->kind, query->version, (int)query->list.limit, on_events, r);
}

void events_list(struct request *r)
{
    int64_t after = first_id(request_query(r));
    struct list list = {.request = r};

    if (after < 0)
        list_refuse_cursor(&list);
    else
        read_events(r, after);
}
