/* Submissions: a file is read by the planner, then stored once and for all (docs/design.md §6). */
#include "record.h"
#include "state.h"

#include <schemagate/base/digest.h>
#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>

struct submit_intent {
    struct intent intent;
    struct coordinator *c;
    int64_t version;
    char *name, *sql, *approval, *actor; /* name, approval: NULL where the request is silent */
    size_t sql_length;
    int64_t soak_seconds, keep_hours;    /* -1: silent */
    json_t *labels;
    char checksum[DIGEST_TAGGED_SIZE];
    struct plan *plan;       /* NULL: the same text is there already */
    struct migration *fresh; /* decided */
    bool replaces;
};

static void submit_release(struct intent *intent)
{
    struct submit_intent *s = (struct submit_intent *)intent;
    free(s->name);
    free(s->sql);
    free(s->approval);
    free(s->actor);
    json_decref(s->labels);
    plan_free(s->plan);
    migration_free(s->fresh);
}

/* ---- what is there already ---- */

static bool answer_present(const struct submit_intent *s, const struct migration *m)
{
    const struct {
        const char *what;
        bool differs;
    } settings[] = {
        {"approval", s->approval && strcmp(s->approval, m->approval) != 0},
        {"soak_seconds", s->soak_seconds >= 0 && s->soak_seconds != m->soak_seconds},
        {"keep_hours", s->keep_hours >= 0 && s->keep_hours != m->keep_hours},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (settings[i].differs)
            return intent_refuse(&s->intent, PROBLEM_VERSION_CONFLICT,
                                 "version %lld was submitted with another %s: what is stored counts; "
                                 "leave the setting out, or use a new version",
                                 (long long)s->version, settings[i].what);
    intent_answer(&s->intent, &(struct outcome){.migration = m});
    return false;
}

/* Another text for a version that is known: a corrected plan, or a conflict. */
static bool may_replace(const struct coordinator *c, const struct submit_intent *s,
                        const struct migration *m)
{
    struct transition t;
    const char *refusal;

    if (!transition_prepare(c, m, EVENT_CORRECTED, &t, &refusal))
        return intent_refuse(&s->intent, PROBLEM_VERSION_CONFLICT,
                             "version %lld was submitted with another text (%s, now %s): %s",
                             (long long)s->version, m->checksum, phase_name(m->phase), refusal);
    for (const struct migration *later = coordinator_next_migration(m); later;
         later = coordinator_next_migration(later))
        if (later->phase != PHASE_QUEUED && later->phase != PHASE_CANCELLED)
            return intent_refuse(&s->intent, PROBLEM_OUT_OF_ORDER,
                                 "version %lld is %s already: submit the corrected text as a higher "
                                 "version",
                                 (long long)later->version, phase_name(later->phase));
    return true;
}

/* ---- the new migration ---- */

static void take_settings(const struct coordinator *c, const struct submit_intent *s,
                          struct migration *m)
{
    const struct plan *plan = s->plan;
    const char *name = s->name ? s->name : plan->name;
    const char *approval = s->approval ? s->approval : plan->approval;
    int64_t soak = s->soak_seconds >= 0 ? s->soak_seconds : plan->soak_seconds;

    m->name = memory_copy(name ? name : "");
    m->approval = memory_copy(approval ? approval : c->config->gate.approval);
    m->soak_seconds = soak >= 0 ? soak : c->config->gate.soak_seconds;
    m->keep_hours = plan->keep_hours;
    m->requires = plan->requires > 0 ? plan->requires : 0;
}

static void take_steps(struct plan *plan, struct migration *m)
{
    memcpy(m->has_section, plan->has_section, sizeof m->has_section);
    m->steps = memory_new((plan->statement_count + 1) * sizeof *m->steps);
    for (enum plan_section section = 0; section < PLAN_SECTIONS; section++) {
        for (size_t i = 0; i < plan->statement_count; i++) {
            struct plan_statement *statement = &plan->statements[i];
            if (statement->section != section)
                continue;
            m->steps[m->step_count++] = (struct step){
                .section = section,
                .number = statement->number,
                .transaction = statement->transaction,
                .transactional = statement->transactional,
                .line = statement->line,
                .column = statement->column,
                .sql = statement->sql,
                .work = statement->work,
            };
            statement->sql = NULL;
            statement->work = (struct plan_work){0};
        }
    }
}

static struct migration *new_migration(const struct coordinator *c, const struct submit_intent *s)
{
    struct migration *m = memory_new(sizeof *m);
    m->version = s->version;
    m->checksum = memory_copy(s->checksum);
    m->plan_checksum = memory_copy(s->plan->plan_checksum);
    m->labels = json_incref(s->labels);
    m->submitted_wall = m->phase_since_wall = coordinator_now(c).wall_ms;
    m->submitted_by = memory_copy(s->actor);
    m->phase = PHASE_QUEUED;
    take_settings(c, s, m);
    take_steps(s->plan, m);
    return m;
}

/* What an operator has paused stays paused, whatever text takes its place. */
static void keep_pause(struct migration *m, const struct migration *old)
{
    m->paused = old->paused;
    m->paused_since_wall = old->paused_since_wall;
    memory_replace(&m->paused_by, old->paused_by);
    memory_replace(&m->paused_reason, old->paused_reason);
}

static void write_migration(const struct submit_intent *s, struct change_set *changes)
{
    const struct migration *m = s->fresh;
    json_t *row = record_migration_new(m, s->sql);

    if (s->replaces)
        json_object_set_new(row, "replaced", json_true());
    changes_row(changes, "migrations", row);
    if (m->paused)
        changes_row(changes, "migrations",
                    record_migration_pause(m->version, true, m->paused_by, m->paused_reason,
                                           m->paused_since_wall));
    for (size_t i = 0; i < m->step_count; i++)
        changes_row(changes, "steps", record_step_new(m->version, &m->steps[i]));
    changes_event(changes,
                  &(struct change_event){
                      .kind = "migration.submitted",
                      .version = m->version,
                      .actor = s->actor,
                      .data = json_pack("{s:s, s:s, s:b}", "name", m->name, "checksum", m->checksum,
                                        "corrected", s->replaces)});
}

/* The text was written for a schema that still has what is being undone; and an undo waits until nothing is
 * queued above it. */
static const struct migration *undo_below(const struct coordinator *c, int64_t version)
{
    for (const struct migration *m = c->migrations; m && m->version < version; m = m->by_version.next)
        if (m->phase == PHASE_UNDOING)
            return m;
    return NULL;
}

static bool submit_decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    struct submit_intent *s = (struct submit_intent *)intent;
    const struct migration *m = migrations_find(c, s->version), *undoing;

    if (m && strcmp(m->checksum, s->checksum) == 0)
        return answer_present(s, m);
    if (!m && s->version <= c->baseline) {
        intent_answer(intent, &(struct outcome){.baselined = true});
        return false;
    }
    if (m && !may_replace(c, s, m))
        return false;
    if ((undoing = undo_below(c, s->version)))
        return intent_refuse(intent, PROBLEM_UNDO_UNDER_WAY,
                             "version %lld builds on %lld, which is being undone: submit it again once the "
                             "undo has ended (`schemagate gate %lld` says what it waits for), or take the "
                             "undo back with `schemagate cancel %lld`",
                             (long long)s->version, (long long)undoing->version,
                             (long long)undoing->version, (long long)undoing->version);
    if (!m && s->version <= c->view.latest)
        return intent_refuse(intent, PROBLEM_OUT_OF_ORDER,
                             "version %lld is not above %lld, the highest one submitted: give the "
                             "migration a higher version",
                             (long long)s->version, (long long)c->view.latest);
    if (!s->plan) /* what was there when the request came has been replaced since */
        return intent_refuse(intent, PROBLEM_VERSION_CONFLICT,
                             "version %lld was submitted with another text at this moment",
                             (long long)s->version);
    s->replaces = m != NULL;
    if (!s->fresh)
        s->fresh = new_migration(c, s);
    if (m)
        keep_pause(s->fresh, m);
    write_migration(s, changes);
    return true;
}

