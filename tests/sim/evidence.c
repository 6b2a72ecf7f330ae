/* What a conclusion may rest on: who is declared gone without anybody's word, what holds a contract although
 * no replica says so, and what a pin stands for. */
#include "sim.h"

#include <string.h>

/* Between a look and the commit that rests on it. */
#define COMMIT_MS 20000
/* What was there for so long was there at the look. */
#define CERTAIN_MS 60000

/* ---- who is declared gone ---- */

static bool is_visible(const struct sim *s, const struct backend *session)
{
    const struct standby *standby = session->server == SERVER_PRIMARY || session->server == SERVER_OLD
                                        ? NULL
                                        : &s->server.standbys[session->server - 1];
    int64_t before = s->now - CERTAIN_MS;
    if (session->server == SERVER_OLD || session->since > before)
        return false;
    return !standby || (standby->unreachable_since == 0 && standby->reachable_since <= before);
}

static bool may_be_its_own(const struct sim *s, const struct backend *session, const json_t *row)
{
    bool named = *rows_text(row, "application_name") &&
                 strcmp(session->name, rows_text(row, "application_name")) == 0;
    bool placed = *session->address && strcmp(session->address, rows_text(row, "address")) == 0;
    bool sees = s->server.sees_all && s->server.sees_all_changed <= s->now - CERTAIN_MS;
    return named || (placed && sees && !*session->name);
}

static void check_veto(struct sim *s, const json_t *row, const char *reason)
{
    for (size_t i = 0; i < BACKENDS; i++) {
        const struct backend *session = &s->backends[i];
        if (session->pid && is_visible(s, session) && may_be_its_own(s, session, row))
            sim_fail(s, "%s counts as gone (%s), and session %d, which may be its own, is there for %lld ms",
                     rows_text(row, "incarnation"), reason, session->pid,
                     (long long)(s->now - session->since));
    }
}

static bool sees_everything(const struct sim *s)
{
    int64_t before = s->now - CERTAIN_MS;
    if (!s->server.sees_all && s->server.sees_all_changed <= before)
        return false;
    for (size_t i = 0; i < (size_t)s->rules.standbys; i++) {
        int64_t since = s->server.standbys[i].unreachable_since;
        if (since && since <= before)
            return false;
    }
    return true;
}

static struct process *find(struct sim *s, const char *incarnation)
{
    for (size_t i = 0; i < PROCESSES; i++)
        if (s->processes[i].state == PROCESS_RUNNING &&
            strcmp(s->processes[i].incarnation, incarnation) == 0)
            return &s->processes[i];
    return NULL;
}

/* For how long looks had shown none of its sessions when it was judged. */
static int64_t unseen_ms(const struct sim *s, const struct process *p)
{
    if (p->unseen_since && !p->seen_again)
        return s->now - p->unseen_since;
    return p->seen_again > s->now - COMMIT_MS ? p->seen_again - p->unseen_since : 0;
}

static void check_trusted(struct sim *s, struct process *p)
{
    int64_t absent = unseen_ms(s, p);
    if (p->habit == HABIT_POOLED)
        sim_fail(s, "%s counts as gone, and none of its sessions was ever seen", p->incarnation);
    if (p->habit == HABIT_KEEPS && absent < s->rules.trust_seconds * 1000)
        sim_fail(s, "%s runs and counts as gone: it was not seen for %lld ms, and %lld s are trusted",
                 p->incarnation, (long long)absent, (long long)s->rules.trust_seconds);
    p->given_up = GIVEN_UP_BY_CHOICE;
}

static void check_shut_out(struct sim *s, struct process *p, const char *because)
{
    bool barred = s->server.barred == (int)p->role + 1;
    if (strcmp(because, "its role may not log in") == 0 && !barred)
        sim_fail(s, "%s runs and counts as gone: its role may log in", p->incarnation);
    if (strcmp(because, "its role's sessions are pinned") == 0 && p->habit != HABIT_PINS)
        sim_fail(s, "%s runs and counts as gone: its sessions are not pinned", p->incarnation);
    p->given_up = GIVEN_UP_SHUT_OUT;
}

