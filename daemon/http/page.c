/* The operators' page, put together from the pieces in daemon/web (page.h). */
#include "page.h"

#include "documents.h"
#include "markup.h"

#include <schemagate/base/embed.h>

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

EMBED(web_page, "daemon/web/page.html");
EMBED(web_style, "daemon/web/style.css");
EMBED(web_migration, "daemon/web/migration.html");
EMBED(web_progress, "daemon/web/progress.html");
EMBED(web_hold, "daemon/web/hold.html");
EMBED(web_app, "daemon/web/app.html");
EMBED(web_range, "daemon/web/range.html");
EMBED(web_notice, "daemon/web/notice.html");

#define SHA256_BYTES 32

char *page_style_source(void)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    char text[4 * ((SHA256_BYTES + 2) / 3) + 1];
    struct buf source = BUF_INIT(0);

    EVP_Digest(web_style, EMBED_LENGTH(web_style), sum, NULL, EVP_sha256(), NULL);
    EVP_EncodeBlock((unsigned char *)text, sum, SHA256_BYTES);
    buf_printf(&source, "'sha256-%s'", text);
    return buf_take(&source);
}

/* "3 s", "12 min", "5 h", "8 d" since then. */
static char *age_text(int64_t since_wall, int64_t now_wall, char text[32])
{
    static const struct {
        int64_t seconds;
        const char *unit;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    int64_t seconds = now_wall > since_wall ? (now_wall - since_wall) / 1000 : 0;
    size_t i = 0;

    while (i < 3 && seconds < units[i].seconds)
        i++;
    snprintf(text, 32, "%" PRId64 " %s", seconds / units[i].seconds, units[i].unit);
    return text;
}

/* ---- migrations ---- */

static void write_holds(struct buf *out, const struct coordinator *c, const struct migration *m,
                        int64_t now_wall)
{
    struct hold holds[DOCUMENT_HOLDS_MAX];
    size_t total, count = coordinator_holds(c, m, holds, DOCUMENT_HOLDS_MAX, &total);
    char age[32], more[64], clears_when[160];

    for (size_t i = 0; i < count; i++) {
        snprintf(clears_when, sizeof(clears_when), "clears when %s", gate_code_clears_when(holds[i].code));
        MARKUP_WRITE(out, web_hold, {"code", gate_code_name(holds[i].code), false},
                       {"message", holds[i].message, false}, {"clears_when", clears_when, false},
                       {"age", holds[i].since_wall != 0 ? age_text(holds[i].since_wall, now_wall, age) : "",
                        false});
    }
    if (total > count) {
        snprintf(more, sizeof(more), "and %zu more", total - count);
        MARKUP_WRITE(out, web_hold, {"code", "", false}, {"message", more, false},
                       {"clears_when", "", false}, {"age", "", false});
    }
}

/* total 0: how much there is to do is not known. */
static void write_bar(struct buf *out, const struct migration *m, unsigned step, const char *label,
                      int64_t done, int64_t total, const char *detail)
{
    char version[24], number[16], range[80] = "", share[16] = "";

    snprintf(version, sizeof(version), "%" PRId64, m->version);
    snprintf(number, sizeof(number), "%u", step);
    if (done > total)
        done = total;
    if (total > 0) {
        snprintf(range, sizeof(range), " max=\"%" PRId64 "\" value=\"%" PRId64 "\"", total, done);
        snprintf(share, sizeof(share), "%d %%", (int)((double)done / (double)total * 100));
    }
    MARKUP_WRITE(out, web_progress, {"version", version, false}, {"step", number, false},
                 {"label", label, false}, {"range", range, true}, {"share", share, false},
                 {"detail", detail, false});
}

/* A statement that looks at all rows, or changes them at once, tells nothing of how far it is. */
static void write_backfill(struct buf *out, const struct coordinator *c, const struct migration *m)
{
    struct backfill_view view;
    char detail[160] = "", left[32];

    if (phase_is_final(m->phase) || !coordinator_backfill(c, m, &view) || view.verified != NULL)
        return;
    bool whole = view.verifying || view.whole != NULL;
    if (whole && !m->running)
        return;
    if (!whole && view.rows_per_second >= 0 && view.eta_seconds >= 0)
        snprintf(detail, sizeof(detail), "%.0f rows a second, about %s left", view.rows_per_second,
                 age_text(0, view.eta_seconds * 1000, left));
    else if (!whole && view.rows_per_second >= 0)
        snprintf(detail, sizeof(detail), "%.0f rows a second", view.rows_per_second);
    write_bar(out, m, 0, view.verifying ? "Verification" : "Backfill", view.rows_done,
              whole ? 0 : view.rows_estimate, detail);
}

/* What PostgreSQL tells of the statement outside of transactions that runs: an index that is built. */
static void write_builds(struct buf *out, const struct migration *m)
{
    char detail[160];

    for (size_t i = 0; i < m->step_count; i++) {
        const json_t *progress = coordinator_progress(m, &m->steps[i]);
        const char *phase = json_string_value(json_object_get(progress, "phase")),
                   *unit = json_string_value(json_object_get(progress, "unit"));
        int64_t done = json_integer_value(json_object_get(progress, "done")),
                total = json_integer_value(json_object_get(progress, "total"));

        if (phase == NULL)
            continue;
        detail[0] = '\0';
        if (total > 0)
            snprintf(detail, sizeof(detail), "%" PRId64 " of %" PRId64 " %s", done, total,
                     unit != NULL ? unit : "");
        write_bar(out, m, m->steps[i].number, phase, done, total, detail);
    }
}

static void write_migration(struct buf *out, const struct coordinator *c, const struct migration *m,
                            int64_t now_wall)
{
    struct buf holds = BUF_INIT(0), progress = BUF_INIT(0);
    char version[24], summary[512], age[32];

    snprintf(version, sizeof(version), "%" PRId64, m->version);
    coordinator_migration_summary(c, m, summary, sizeof(summary));
    if (document_has_gate(m))
        write_holds(&holds, c, m, now_wall);
    write_backfill(&progress, c, m);
    write_builds(&progress, m);
    MARKUP_WRITE(out, web_migration, {"version", version, false}, {"name", m->name, false},
                   {"phase", phase_name(m->phase), false},
                   {"status", migration_status_name(coordinator_migration_status(c, m)), false},
                   {"age", age_text(m->phase_since_wall, now_wall, age), false},
                   {"by", m->submitted_by, false}, {"summary", summary, false},
                   {"progress", buf_text(&progress), true}, {"holds", buf_text(&holds), true});
    buf_free(&holds);
    buf_free(&progress);
}

static void write_notice(struct buf *out, const char *text)
{
    MARKUP_WRITE(out, web_notice, {"text", text, false});
}

static void write_migrations(struct buf *out, const struct coordinator *c, int64_t now_wall)
{
    size_t before = out->length, complete = 0;
    char text[96];

    for (const struct migration *m = coordinator_first_migration(c); m != NULL;
         m = coordinator_next_migration(m)) {
        complete += m->phase == PHASE_COMPLETE;
        if (!phase_is_final(m->phase))
            write_migration(out, c, m, now_wall);
    }
    if (out->length == before) {
        snprintf(text, sizeof(text), "No migration is open; %zu %s complete.", complete,
                 complete == 1 ? "is" : "are");
        write_notice(out, text);
    }
}

/* ---- replicas ---- */

struct range_writing {
    struct buf *out;
    const struct window *window;
    size_t present;
};

static void write_range(void *context, struct version_range range, size_t count)
{
    struct range_writing *writing = context;
    const struct window *window = writing->window;
    char text[64], number[24], share[24];

    snprintf(text, sizeof(text), "%" PRId64 "..%" PRId64, range.min, range.max);
    snprintf(number, sizeof(number), "%zu", count);
    snprintf(share, sizeof(share), "%zu", writing->present);
    MARKUP_WRITE(writing->out, web_range, {"range", text, false}, {"count", number, false},
                   {"present", share, false},
                   {"kind", range.max < window->ceiling ? "behind" : "current", false});
}

static void write_app(struct buf *out, const struct coordinator *c, const struct application *a)
{
    struct buf ranges = BUF_INIT(0);
    struct range_writing writing = {&ranges, &coordinator_window(c)->window, a->gate.live + a->lost};
    char live[24], lost[24], waiting[24], least[24];

    document_each_range(a, write_range, &writing);
    snprintf(live, sizeof(live), "%zu", a->gate.live);
    snprintf(lost, sizeof(lost), "%zu", a->lost);
    snprintf(waiting, sizeof(waiting), "%zu", a->waiting);
    snprintf(least, sizeof(least), "%" PRId64, a->gate.min_replicas);
    MARKUP_WRITE(out, web_app, {"app", a->gate.name, false}, {"live", live, false},
                   {"lost", lost, false}, {"waiting", waiting, false}, {"least", least, false},
                   {"lost_kind", a->lost > 0 ? "lost" : "none", false},
                   {"ranges", buf_text(&ranges), true});
    buf_free(&ranges);
}

static void write_apps(struct buf *out, const struct coordinator *c)
{
    size_t before = out->length;

    for (const struct application *a = coordinator_first_app(c); a != NULL; a = coordinator_next_app(a))
        if (!a->retired)
            write_app(out, c, a);
    if (out->length == before)
        write_notice(out, "No replica has reported yet.");
}

/* ---- the whole ---- */

static void write_notify(void *context, const struct http_notify *notify)
{
    struct buf text = BUF_INIT(0);

    if (document_notify_trouble(notify, &text))
        write_notice(context, buf_text(&text));
    buf_free(&text);
}

/* What an operator has to know before everything else. */
static void write_trouble(struct buf *out, const struct http_server *server)
{
    const struct coordinator *c = server->coordinator;
    const struct pause_note pause = coordinator_paused(c);
    const char *trouble = coordinator_trouble(c), *leader = coordinator_leader_url(c);
    struct buf text = BUF_INIT(0);

    if (*trouble != '\0') {
        buf_printf(&text, "The database is away: %s", trouble);
        write_notice(out, buf_text(&text));
    }
    if (coordinator_role(c) == ROLE_STANDBY) {
        buf_free(&text);
        buf_printf(&text, "This daemon stands by. The leader is %s.",
                   *leader != '\0' ? leader : "another one");
        write_notice(out, buf_text(&text));
    }
    if (pause.paused) {
        buf_free(&text);
        buf_printf(&text, "Paused by %s: %s", pause.by != NULL ? pause.by : "",
                   pause.reason != NULL && *pause.reason != '\0' ? pause.reason : "no reason given");
        write_notice(out, buf_text(&text));
    }
    http_server_each_notify(server, write_notify, out);
    buf_free(&text);
}

static char *version_or_dash(int64_t version, char text[24])
{
    snprintf(text, 24, "%" PRId64, version);
    return version != 0 ? text : strcpy(text, "–");
}

void page_write(struct buf *out, const struct http_server *server)
{
    const struct coordinator *c = server->coordinator;
    const struct term *term = coordinator_term(c);
    const struct window *window = &coordinator_window(c)->window;
    int64_t now_wall = clock_sample().wall_ms;
    struct buf migrations = BUF_INIT(0), apps = BUF_INIT(0), trouble = BUF_INIT(0);
    char summary[512], floor_text[24], ceiling[24], contracting[24], undoing[24], epoch[24],
        now[CLOCK_RFC3339_SIZE];

    coordinator_summary(c, summary, sizeof(summary));
    write_trouble(&trouble, server);
    write_migrations(&migrations, c, now_wall);
    write_apps(&apps, c);
    snprintf(floor_text, sizeof(floor_text), "%" PRId64, window->floor);
    snprintf(ceiling, sizeof(ceiling), "%" PRId64, window->ceiling);
    snprintf(epoch, sizeof(epoch), "%" PRId64, term != NULL ? term->epoch : 0);
    MARKUP_WRITE(out, web_page, {"style", web_style, true}, {"summary", summary, false},
                   {"trouble", buf_text(&trouble), true}, {"floor", floor_text, false},
                   {"ceiling", ceiling, false},
                   {"contracting", version_or_dash(window->contracting, contracting), false},
                   {"undoing", version_or_dash(window->undoing, undoing), false},
                   {"migrations", buf_text(&migrations), true}, {"apps", buf_text(&apps), true},
                   {"role", coordinator_role_name(coordinator_role(c)), false},
                   {"version", SCHEMAGATE_VERSION, false}, {"epoch", epoch, false},
                   {"host", term != NULL ? term->host : "", false},
                   {"server_version", term != NULL ? term->server_version : "", false},
                   {"now", clock_rfc3339(now_wall, now), false});
    buf_free(&migrations);
    buf_free(&apps);
    buf_free(&trouble);
}
