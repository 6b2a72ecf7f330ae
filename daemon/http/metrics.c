/* GET /metrics: the Prometheus text format, version 0.0.4. No label names an instance. */
#include "handlers.h"

#include "documents.h"

#include <inttypes.h>
#include <string.h>

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

static void describe(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP schemagate_%s %s\n# TYPE schemagate_%s %s\n", name, help, name, type);
}

static void gauge(struct buf *out, const char *name, const char *help, int64_t value)
{
    describe(out, name, "gauge", help);
    buf_printf(out, "schemagate_%s %" PRId64 "\n", name, value);
}

static void add_counts(struct buf *out, const struct coordinator_counts *counts)
{
    const struct {
        const char *name, *help;
        uint64_t value;
    } rows[] = {
        {"registrations_total", "Registrations that were recorded.", counts->registrations},
        {"registrations_refused_total", "Registrations that were refused.", counts->refusals},
        {"renewals_total", "Leases that were renewed.", counts->renewals},
        {"commits_total", "Transactions that changed the daemon's own state.", counts->commits},
        {"expands_total", "Expand parts that were run.", counts->expands},
        {"contracts_total", "Contract parts that were run.", counts->contracts},
        {"tries_failed_total", "Tries of a step that did not get their lock, or had to be repeated.",
         counts->tries_failed},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        describe(out, rows[i].name, "counter", rows[i].help);
        buf_printf(out, "schemagate_%s %" PRIu64 "\n", rows[i].name, rows[i].value);
    }
}

static void add_role(struct buf *out, enum coordinator_role now)
{
    describe(out, "role", "gauge", "1 for what this daemon is.");
    for (int role = ROLE_STARTING; role <= ROLE_STOPPING; role++)
        buf_printf(out, "schemagate_role{role=\"%s\"} %d\n",
                   coordinator_role_name((enum coordinator_role)role), role == (int)now);
}

static void add_window(struct buf *out, const struct coordinator *c)
{
    const struct window *window = &coordinator_window(c)->window;
    const struct term *term = coordinator_term(c);

    gauge(out, "epoch", "Of the term; a takeover raises it.", term != NULL ? term->epoch : 0);
    gauge(out, "window_floor", "The lowest schema version that is served.", window->floor);
    gauge(out, "window_ceiling", "The highest schema version that is served.", window->ceiling);
    gauge(out, "window_contracting", "The version whose contract is under way, or 0.", window->contracting);
    gauge(out, "window_undoing", "The version that is being undone, or 0.", window->undoing);
    gauge(out, "paused", "1 while an operator has paused the whole daemon.", coordinator_paused(c).paused);
}

/* The names of applications need no escaping: A-Z a-z 0-9 . _ : - */
static void add_replicas(struct buf *out, const struct coordinator *c)
{
    describe(out, "replicas", "gauge", "Replicas by application and state.");
    for (const struct application *a = coordinator_first_app(c); a != NULL; a = coordinator_next_app(a)) {
        const struct {
            enum replica_state state;
            size_t count;
        } rows[] = {{REPLICA_LIVE, a->gate.live}, {REPLICA_WAITING, a->waiting}, {REPLICA_LOST, a->lost}};
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
            buf_printf(out, "schemagate_replicas{app=\"%s\",state=\"%s\"} %zu\n", a->gate.name,
                       replica_state_name(rows[i].state), rows[i].count);
    }
}

struct tally {
    size_t phases[PHASES], failed, gates_open, gates_closed, holds[HOLD_CODES];
};

static void count_gate(struct tally *tally, const struct coordinator *c, const struct migration *m)
{
    struct hold holds[DOCUMENT_HOLDS_MAX];
    size_t total, count = coordinator_holds(c, m, holds, DOCUMENT_HOLDS_MAX, &total);

    tally->gates_open += total == 0;
    tally->gates_closed += total > 0;
    for (size_t i = 0; i < count; i++)
        tally->holds[holds[i].code]++;
}

static void add_migrations(struct buf *out, const struct coordinator *c)
{
    struct tally tally = {0};

    for (const struct migration *m = coordinator_first_migration(c); m != NULL;
         m = coordinator_next_migration(m)) {
        tally.phases[m->phase]++;
        tally.failed += coordinator_migration_status(c, m) == STATUS_FAILED;
        if (document_has_gate(m))
            count_gate(&tally, c, m);
    }
    describe(out, "migrations", "gauge", "Migrations by phase.");
    for (size_t i = 0; i < PHASES; i++)
        buf_printf(out, "schemagate_migrations{phase=\"%s\"} %zu\n", phase_name((enum phase)i),
                   tally.phases[i]);
    gauge(out, "migrations_failed", "Migrations that need an operator.", (int64_t)tally.failed);
    gauge(out, "gates_open", "Gates without a hold.", (int64_t)tally.gates_open);
    gauge(out, "gates_closed", "Gates with a hold.", (int64_t)tally.gates_closed);
    describe(out, "gate_holds", "gauge", "Holds of all gates by code, at most 20 a gate.");
    for (size_t i = 0; i < HOLD_CODES; i++)
        buf_printf(out, "schemagate_gate_holds{code=\"%s\"} %zu\n", gate_code_name((enum gate_code)i),
                   tally.holds[i]);
}

static void add_behind(void *out, const struct http_notify *notify)
{
    buf_printf(out, "schemagate_notify_behind{target=\"%s\"} %" PRId64 "\n", notify->name, notify->behind);
}

static void add_tries(void *out, const struct http_notify *notify)
{
    buf_printf(out, "schemagate_notify_tries{target=\"%s\"} %u\n", notify->name, notify->tries);
}

/* Their names need no escaping either. */
static void add_notifies(struct buf *out, const struct http_server *server)
{
    if (server->list_notifies == NULL)
        return;
    describe(out, "notify_behind", "gauge", "Events that a [notify NAME] has not taken yet; 0 on a standby.");
    server->list_notifies(server->notifies, add_behind, out);
    describe(out, "notify_tries", "gauge", "Tries of its next event that have failed.");
    server->list_notifies(server->notifies, add_tries, out);
}

static void add_http(struct buf *out, const struct http_server *server)
{
    gauge(out, "http_connections", "Open connections of clients.", (int64_t)server->connections);
    gauge(out, "http_waiters", "Long polls that are open.", (int64_t)server->waiter_count);
    describe(out, "http_answers_total", "counter", "Answers by class of their status.");
    for (size_t i = 2; i < ANSWER_CLASSES; i++)
        buf_printf(out, "schemagate_http_answers_total{class=\"%zuxx\"} %" PRIu64 "\n", i,
                   server->answers[i]);
}

void metrics_show(struct request *r)
{
    const struct coordinator *c = r->server->coordinator;
    struct buf body = BUF_INIT(0);

    describe(&body, "build_info", "gauge", "1, with the version.");
    buf_printf(&body, "schemagate_build_info{version=\"%s\"} 1\n", SCHEMAGATE_VERSION);
    add_role(&body, coordinator_role(c));
    add_window(&body, c);
    add_replicas(&body, c);
    add_migrations(&body, c);
    add_counts(&body, coordinator_counts(c));
    add_notifies(&body, r->server);
    add_http(&body, r->server);
    request_answer(r, 200, METRICS_TYPE, &body);
}
