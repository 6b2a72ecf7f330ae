/* What deploy tools and operators say about applications. */
#include "record.h"
#include "state.h"

#include <schemagate/base/memory.h>

#include <stdlib.h>

struct app_intent {
    struct intent intent;
    char *app, *release, *reason, *actor;
    bool set_min_replicas, set_desired, clear_desired;
    int64_t min_replicas, max;
    struct version_range desired;
};

static void app_release(struct intent *intent)
{
    struct app_intent *a = (struct app_intent *)intent;
    free(a->app);
    free(a->release);
    free(a->reason);
    free(a->actor);
}

static struct app_intent *new_intent(const struct intent_kind *kind, const char *app,
                                     const char *release, const char *reason, const char *actor,
                                     coordinator_answer *answer, void *context)
{
    struct app_intent *a = memory_new(sizeof *a);
    a->intent = (struct intent){.kind = kind, .answer = answer, .context = context};
    a->app = memory_copy(app);
    a->release = memory_copy(release);
    a->reason = memory_copy(reason);
    a->actor = memory_copy(actor);
    return a;
}

static void write_event(const struct app_intent *a, const char *kind, json_t *data,
                        struct change_set *changes)
{
    changes_event(changes, &(struct change_event){.kind = kind,
                                                  .app = a->app,
                                                  .actor = a->actor,
                                                  .reason = a->reason,
                                                  .data = data});
}

static void answer_app(const struct coordinator *c, const struct app_intent *a, bool created)
{
    const struct application *app = registry_find_app(&c->registry, a->app);
    intent_answer(&a->intent, &(struct outcome){.app = app, .created = created});
}

static bool is_retired(const struct coordinator *c, const struct app_intent *a)
{
    const struct application *app = registry_find_app(&c->registry, a->app);
    return app && app->retired;
}

/* ---- min_replicas and the desired release ---- */

static bool change_decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    const struct app_intent *a = (const struct app_intent *)intent;
    json_t *row = json_pack("{s:s}", "app", a->app);

    if (is_retired(c, a)) {
        json_decref(row);
        return intent_refuse(intent, PROBLEM_APP_RETIRED, "the app %s was retired for good", a->app);
    }
    if (a->set_min_replicas)
        json_object_set_new(row, "min_replicas", json_integer(a->min_replicas));
    if (a->set_desired)
        json_object_update_new(row, json_pack("{s:I, s:I, s:s}", "desired_min",
                                              (json_int_t)a->desired.min, "desired_max",
                                              (json_int_t)a->desired.max, "desired_release",
                                              a->release ? a->release : ""));
    if (a->clear_desired)
        json_object_update_new(row, json_pack("{s:n, s:n, s:n}", "desired_min", "desired_max",
                                              "desired_release"));
    json_t *data = json_deep_copy(row);
    json_object_del(data, "app");
    changes_row(changes, "apps", row);
    write_event(a, "app.declared", data, changes);
    return true;
}

static void change_apply(struct coordinator *c, struct intent *intent)
{
    const struct app_intent *a = (const struct app_intent *)intent;
    bool created = !registry_find_app(&c->registry, a->app);
    struct application *app = registry_app(&c->registry, a->app);

    if (created)
        app->created_wall = coordinator_now(c).wall_ms;
    if (a->set_min_replicas)
        app->min_replicas_asked = a->min_replicas;
    app->gate.min_replicas = app_min_replicas(c, app);
    if (a->set_desired || a->clear_desired) {
        app->gate.has_desired = a->set_desired;
        app->gate.desired = a->desired;
        memory_replace(&app->desired_release, a->set_desired ? a->release : NULL);
    }
    answer_app(c, a, created);
}

static const struct intent_kind change_kind = {
    .exclusive = true, .decide = change_decide, .apply = change_apply, .release = app_release};

void coordinator_change_app(struct coordinator *c, const struct app_change *change,
                            coordinator_answer *answer, void *context)
{
    struct app_intent *a = new_intent(&change_kind, change->app, change->desired_release, NULL,
                                      change->actor, answer, context);
    a->set_min_replicas = change->set_min_replicas;
    a->set_desired = change->set_desired;
    a->clear_desired = change->clear_desired;
    a->min_replicas = change->min_replicas;
    a->desired = change->desired;
    journal_add(c, &a->intent);
}

/* ---- a release that is compatible after all ---- */

static bool compatible_decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    const struct app_intent *a = (const struct app_intent *)intent;

    if (!registry_find_app(&c->registry, a->app))
        return intent_refuse(intent, PROBLEM_UNKNOWN_APP, "no app is called %s", a->app);
    changes_row(changes, "compatible",
                json_pack("{s:s, s:s, s:I, s:s, s:s}", "app", a->app, "release", a->release, "max",
                          (json_int_t)a->max, "reason", a->reason, "actor", a->actor));
    write_event(a, "app.compatible",
                json_pack("{s:s, s:I}", "release", a->release, "max", (json_int_t)a->max), changes);
    return true;
}

static void compatible_apply(struct coordinator *c, struct intent *intent)
{
    const struct app_intent *a = (const struct app_intent *)intent;
    struct application *app = registry_app(&c->registry, a->app);
    registry_set_compatible(app, a->release, a->max, a->reason, a->actor);
    answer_app(c, a, false);
}

static const struct intent_kind compatible_kind = {.exclusive = true,
                                                   .decide = compatible_decide,
                                                   .apply = compatible_apply,
                                                   .release = app_release};

void coordinator_record_compatible(struct coordinator *c, const char *app, const char *release,
                                   int64_t max, const char *reason, const char *actor,
                                   coordinator_answer *answer, void *context)
{
    struct app_intent *a = new_intent(&compatible_kind, app, release, reason, actor, answer, context);
    a->max = max;
    journal_add(c, &a->intent);
}

/* ---- retiring ---- */

static bool retire_decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    const struct app_intent *a = (const struct app_intent *)intent;
    const struct application *app = registry_find_app(&c->registry, a->app);

    if (!app)
        return intent_refuse(intent, PROBLEM_UNKNOWN_APP, "no app is called %s", a->app);
    size_t present = app->gate.live + app->lost + app->waiting;
    if (present > 0)
        return intent_refuse(intent, PROBLEM_APP_IN_USE,
                             "%s has %zu replicas that are not gone: stop them, or evict those that "
                             "have ended",
                             a->app, present);
    changes_row(changes, "apps", json_pack("{s:s, s:b}", "app", a->app, "retired", 1));
    write_event(a, "app.retired", NULL, changes);
    return true;
}

static void retire_apply(struct coordinator *c, struct intent *intent)
{
    const struct app_intent *a = (const struct app_intent *)intent;
    registry_retire(&c->registry, registry_app(&c->registry, a->app));
    answer_app(c, a, false);
}

static const struct intent_kind retire_kind = {
    .exclusive = true, .decide = retire_decide, .apply = retire_apply, .release = app_release};

void coordinator_retire_app(struct coordinator *c, const char *app, const char *reason,
                            const char *actor, coordinator_answer *answer, void *context)
{
    journal_add(c, &new_intent(&retire_kind, app, NULL, reason, actor, answer, context)->intent);
}
