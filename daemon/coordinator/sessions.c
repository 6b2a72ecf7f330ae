/* Ending database sessions by an operator's word: those that a hold names, or those of a replica that is
 * evicted. The act is committed to the audit trail before it is done. */
#include "locks.h"
#include "state.h"

#include <schemagate/base/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct target {
    char *standby; /* NULL: on the primary */
    int pid;
    char *backend_start, *name, *address;
    char *transaction_start; /* NULL: whatever it does */
};

struct termination {
    struct intent intent;
    struct coordinator *c;
    struct target *targets;
    size_t target_count, awaited;
    char *error; /* the first one */
    char *app, *instance, *incarnation; /* NULL: sessions alone, nobody is evicted */
    int64_t version; /* of the migration in whose way they are; 0: none */
    bool idle_only;
    char *reason, *actor;
    coordinator_answer *answer;
    void *context;
};

static void termination_free(struct termination *t)
{
    for (size_t i = 0; i < t->target_count; i++) {
        free(t->targets[i].standby);
        free(t->targets[i].backend_start);
        free(t->targets[i].name);
        free(t->targets[i].address);
        free(t->targets[i].transaction_start);
    }
    free(t->targets);
    free(t->error);
    free(t->app);
    free(t->instance);
    free(t->incarnation);
    free(t->reason);
    free(t->actor);
    free(t);
}

static struct target *new_target(struct termination *t)
{
    t->targets = memory_grow(t->targets, t->target_count + 1, sizeof *t->targets);
    return &t->targets[t->target_count++];
}

static void add_target(struct termination *t, const struct witnessed_session *session)
{
    *new_target(t) = (struct target){
        memory_copy(session->standby), session->pid, memory_copy(session->backend_start),
        memory_copy(session->name), memory_copy(session->address), NULL};
}

static void refuse(struct termination *t, enum problem problem, const char *detail)
{
    t->answer(t->context, &(struct outcome){.problem = problem, .detail = detail});
    termination_free(t);
}

static struct termination *termination_new(struct coordinator *c, const char *reason, const char *actor,
                                           coordinator_answer *answer, void *context)
{
    struct termination *t = memory_new(sizeof *t);
    t->c = c;
    t->reason = memory_copy(reason);
    t->actor = memory_copy(actor);
    t->answer = answer;
    t->context = context;
    return t;
}

/* ---- doing it ---- */

static void finish(struct termination *t)
{
    struct coordinator *c = t->c;

    c->watch.wanted = true; /* what is left is seen soon */
    coordinator_wake(c);
    if (t->error) {
        refuse(t, PROBLEM_NOT_TERMINATED, t->error);
        return;
    }
    if (t->app)
        coordinator_remove(c, REPLICA_EVICTED, t->app, t->instance, t->incarnation, t->reason, t->actor,
                           t->answer, t->context);
    else
        t->answer(t->context, &(struct outcome){.migration = migrations_find(c, t->version)});
    termination_free(t);
}

static void ended(void *context, bool was_there, const char *error)
{
    struct termination *t = context;
    (void)was_there; /* if not, it has ended by itself */
    if (error && !t->error)
        t->error = memory_copy(error);
    if (--t->awaited == 0)
        finish(t);
}

static void terminate_all(struct termination *t)
{
    struct coordinator *c = t->c;

    t->awaited = t->target_count;
    if (t->awaited == 0) {
        finish(t);
        return;
    }
    for (size_t i = 0, count = t->target_count; i < count; i++)
        c->env.witness_ops->terminate(c->env.witness,
                                      &(struct witness_target){
                                          .standby = t->targets[i].standby,
                                          .pid = t->targets[i].pid,
                                          .backend_start = t->targets[i].backend_start,
                                          .transaction_start = t->targets[i].transaction_start,
                                          .idle_only = t->idle_only},
                                      ended, t);
}

/* ---- the audit trail; where this daemon does not lead, the journal says so ---- */

#define LISTED_MAX 100 /* sessions that the event names */

struct record_intent {
    struct intent intent;
    struct termination *t; /* NULL: it goes on by itself */
};

static const char *event_kind(const struct termination *t)
{
    return t->idle_only ? "migration.unblock" : t->version ? "operator.unblock" : "operator.terminate";
}

static bool record_decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    const struct termination *t = ((const struct record_intent *)intent)->t;
    json_t *sessions;

    (void)c;
    if (t->target_count == 0) /* nobody has looked */
        return intent_refuse(intent, PROBLEM_DATABASE_UNAVAILABLE,
                             "this daemon did not lead when it was asked: try again");
    sessions = json_array();
    for (size_t i = 0; i < t->target_count && i < LISTED_MAX; i++)
        json_array_append_new(sessions,
                              json_pack("{s:i, s:s, s:s, s:s, s:s?}", "pid", t->targets[i].pid,
                                        "backend_start", t->targets[i].backend_start, "session",
                                        t->targets[i].name, "address", t->targets[i].address,
                                        "standby", t->targets[i].standby));
    changes_event(changes, &(struct change_event){
                               .kind = event_kind(t),
                               .version = t->version,
                               .app = t->app,
                               .instance = t->instance,
                               .actor = t->actor,
                               .reason = t->reason,
                               .data = json_pack("{s:I, s:o}", "count", (json_int_t)t->target_count,
                                                 "sessions", sessions)});
    return true;
}

static void record_apply(struct coordinator *c, struct intent *intent)
{
    struct record_intent *r = (struct record_intent *)intent;
    struct termination *t = r->t;
    (void)c;
    r->t = NULL;
    intent->answer = NULL;
    terminate_all(t);
}