static void submit_apply(struct coordinator *c, struct intent *intent)
{
    struct submit_intent *s = (struct submit_intent *)intent;
    struct migration *m = s->fresh, *old = migrations_find(c, s->version);

    s->fresh = NULL;
    if (old) {
        m->index = old->index;
        migrations_remove(c, old);
    }
    migrations_insert(c, m);
    m->index = c->index;
    migrations_refresh_view(c);
    intent_answer(intent, &(struct outcome){.created = true, .migration = m});
}

static const struct intent_kind submit_kind = {
    .exclusive = true, .decide = submit_decide, .apply = submit_apply, .release = submit_release};

/* ---- the request ---- */

static void read_plan(const struct coordinator *c, const struct submission *submission,
                      void (*done)(void *context, struct plan *plan), void *context)
{
    c->env.planner_ops->read(c->env.planner, submission->sql, submission->sql_length,
                             &(struct plan_options){
                                 .version = submission->version,
                                 .says_keep = submission->keep_hours >= 0,
                                 .keep_hours = submission->keep_hours,
                                 .default_keep_hours = c->config->gate.keep_hours,
                             },
                             done, context);
}

static void discard(struct submit_intent *s)
{
    submit_release(&s->intent);
    free(s);
}

static void planned(void *context, struct plan *plan)
{
    struct submit_intent *s = context;

    s->plan = plan;
    if (plan)
        runners_judge(s->c, s->name, plan);
    if (plan && plan_is_refused(plan)) {
        intent_answer(&s->intent,
                      &(struct outcome){.problem = PROBLEM_PLAN_REFUSED,
                                        .detail = "the file is refused: see the findings",
                                        .plan = plan});
        discard(s);
        return;
    }
    if (!plan) {
        intent_refuse(&s->intent, PROBLEM_STOPPING, "the daemon is stopping: nothing was recorded");
        discard(s);
        return;
    }
    journal_add(s->c, &s->intent);
}

