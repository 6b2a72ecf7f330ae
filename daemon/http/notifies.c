/* Who is told of events, and how far each is (documents.h). */
#include "documents.h"

#include <inttypes.h>

#define OLD_SECONDS 60 /* a try or two may fail while something is restarted */

bool document_notify_is_old(const struct http_notify *notify)
{
    return notify->behind_seconds >= OLD_SECONDS;
}

bool document_notify_trouble(const struct http_notify *notify, struct buf *text)
{
    if (!document_notify_is_old(notify))
        return false;
    buf_printf(text, "[notify %s] has been behind for %" PRId64 " s, by %" PRId64 " events", notify->name,
               notify->behind_seconds, notify->behind);
    if (notify->error != NULL)
        buf_printf(text, "; %u tries of the next one have failed: %s", notify->tries, notify->error);
    else
        buf_puts(text, ": it takes them slowly");
    return true;
}

static void write_notify(void *context, const struct http_notify *notify)
{
    struct writer *w = context;
    struct buf trouble = BUF_INIT(0);

    document_notify_trouble(notify, &trouble);
    writer_open_object(w, NULL);
    writer_text(w, "name", notify->name);
    writer_number(w, "behind", notify->behind);
    writer_time(w, "behind_since", notify->behind_since_wall);
    writer_number(w, "tries", notify->tries);
    writer_text(w, "error", notify->error);
    writer_text_or_null(w, "trouble", buf_text(&trouble));
    writer_close_object(w);
    buf_free(&trouble);
}

void document_notifies(struct writer *w, const struct http_server *server)
{
    writer_open_list(w, "notifies");
    http_server_each_notify(server, write_notify, w);
    writer_close_list(w);
}