static void check_gone(struct sim *s, const json_t *row, const char *reason, const char *because)
{
    struct process *p = find(s, rows_text(row, "incarnation"));
    bool absence = strcmp(reason, "no-sessions") == 0, fenced = strcmp(reason, "self-fenced") == 0;

    check_veto(s, row, reason);
    if ((absence || fenced) && !sees_everything(s))
        sim_fail(s, "%s counts as gone (%s), and not everything can be seen", rows_text(row, "incarnation"),
                 reason);
    if (!p)
        return;
    if (fenced)
        sim_fail(s, "%s runs and counts as gone (%s)", p->incarnation, reason);
    if (absence && strcmp(because, "absence is trusted") == 0)
        check_trusted(s, p);
    else if (absence)
        check_shut_out(s, p, because);
    else
        p->given_up = GIVEN_UP_BY_CHOICE;
    sim_trace(s, "%s runs and counts as gone: %s %s", p->incarnation, reason, because);
}

static bool is_automatic(const char *reason)
{
    return strcmp(reason, "no-sessions") == 0 || strcmp(reason, "self-fenced") == 0 ||
           strcmp(reason, "assumed") == 0;
}

void evidence_check(struct sim *s, const json_t *changes)
{
    const json_t *event;
    size_t i;
    json_array_foreach(json_object_get(changes, "events"), i, event)
    {
        const json_t *data = json_object_get(event, "data");
        const char *reason = rows_text(event, "reason");
        const json_t *row = rows_replica(&s->rows, rows_text(event, "app"), rows_text(event, "instance"),
                                         rows_text(data, "incarnation"));
        if (row && strcmp(rows_text(event, "kind"), "replica.gone") == 0 && is_automatic(reason))
            check_gone(s, row, reason, rows_text(data, "because"));
    }
}

/* ---- what holds a contract ---- */

static bool was_there(const struct sim *s, int64_t since)
{
    return since && since < s->server.fenced_at;
}

static bool is_known(const struct sim *s, const struct backend *session)
{
    const char *key;
    const json_t *row;
    json_object_foreach(s->rows.tables[ROWS_REPLICAS], key, row)
    {
        if (strcmp(rows_text(row, "application_name"), session->name) == 0 ||
            strcmp(rows_text(row, "address"), session->address) == 0)
            return true;
    }
    return false;
}

static void check_session(struct sim *s, const struct backend *session, int64_t version)
{
    bool pooler = strcmp(session->name, "pooler") == 0;
    if (!was_there(s, session->since) || session->server == SERVER_OLD || pooler || session->locks)
        return;
    if (s->rules.app_roles && s->rules.require_pins)
        sim_fail(s, "contract %lld runs, and session %d has no pin", (long long)version, session->pid);
    if (s->rules.app_roles && strcmp(s->rules.strays, "block") == 0 && !is_known(s, session))
        sim_fail(s, "contract %lld runs, and session %d is a stray", (long long)version, session->pid);
}

void evidence_check_contract(struct sim *s, int64_t version)
{
    for (size_t i = 0; i < BACKENDS; i++)
        if (s->backends[i].pid)
            check_session(s, &s->backends[i], version);
    for (size_t i = 0; i < (size_t)s->rules.standbys; i++)
        if (was_there(s, s->server.standbys[i].unreachable_since))
            sim_fail(s, "contract %lld runs, and a standby cannot be looked at", (long long)version);
}

/* ---- what a pin stands for ---- */

static const struct process *owner_of(const struct sim *s, const struct backend *session)
{
    for (size_t i = 0; i < PROCESSES; i++)
        if (s->processes[i].state != PROCESS_DEAD && backend_is_of(session, &s->processes[i]))
            return &s->processes[i];
    return NULL;
}

/* Whoever is shut out can query with what is pinned alone. */
static void check_query(struct sim *s, const struct backend *session)
{
    const struct process *p = owner_of(s, session);
    if (p && p->given_up == GIVEN_UP_SHUT_OUT && p->habit != HABIT_PINS && !session->left)
        sim_fail(s, "%s counts as gone, and queries", p->incarnation);
}

/* To call what is there a version takes nothing away. */
static bool is_served(const struct sim *s, const struct backend *session)
{
    int64_t max = session->true_max > session->range.max ? session->true_max : session->range.max;
    return session->baseline != rows_number(s->rows.window, "baseline") ||
           truth_serves_some(s, (struct version_range){session->range.min, max});
}

void evidence_check_pins(struct sim *s)
{
    for (size_t i = 0; i < BACKENDS; i++) {
        const struct backend *session = &s->backends[i];
        if (!session->pid || session->server == SERVER_OLD)
            continue;
        check_query(s, session);
        if (session->confirmed && !is_served(s, session))
            sim_fail(s, "session %d on server %zu is pinned to %lld..%lld, and nothing of it is served",
                     session->pid, session->server,
                     (long long)session->range.min, (long long)session->range.max);
    }
}
