/* Everything at a glance (documents.h). */
#include "documents.h"

struct fleet {
    size_t live, waiting, lost;
};

static const char *const database_states[] = {
    [ROLE_STARTING] = "connecting", [ROLE_LEADER] = "connected",   [ROLE_CUT_OFF] = "away",
    [ROLE_STANDBY] = "connected",   [ROLE_STOPPING] = "connected",
};

static void write_limits(struct writer *w, const struct term *term)
{
    writer_open_list(w, "limits");
    for (size_t i = 0; term != NULL && term->limits[i] != NULL; i++)
        writer_text(w, NULL, term->limits[i]);
    writer_close_list(w);
}

static void write_database(struct writer *w, const struct coordinator *c)
{
    const struct term *term = coordinator_term(c);
    bool known = term != NULL && term->epoch > 0;

    writer_open_object(w, "database");
    writer_text(w, "state", database_states[coordinator_role(c)]);
    writer_text(w, "host", known ? term->host : NULL);
    writer_text(w, "server_version", known ? term->server_version : NULL);
    writer_text(w, "timeline", known ? term->timeline : NULL);
    write_limits(w, known ? term : NULL);
    writer_text_or_null(w, "trouble", coordinator_trouble(c));
    writer_close_object(w);
}

static void write_migrations(struct writer *w, const struct coordinator *c, enum caller_role role)
{
    int64_t complete = 0;

    writer_open_object(w, "migrations");
    writer_open_list(w, "open");
    for (const struct migration *m = coordinator_first_migration(c); m != NULL;
         m = coordinator_next_migration(m)) {
        complete += m->phase == PHASE_COMPLETE;
        if (!phase_is_final(m->phase)) {
            document_migration(w, NULL, c, m, role);
        }
    }
    writer_close_list(w);
    writer_number(w, "complete", complete);
    writer_version(w, "latest", coordinator_window(c)->latest);
    writer_close_object(w);
}

static void write_apps(struct writer *w, const struct coordinator *c, struct fleet *fleet)
{
    writer_open_object(w, "by_app");
    for (const struct application *a = coordinator_first_app(c); a != NULL; a = coordinator_next_app(a)) {
        fleet->live += a->gate.live;
        fleet->waiting += a->waiting;
        fleet->lost += a->lost;
        if (a->retired)
            continue;
        writer_open_object(w, a->gate.name); /* its characters need no escaping */
        writer_number(w, "live", (int64_t)a->gate.live);
        writer_number(w, "waiting", (int64_t)a->waiting);
        writer_number(w, "lost", (int64_t)a->lost);
        writer_number(w, "min_replicas", a->gate.min_replicas);
        document_ranges(w, a);
        writer_close_object(w);
    }
    writer_close_object(w);
}

static void write_replicas(struct writer *w, const struct coordinator *c)
{
    struct fleet fleet = {0};

    writer_open_object(w, "replicas");
    write_apps(w, c, &fleet);
    writer_number(w, "live", (int64_t)fleet.live);
    writer_number(w, "waiting", (int64_t)fleet.waiting);
    writer_number(w, "lost", (int64_t)fleet.lost);
    writer_close_object(w);
}

void document_status(struct writer *w, const struct http_server *server, enum caller_role role)
{
    const struct coordinator *c = server->coordinator;
    const struct term *term = coordinator_term(c);
    const struct pause_note pause = coordinator_paused(c);
    char summary[512];

    coordinator_summary(c, summary, sizeof(summary));
    writer_open_object(w, NULL);
    writer_text(w, "service", "schemagate");
    writer_text(w, "version", SCHEMAGATE_VERSION);
    writer_text(w, "role", coordinator_role_name(coordinator_role(c)));
    writer_text_or_null(w, "leader_url", coordinator_leader_url(c));
    writer_number(w, "epoch", term != NULL ? term->epoch : 0);
    writer_time(w, "since", term != NULL ? term->since_wall : 0);
    write_database(w, c);
    document_window(w, "window", &coordinator_window(c)->window);
    document_pause(w, &pause);
    writer_text(w, "summary", summary);
    write_migrations(w, c, role);
    write_replicas(w, c);
    document_witness(w, c);
    document_strays(w, c);
    document_notifies(w, server);
    writer_number(w, "index", coordinator_index(c));
    writer_close_object(w);
}
