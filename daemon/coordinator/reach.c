/* The privilege proof. */
#include "reach.h"
#include "record.h"
#include "state.h"

#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>

/* So long an answer counts that came before the gate was open: whatever was found, others may change it
 * between any answer and the contract. */
#define AHEAD_MS 20

/* What a contract drops by name can be looked up; of anything else nothing is known. */
static bool can_be_proved(const struct migration *m)
{
    bool any = false;

    for (size_t i = 0; i < m->step_count; i++) {
        const struct step *step = &m->steps[i];
        if (step->section != PLAN_CONTRACT)
            continue;
        if (!step->work.only_drops || step->work.drop_count == 0 || step->state == STEP_DONE)
            return false;
        any = true;
    }
    return any;
}

bool reach_is_wanted(const struct migration *m)
{
    return m->phase == PHASE_EXPANDED && !m->reach && can_be_proved(m);
}

void reach_forget(struct migration *m)
{
    json_decref(m->reach);
    m->reach = NULL;
}

/* ---- asking ---- */

struct question {
    struct coordinator *c;
    int64_t version;
    char *plan_checksum; /* owned: what it is about, whatever a corrected plan has put in its place */
    unsigned term;
    void (*done)(struct coordinator *c, struct migration *m); /* NULL: it was asked ahead */
};

static void answered_ahead(struct coordinator *c, struct migration *m, const json_t *reach)
{
    reach_forget_ahead(m);
    m->reach_ahead = json_incref((json_t *)reach);
    m->reach_ahead_boot = coordinator_now(c).boot_ms;
    rollout_advance(c);
}

static void answered(void *context, const json_t *reach)
{
    struct question question = *(struct question *)context;
    struct coordinator *c = question.c;
    struct migration *m = migrations_find(c, question.version);
    bool same = m && strcmp(m->plan_checksum, question.plan_checksum) == 0;

    free(question.plan_checksum);
    free(context);
    if (question.term != c->rollout.term)
        return;
    if (question.done)
        c->rollout.busy = false;
    if (!same || !term_goes_on(c))
        return;
    if (!question.done) {
        answered_ahead(c, m, reach);
        return;
    }
    reach_forget(m);
    m->reach = reach ? json_incref((json_t *)reach) : json_object(); /* looked, and found out nothing */
    question.done(c, m);
}

static void ask(struct coordinator *c, const struct migration *m,
                void (*done)(struct coordinator *c, struct migration *m))
{
    const struct config_list *configured = &c->config->gate.app_roles;
    struct question *question = memory_new(sizeof *question);
    json_t *drops = json_array(), *roles = json_array();

    for (size_t i = 0; i < m->step_count; i++) {
        if (m->steps[i].section != PLAN_CONTRACT)
            continue;
        json_t *more = record_drops(&m->steps[i].work);
        json_array_extend(drops, more);
        json_decref(more);
    }
    for (size_t i = 0; i < configured->count; i++)
        json_array_append_new(roles, json_string(configured->items[i]));
    *question = (struct question){.c = c,
                                  .version = m->version,
                                  .plan_checksum = memory_copy(m->plan_checksum),
                                  .term = c->rollout.term,
                                  .done = done};
    c->env.witness_ops->reach(c->env.witness, drops, roles, answered, question);
}

void reach_ask(struct coordinator *c, struct migration *m,
               void (*done)(struct coordinator *c, struct migration *m))
{
    if (m->reach_ahead && coordinator_now(c).boot_ms - m->reach_ahead_boot <= AHEAD_MS) {
        m->reach = m->reach_ahead;
        m->reach_ahead = NULL;
        done(c, m);
        return;
    }
    c->rollout.busy = true;
    ask(c, m, done);
}

/* ---- asking ahead ---- */

void reach_look_ahead(struct coordinator *c, struct migration *m)
{
    if (!reach_is_wanted(m) || m->reach_asked)
        return;
    m->reach_asked = true;
    ask(c, m, NULL);
}

bool reach_is_asked_about(const struct migration *m)
{
    return m->reach_asked;
}

void reach_forget_ahead(struct migration *m)
{
    json_decref(m->reach_ahead);
    m->reach_ahead = NULL;
    m->reach_asked = false;
}

/* ---- the verdict ---- */

static bool is_among(const json_t *names, const char *name)
{
    const json_t *one;
    size_t i;

    json_array_foreach(names, i, one)
    {
        if (strcmp(json_string_value(one), name) == 0)
            return true;
    }
    return false;
}

/* Superusers reach everything: who is connected as one of them, under a name that is not to be ignored, may
 * be an application. */
static bool somebody_else_is_there(const struct coordinator *c, const json_t *left_out)
{
    const struct sight *sight = witness_sight(c);

    for (size_t i = 0; sight && i < sight->session_count; i++)
        if (is_among(left_out, sight->sessions[i].role) && !sight->sessions[i].ignored)
            return true;
    return false;
}

bool reach_is_proved(const struct coordinator *c, const struct migration *m)
{
    static const char *const empty[] = {"missing", "roles", "views", "functions"};
    const json_t *subscriptions = json_object_get(m->reach, "subscriptions");

    if (!json_is_integer(subscriptions) || json_integer_value(subscriptions) != 0)
        return false;
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        const json_t *found = json_object_get(m->reach, empty[i]);
        if (!json_is_array(found) || json_array_size(found) > 0)
            return false;
    }
    return !somebody_else_is_there(c, json_object_get(m->reach, "left_out"));
}