void coordinator_submit(struct coordinator *c, const struct submission *submission,
                        coordinator_answer *answer, void *context)
{
    struct submit_intent *s = memory_new(sizeof *s);
    const struct migration *m = migrations_find(c, submission->version);

    s->intent = (struct intent){.kind = &submit_kind, .answer = answer, .context = context};
    s->c = c;
    s->version = submission->version;
    s->name = memory_copy(submission->name);
    s->sql = memory_copy_n(submission->sql, submission->sql_length);
    s->sql_length = submission->sql_length;
    s->approval = memory_copy(submission->approval);
    s->soak_seconds = submission->soak_seconds;
    s->keep_hours = submission->keep_hours;
    s->labels = submission->labels ? json_deep_copy(submission->labels) : NULL;
    s->actor = memory_copy(submission->actor);
    digest_migration_text(s->sql, s->sql_length, s->checksum);

    bool known = m && strcmp(m->checksum, s->checksum) == 0;
    if (known || c->role != ROLE_LEADER || s->version <= c->baseline)
        journal_add(c, &s->intent);
    else
        read_plan(c, submission, planned, s);
}

/* ---- a plan that nobody keeps ---- */

struct plan_request {
    const struct coordinator *c;
    char *name; /* owned; NULL: the request gives none */
    coordinator_answer *answer;
    void *context;
};

static void planned_only(void *context, struct plan *plan)
{
    struct plan_request request = *(struct plan_request *)context;
    struct outcome outcome = {.plan = plan};

    free(context);
    if (plan)
        runners_judge(request.c, request.name, plan);
    else
        outcome = (struct outcome){.problem = PROBLEM_STOPPING, .detail = "the daemon is stopping"};
    request.answer(request.context, &outcome);
    free(request.name);
    plan_free(plan);
}

void coordinator_plan(struct coordinator *c, const struct submission *submission,
                      coordinator_answer *answer, void *context)
{
    struct plan_request *request = memory_new(sizeof *request);

    *request = (struct plan_request){c, memory_copy(submission->name), answer, context};
    read_plan(c, submission, planned_only, request);
}