/* Where it could not be recorded, nothing is done. */
static void record_release(struct intent *intent)
{
    struct record_intent *r = (struct record_intent *)intent;
    if (r->t)
        termination_free(r->t);
}

static const struct intent_kind record_kind = {
    .exclusive = true, .decide = record_decide, .apply = record_apply, .release = record_release};

static void record(struct termination *t)
{
    struct record_intent *r = memory_new(sizeof *r);
    r->intent = (struct intent){.kind = &record_kind, .answer = t->answer, .context = t->context};
    r->t = t;
    journal_add(t->c, &r->intent);
}

/* ---- one session that a hold names ---- */

struct wanted {
    struct termination *t;
    int pid;
    char *backend_start;
};

static void found_session(void *context, bool ok)
{
    struct wanted wanted = *(struct wanted *)context;
    struct termination *t = wanted.t;
    const struct sight *sight = ok ? witness_sight(t->c) : NULL;

    free(context);
    for (size_t i = 0; sight && i < sight->session_count && t->target_count == 0; i++) {
        const struct witnessed_session *session = &sight->sessions[i];
        bool same = !*wanted.backend_start || strcmp(session->backend_start, wanted.backend_start) == 0;
        if (session->pid == wanted.pid && same)
            add_target(t, session);
    }
    free(wanted.backend_start);
    if (!sight)
        refuse(t, PROBLEM_DATABASE_UNAVAILABLE, "the database's sessions cannot be looked at now");
    else if (t->target_count == 0)
        refuse(t, PROBLEM_UNKNOWN_SESSION, "no client session of this database has that pid and start");
    else
        record(t);
}

void coordinator_terminate(struct coordinator *c, int pid, const char *backend_start,
                           const char *reason, const char *actor, coordinator_answer *answer,
                           void *context)
{
    struct termination *t = termination_new(c, reason, actor, answer, context);
    struct wanted *wanted;

    if (!term_goes_on(c)) {
        record(t);
        return;
    }
    wanted = memory_new(sizeof *wanted);
    *wanted = (struct wanted){t, pid, memory_copy(backend_start ? backend_start : "")};
    witness_look(c, found_session, wanted);
}

/* ---- a replica's sessions ---- */

/* Whether one that may be the replica's may be somebody else's as well, who is not meant. */
static bool is_shared(const struct termination *t, const struct replica *meant)
{
    const struct registry *registry = &t->c->registry;
    const struct identity *name = registry_find_identity(registry->names, meant->application_name);
    size_t own = 0;

    for (const struct replica *r = registry_find(registry, t->app, t->instance); r; r = r->older)
        own += (!t->incarnation || strcmp(r->incarnation, t->incarnation) == 0) &&
               strcmp(r->application_name, meant->application_name) == 0;
    return name && name->count > own;
}

static void collect_sessions(struct termination *t, const struct sight *sight, const struct replica *r)
{
    for (size_t i = 0; i < sight->session_count; i++) {
        const struct witnessed_session *session = &sight->sessions[i];
        bool named = *r->application_name &&
                     strcmp(session->application_name, r->application_name) == 0;
        if (session->replica == r || named)
            add_target(t, session);
    }
}

static void found_replica(void *context, bool ok)
{
    struct termination *t = context;
    const struct sight *sight = ok ? witness_sight(t->c) : NULL;
    const char *last_name = NULL;

    if (!sight) {
        refuse(t, PROBLEM_DATABASE_UNAVAILABLE, "the database's sessions cannot be looked at now");
        return;
    }
    for (const struct replica *r = registry_find(&t->c->registry, t->app, t->instance); r; r = r->older) {
        if (t->incarnation && strcmp(r->incarnation, t->incarnation) != 0)
            continue;
        if (is_shared(t, r)) {
            refuse(t, PROBLEM_NOT_TERMINATED,
                   "its sessions cannot be told from those of others with the same application_name: "
                   "terminate them one by one, or evict without terminating");
            return;
        }
        if (!last_name || strcmp(last_name, r->application_name) != 0)
            collect_sessions(t, sight, r);
        last_name = r->application_name;
    }
    if (t->target_count > 0)
        record(t);
    else
        finish(t);
}

void coordinator_evict_sessions(struct coordinator *c, const char *app, const char *instance,
                                const char *incarnation, const char *reason, const char *actor,
                                coordinator_answer *answer, void *context)
{
    struct termination *t = termination_new(c, reason, actor, answer, context);
    t->app = memory_copy(app);
    t->instance = memory_copy(instance);
    t->incarnation = memory_copy(incarnation);
    if (term_goes_on(c))
        witness_look(c, found_replica, t);
    else
        record(t);
}

/* ---- those in the way of a migration ---- */

void sessions_end_blockers(struct coordinator *c, int64_t version, const struct blocker_list *list,
                           const char *reason, const char *actor, coordinator_answer *answer,
                           void *context)
{
    struct termination *t = termination_new(c, reason, actor, answer, context);
    t->version = version;
    t->idle_only = list->idle_only;
    for (size_t i = 0; i < list->count; i++) {
        const struct blocker *b = list->blockers[i];
        char name[256];
        snprintf(name, sizeof name, "%s/%s", b->role, b->application_name);
        *new_target(t) = (struct target){NULL, b->pid, memory_copy(b->backend_start), memory_copy(name),
                                         memory_copy(""), memory_copy(b->transaction_start)};
    }
    if (list->recorded)
        terminate_all(t);
    else
        record(t);
}
