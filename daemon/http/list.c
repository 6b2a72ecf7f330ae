/* Pages of lists (list.h). */
#include "list.h"

#include <stdarg.h>
#include <stdio.h>

void list_refuse_cursor(struct list *list)
{
    struct mistakes mistakes;

    mistakes_begin(&mistakes, "query");
    buf_free(&list->body);
    mistakes_add(&mistakes, "", "cursor", "is none that this list gave out; begin again without it");
    request_problem_mistakes(list->request, &mistakes);
}

bool list_begin(struct list *list, struct request *r, const struct list_query *query)
{
    *list = (struct list){.request = r, .left = query->limit, .body = BUF_INIT(0)};
    list->w = WRITER_INIT(&list->body);
    if (query->cursor != NULL && !cursor_decode(query->cursor, list->from)) {
        list_refuse_cursor(list);
        return false;
    }
    writer_open_object(&list->w, NULL);
    writer_open_list(&list->w, "items");
    return true;
}

bool list_add(struct list *list, const char *key_format, ...)
{
    va_list arguments;

    if (list->left == 0)
        return false;
    list->left--;
    va_start(arguments, key_format);
    vsnprintf(list->last, sizeof(list->last), key_format, arguments);
    va_end(arguments);
    return true;
}

void list_finish(struct list *list, bool more)
{
    char cursor[CURSOR_SIZE];

    writer_close_list(&list->w);
    writer_text(&list->w, "next", more ? cursor_encode(list->last, cursor) : NULL);
    writer_close_object(&list->w);
    request_answer(list->request, 200, NULL, &list->body);
}
