/* Lists in pages: {"items": […], "next": "<cursor>" or null}. */
#ifndef HTTP_LIST_H
#define HTTP_LIST_H

#include "cursor.h"
#include "request.h"

#define LIST_LIMIT 100
#define LIST_LIMIT_MAX 1000

/* The rows that every list takes in its query; offsets into struct list_query, which comes first. */
struct list_query {
    int64_t limit;
    const char *cursor;
};
#define LIST_FIELDS                                                                                \
    {"limit", FIELD_INTEGER, offsetof(struct list_query, limit), .low = 1, .high = LIST_LIMIT_MAX,   \
     .fallback = LIST_LIMIT, .about = "items a page"},                                               \
    {                                                                                              \
        "cursor", FIELD_TEXT, offsetof(struct list_query, cursor), .low = 1,                         \
            .high = CURSOR_SIZE - 1, .about = "`next` of the page before"                            \
    }

struct list {
    struct request *request;
    struct buf body;
    struct writer w;
    int64_t left;              /* items that still fit into the page */
    char from[CURSOR_KEY_SIZE]; /* the key of the last item of the page before, "" at the start */
    char last[CURSOR_KEY_SIZE]; /* of this page */
};

/* False: the cursor is none; answered. */
bool list_begin(struct list *list, struct request *r, const struct list_query *query);

/* Before an item is written; false: it belongs to the next page, finish. */
bool list_add(struct list *list, const char *key_format, ...) __attribute__((format(printf, 2, 3)));

/* more: items are left. */
void list_finish(struct list *list, bool more);

/* Answers that the cursor leads nowhere, and drops the page. */
void list_refuse_cursor(struct list *list);

#endif
