/* The holds of a gate as a list, worst first, each with its message. */
#include "state.h"
#include "wording.h"

#include <utlist.h>

struct listing {
    struct wording wording;
    struct hold *holds;
    size_t size, count;
};

static int64_t later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t since(const struct wording *w)
{
    const struct migration *m = w->m;
    if (w->replica)
        return later_of(w->replica->state_since_wall, m->phase_since_wall);
    if (w->hold->session)
        return later_of(((const struct witnessed_session *)w->hold->session->subject)->started_wall,
                        m->phase_since_wall);
    if (w->hold->code == HOLD_PAUSED)
        return m->paused ? m->paused_since_wall : w->c->pause.since_wall;
    if (w->hold->code == HOLD_SETTLING)
        return w->c->term.since_wall;
    return m->phase_since_wall;
}

static void list_one(struct listing *list, const struct gate_hold *hold, const struct replica *replica)
{
    if (list->count == list->size)
        return;
    struct hold *shown = &list->holds[list->count++];
    struct wording *w = &list->wording;

    w->hold = hold;
    w->replica = replica;
    w->text = shown->message;
    w->size = sizeof shown->message;
    *shown = (struct hold){
        .code = hold->code,
        .app = hold->app ? hold->app->name : NULL,
        .replica = replica,
        .session = hold->session ? hold->session->subject : NULL,
        .standby = hold->standby ? hold->standby->name : NULL,
        .statement = hold->statement ? hold->statement->subject : NULL,
        .count = hold->count,
        .version = hold->version,
        .since_wall = since(w),
    };
    wording_say(w);
}

static void found(void *context, const struct gate_hold *hold)
{
    struct listing *list = context;
    enum replica_state state = hold->code == HOLD_REPLICA_LOST ? REPLICA_LOST : REPLICA_LIVE;
    const struct replica *r;

    if (!hold->cohort) {
        list_one(list, hold, NULL);
        return;
    }
    DL_FOREACH2(((const struct cohort *)hold->cohort)->members, r, cohort_next)
    {
        if (list->count == list->size)
            return;
        if (r->state == state)
            list_one(list, hold, r);
    }
}

size_t coordinator_holds(const struct coordinator *c, const struct migration *m, struct hold *holds,
                         size_t size, size_t *total)
{
    struct gate_facts facts;
    enum gate_kind kind;
    struct listing list = {
        .wording = {.c = c, .m = m, .facts = &facts}, .holds = holds, .size = size};

    *total = 0;
    if (!migration_gate_kind(m, &kind))
        return 0;
    facts_of_memory(c, m, &facts);
    *total = gate_evaluate(&facts, found, &list);
    return list.count;
}

bool replica_is_behind(const struct coordinator *c, const struct replica *r, int64_t version)
{
    const struct migration *m = migrations_find(c, version);
    struct gate_facts facts = {
        .kind = GATE_CONTRACT, .version = version, .checksum = m ? m->checksum : ""};
    return gate_cohort_holds(&facts, &r->cohort->gate);
}
