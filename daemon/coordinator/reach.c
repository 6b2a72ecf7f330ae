/* The privilege proof. */
#include "reach.h"
#include "record.h"
#include "state.h"

#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>

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

struct question {
    struct coordinator *c;
    int64_t version;
    unsigned term;
    void (*done)(struct coordinator *c, struct migration *m);
};

static void answered(void *context, const json_t *reach)
{
    struct question question = *(struct question *)context;
    struct coordinator *c = question.c;
    struct migration *m = migrations_find(c, question.version);

    free(context);
    if (question.term != c->rollout.term)
        return;
    c->rollout.busy = false;
    if (!m || !term_goes_on(c))
        return;
    reach_forget(m);
    m->reach = reach ? json_incref((json_t *)reach) : json_object(); /* looked, and found out nothing */
    question.done(c, m);
}

void reach_ask(struct coordinator *c, const struct migration *m,
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
    *question = (struct question){c, m->version, c->rollout.term, done};
    c->rollout.busy = true;
    c->env.witness_ops->reach(c->env.witness, drops, roles, answered, question);
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
