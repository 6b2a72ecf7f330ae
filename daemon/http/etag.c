/* Entity tags (etag.h). */
#include "etag.h"

#include "documents.h"

#include <schemagate/base/digest.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static char *tag_of(struct buf *facts, char tag[ETAG_SIZE])
{
    char hex[DIGEST_HEX_SIZE];

    digest_sha256_hex(buf_text(facts), facts->length, hex);
    snprintf(tag, ETAG_SIZE, "\"%.32s\"", hex);
    buf_free(facts);
    return tag;
}

static void add_migration(struct buf *facts, const struct coordinator *c, const struct migration *m)
{
    struct hold holds[DOCUMENT_HOLDS_MAX];
    size_t total = 0;
    size_t count =
        document_has_gate(m) ? coordinator_holds(c, m, holds, DOCUMENT_HOLDS_MAX, &total) : 0;

    buf_printf(facts, "%" PRId64 " %s %d %d %d %zu\n", m->version, m->plan_checksum, (int)m->phase,
               (int)coordinator_migration_status(c, m), (int)m->approved, total);
    for (size_t i = 0; i < count; i++) {
        const struct replica *replica = holds[i].replica;
        const struct witnessed_session *session = holds[i].session;
        buf_printf(facts, "%d %s %s %s %s %s %" PRId64 "\n", (int)holds[i].code,
                   holds[i].app != NULL ? holds[i].app : "", replica != NULL ? replica->instance : "",
                   replica != NULL ? replica->incarnation : "", session != NULL ? session->name : "",
                   holds[i].standby != NULL ? holds[i].standby : "", holds[i].version);
    }
}

char *etag_migration(const struct coordinator *c, const struct migration *m, char tag[ETAG_SIZE])
{
    struct buf facts = BUF_INIT(0);

    add_migration(&facts, c, m);
    return tag_of(&facts, tag);
}

static void add_range(void *context, struct version_range range, size_t count)
{
    buf_printf(context, " %" PRId64 " %" PRId64 " %zu", range.min, range.max, count);
}

static void add_notify(void *context, const struct http_notify *notify)
{
    buf_printf(context, "%s %" PRId64 " %u %d\n", notify->name, notify->behind, notify->tries,
               document_notify_is_old(notify));
}

char *etag_status(const struct http_server *server, char tag[ETAG_SIZE])
{
    const struct coordinator *c = server->coordinator;
    const struct window_view *view = coordinator_window(c);
    struct buf facts = BUF_INIT(0);

    buf_printf(&facts, "%d %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %d\n",
               (int)coordinator_role(c), view->latest, view->window.floor, view->window.ceiling,
               view->window.contracting, view->window.undoing, (int)coordinator_paused(c).paused);
    for (const struct migration *m = coordinator_first_migration(c); m != NULL;
         m = coordinator_next_migration(m)) {
        if (!phase_is_final(m->phase))
            add_migration(&facts, c, m);
    }
    for (const struct application *a = coordinator_first_app(c); a != NULL; a = coordinator_next_app(a)) {
        buf_printf(&facts, "%s %zu %zu %zu", a->gate.name, a->gate.live, a->waiting, a->lost);
        document_each_range(a, add_range, &facts);
    }
    http_server_each_notify(server, add_notify, &facts);
    return tag_of(&facts, tag);
}

/* True if the list of tags in a header has this one. */
static bool list_has(const char *list, const char *tag)
{
    size_t length = strlen(tag);

    while (*list != '\0') {
        list += strspn(list, " \t,");
        if (strcmp(list, "*") == 0)
            return true;
        list += strncmp(list, "W/", 2) == 0 ? 2 : 0;
        if (strncmp(list, tag, length) == 0 && strchr(" \t,", list[length]) != NULL)
            return true; /* strchr finds the end, too */
        list += strcspn(list, ",");
    }
    return false;
}

bool etag_offer(struct request *r, const char *tag)
{
    const char *known = r->headers[HEADER_IF_NONE_MATCH];

    request_header(r, MHD_HTTP_HEADER_ETAG, "%s", tag);
    if (known == NULL || !list_has(known, tag))
        return false;
    request_answer_empty(r, 304);
    return true;
}

bool etag_check(struct request *r, const char *tag)
{
    const char *wanted = r->headers[HEADER_IF_MATCH];

    if (wanted == NULL || (tag != NULL && list_has(wanted, tag)))
        return true;
    request_problem(r, PROBLEM_PRECONDITION_FAILED, NULL, "read it again, look at it, then repeat this");
    return false;
}
