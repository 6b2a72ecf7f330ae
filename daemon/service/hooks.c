/* The targets: what each still has to be told, one event at a time. */
#include "hooks.h"

#include "hook_target.h"
#include "webhook.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>
#include <schemagate/coordinator/coordinator.h>
#include <schemagate/db/database.h>

#include <event2/event.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct hooks {
    struct hook_world world;
    struct event *soon;
    struct hook_target *targets; /* utlist */
    int64_t epoch;               /* the term whose deliveries have begun; 0: none */
    bool beginning;
};

static struct hook_target *find(const struct hooks *hooks, const char *name)
{
    struct hook_target *target;
    DL_FOREACH(hooks->targets, target) {
        if (strcmp(target->settings->name, name) == 0)
            return target;
    }
    return NULL;
}

/* ---- the beginning of a term: where each target stands ---- */

static void on_begun(void *context, const json_t *events)
{
    struct hooks *hooks = context;
    struct hook_target *target;

    hooks->beginning = false;
    if (!events)
        hooks->epoch = 0; /* the end of the term follows */
    DL_FOREACH(hooks->targets, target) {
        const json_t *event = json_object_get(events, target->settings->name);
        if (event)
            hook_target_begin(target, json_integer_value(event));
    }
    hooks_changed(hooks);
}

static void begin(struct hooks *hooks, int64_t epoch)
{
    json_t *names = json_array();
    struct hook_target *target;

    DL_FOREACH(hooks->targets, target) {
        json_array_append_new(names, json_string(target->settings->name));
    }
    char *text = json_dumps(names, JSON_COMPACT);
    hooks->epoch = epoch;
    hooks->beginning = true;
    database_begin_deliveries(hooks->world.database, text, on_begun, hooks);
    free(text);
    json_decref(names);
}

static void look(evutil_socket_t fd, short what, void *context)
{
    struct hooks *hooks = context;
    const struct coordinator *c = hooks->world.coordinator;
    struct hook_target *target;

    (void)fd;
    (void)what;
    if (!hooks->targets || hooks->beginning)
        return;
    if (coordinator_role(c) != ROLE_LEADER) {
        hooks->epoch = 0;
        DL_FOREACH(hooks->targets, target) {
            hook_target_pause(target);
        }
        return;
    }
    if (hooks->epoch != coordinator_term(c)->epoch) {
        DL_FOREACH(hooks->targets, target) {
            hook_target_pause(target);
        }
        begin(hooks, coordinator_term(c)->epoch);
        return;
    }
    DL_FOREACH(hooks->targets, target) {
        hook_target_look(target);
    }
}

void hooks_changed(struct hooks *hooks)
{
    if (hooks->targets)
        event_active(hooks->soon, EV_TIMEOUT, 1);
}

void hooks_list(void *context, http_notify_row *row, void *out)
{
    const struct hooks *hooks = context;
    const struct hook_target *target;
    int64_t newest = coordinator_index(hooks->world.coordinator), now = clock_sample().boot_ms;

    DL_FOREACH(hooks->targets, target) {
        const struct instant *since = &target->behind_since;
        row(out, &(struct http_notify){
                     .name = target->settings->name,
                     .behind = target->active ? newest - target->told : 0,
                     .tries = target->active ? target->attempt : 0,
                     .behind_since_wall = since->wall_ms,
                     .behind_seconds = since->boot_ms != 0 ? (now - since->boot_ms) / 1000 : 0,
                     .error = target->active && target->error[0] != '\0' ? target->error : NULL,
                 });
    }
}

/* ---- life ---- */

struct hooks *hooks_new(struct event_base *base, const struct config *config,
                        struct coordinator *coordinator, struct database *database)
{
    struct hooks *hooks = memory_new(sizeof *hooks);

    hooks->world =
        (struct hook_world){.base = base, .coordinator = coordinator, .database = database};
    hooks->soon = event_new(base, -1, 0, look, hooks);
    hooks_configure(hooks, config);
    return hooks;
}

/* A target that is there already goes on from where it is, with its new settings. */
void hooks_configure(struct hooks *hooks, const struct config *config)
{
    struct hook_target *target, *next, *kept = NULL;

    for (size_t i = 0; i < config->notify_count; i++) {
        const struct config_notify *settings = &config->notifies[i];
        if (settings->url[0] != '\0' && !hooks->world.transfers)
            hooks->world.transfers = webhook_transfers(hooks->world.base);
        target = find(hooks, settings->name);
        if (target)
            DL_DELETE(hooks->targets, target);
        else
            target = hook_target_new(&hooks->world);
        hook_target_configure(target, settings);
        DL_APPEND(kept, target);
    }
    DL_FOREACH_SAFE(hooks->targets, target, next) {
        hook_target_drop(target);
    }
    hooks->targets = kept;
    hooks->epoch = 0; /* new ones have to begin */
    hooks_changed(hooks);
}

void hooks_free(struct hooks *hooks)
{
    struct hook_target *target, *next;

    if (!hooks)
        return;
    DL_FOREACH_SAFE(hooks->targets, target, next) {
        hook_target_drop(target);
    }
    transfers_close(hooks->world.transfers);
    event_free(hooks->soon);
    free(hooks);
}
