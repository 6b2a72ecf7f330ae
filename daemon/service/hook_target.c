/* Fetching, telling, storing: an event is told again until it is taken, then the next one. */
#include "hook_target.h"

#include "webhook.h"

#include <schemagate/base/child.h>
#include <schemagate/base/clock.h>
#include <schemagate/base/digest.h>
#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>
#include <schemagate/coordinator/coordinator.h>
#include <schemagate/core/retry.h>
#include <schemagate/db/database.h>

#include <event2/event.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { PAGE = 100, OUTPUT_KEPT = 400, SECRET_MAX = 4096 };

static void end_page(struct hook_target *target)
{
    json_decref(target->page);
    target->page = NULL;
    target->place = 0;
}

static void free_if_done(struct hook_target *target)
{
    if (!target->dropped || target->fetching || target->storing)
        return;
    event_free(target->retry);
    end_page(target);
    free(target);
}

static int64_t event_id(const json_t *event)
{
    return json_integer_value(json_object_get(event, "id"));
}

static const char *event_kind(const json_t *event)
{
    return json_string_value(json_object_get(event, "kind"));
}

static bool cares_for(const struct hook_target *target, const json_t *event)
{
    for (size_t i = 0; i < target->settings->kinds.count; i++)
        if (fnmatch(target->settings->kinds.items[i], event_kind(event), 0) == 0)
            return true;
    return false;
}

/* ---- storing ---- */

static void store_told(struct hook_target *target);

static void on_stored(void *context, bool ok)
{
    struct hook_target *target = context;

    target->storing = false;
    if (ok && target->active)
        store_told(target);
    free_if_done(target);
}

static void store_told(struct hook_target *target)
{
    if (target->storing || target->told == target->stored)
        return;
    target->storing = true;
    target->stored = target->told;
    database_note_delivery(target->world->database, target->settings->name, target->told, on_stored,
                           target);
}

/* ---- telling ---- */

static void taken(struct hook_target *target, const json_t *event)
{
    target->told = event_id(event);
    target->attempt = 0;
    target->error[0] = '\0';
    if (++target->place == json_array_size(target->page))
        end_page(target);
    store_told(target);
}

static void refused(struct hook_target *target, const json_t *event, const char *trouble)
{
    static const struct retry_policy policy = {.first_ms = 1000, .max_ms = 300000, .for_ms = INT64_MAX};
    struct instant now = clock_sample();
    uint32_t chance = UINT32_MAX / 2;

    if (getrandom(&chance, sizeof chance, 0) != sizeof chance)
        chance = UINT32_MAX / 2;
    if (target->attempt++ == 0)
        target->first_try_boot = now.boot_ms;
    int64_t delay = retry_delay_ms(&policy, target->attempt, now.boot_ms - target->first_try_boot, chance);
    struct timeval wait = {delay / 1000, delay % 1000 * 1000};
    event_add(target->retry, &wait);
    snprintf(target->error, sizeof target->error, "%s", trouble);
    log_warn("an event could not be delivered", LOG_TEXT("notify", target->settings->name),
             LOG_NUMBER("event", event_id(event)), LOG_TEXT("kind", event_kind(event)),
             LOG_TEXT("because", trouble), LOG_NUMBER("tries", target->attempt),
             LOG_NUMBER("next_in_ms", delay));
}

/* trouble: NULL where the event was taken. */
static void told(struct hook_target *target, const char *trouble)
{
    bool stale = target->stale;

    target->child = NULL;
    target->webhook = NULL;
    target->stale = false;
    if (!stale && trouble)
        refused(target, json_array_get(target->page, target->place), trouble);
    else if (!stale)
        taken(target, json_array_get(target->page, target->place));
    hook_target_look(target);
}

static void on_command_end(void *context, const struct child_end *end)
{
    struct hook_target *target = context;
    char *trouble = NULL;

    if (end->trouble)
        trouble = memory_copy(end->trouble);
    else if (end->code != 0)
        trouble = memory_printf("exit code %d: %.*s", end->code, (int)strcspn(end->output, "\n"),
                                end->output);
    told(target, trouble);
    free(trouble);
}

static void run_command(struct hook_target *target, const json_t *event, const char *body)
{
    const struct config_list *command = &target->settings->command;
    const char **arguments = memory_new((command->count + 1) * sizeof *arguments);
    char id[64], kind[128], version[64];
    const char *environment[] = {id, kind, version, NULL};

    for (size_t i = 0; i < command->count; i++)
        arguments[i] = command->items[i];
    snprintf(id, sizeof id, "SCHEMAGATE_EVENT_ID=%lld", (long long)event_id(event));
    snprintf(kind, sizeof kind, "SCHEMAGATE_EVENT_KIND=%s", event_kind(event));
    snprintf(version, sizeof version, "SCHEMAGATE_EVENT_VERSION=%lld",
             (long long)json_integer_value(json_object_get(event, "version")));
    target->child = child_start(target->world->base,
                                &(struct child_command){
                                    .arguments = arguments,
                                    .environment = environment,
                                    .input = body,
                                    .input_length = strlen(body),
                                    .timeout_ms = target->settings->timeout_seconds * 1000,
                                    .output_max = OUTPUT_KEPT,
                                    .guarded = true,
                                },
                                on_command_end, target);
    free(arguments);
}

static void on_posted(void *context, const char *trouble)
{
    told(context, trouble);
}

/* The first line of the secret file. Returns false where it cannot be read. */
static bool read_secret(const char *path, char secret[SECRET_MAX])
{
    FILE *file = fopen(path, "re");
    bool read = file && fgets(secret, SECRET_MAX, file);

    if (file)
        fclose(file);
    if (read)
        secret[strcspn(secret, "\r\n")] = '\0';
    return read;
}

static void post(struct hook_target *target, const json_t *event, const char *body)
{
    const struct config_notify *settings = target->settings;
    char id[96], kind[128], signature[128] = "", secret[SECRET_MAX], hex[DIGEST_HEX_SIZE];
    const char *headers[] = {"Content-Type: application/json", id, kind, NULL, NULL};

    snprintf(id, sizeof id, "Idempotency-Key: %s-%lld",
             coordinator_term(target->world->coordinator)->system_identifier, (long long)event_id(event));
    snprintf(kind, sizeof kind, "X-Schemagate-Event: %s", event_kind(event));
    if (settings->secret_file[0] != '\0') {
        if (!read_secret(settings->secret_file, secret)) {
            refused(target, event, "its secret_file cannot be read");
            return;
        }
        snprintf(signature, sizeof signature, "X-Schemagate-Signature: sha256=%s",
                 digest_hmac_hex(secret, body, strlen(body), hex));
        explicit_bzero(secret, sizeof secret);
        headers[3] = signature;
    }
    target->webhook = webhook_post(target->world->transfers,
                                   &(struct webhook_request){
                                       .url = settings->url,
                                       .headers = headers,
                                       .body = body,
                                       .body_length = strlen(body),
                                       .timeout_ms = settings->timeout_seconds * 1000,
                                   },
                                   on_posted, target);
}

static void tell(struct hook_target *target, const json_t *event)
{
    char *body = json_dumps(event, JSON_COMPACT);

    if (target->settings->command.count > 0)
        run_command(target, event, body);
    else
        post(target, event, body);
    free(body);
}

/* ---- fetching ---- */

static void on_page(void *context, const json_t *rows)
{
    static const struct timeval wait = {.tv_sec = 1};
    struct hook_target *target = context;

    target->fetching = false;
    if (target->dropped) {
        free_if_done(target);
    } else if (!rows) { /* the end of the term follows, or it is worth another try */
        event_add(target->retry, &wait);
    } else if (target->active && json_array_size(rows) > 0) {
        target->page = json_incref((json_t *)rows);
        target->read = event_id(json_array_get(rows, json_array_size(rows) - 1));
        hook_target_look(target);
    }
}

static void fetch(struct hook_target *target)
{
    if (coordinator_index(target->world->coordinator) <= target->read)
        return;
    target->fetching = true;
    coordinator_events(target->world->coordinator, target->read, NULL, 0, PAGE, on_page, target);
}

static void note_standing(struct hook_target *target)
{
    if (!target->active || target->told >= coordinator_index(target->world->coordinator))
        target->behind_since = (struct instant){0};
    else if (target->behind_since.boot_ms == 0)
        target->behind_since = clock_sample();
}

void hook_target_look(struct hook_target *target)
{
    bool busy = target->child || target->webhook || event_pending(target->retry, EV_TIMEOUT, NULL);

    note_standing(target);
    if (!target->active || busy || target->fetching)
        return;
    while (target->page) {
        const json_t *event = json_array_get(target->page, target->place);
        if (cares_for(target, event)) {
            tell(target, event);
            return;
        }
        taken(target, event);
    }
    note_standing(target);
    fetch(target);
}

/* ---- life ---- */

static void on_retry(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    hook_target_look(context);
}

struct hook_target *hook_target_new(const struct hook_world *world)
{
    struct hook_target *target = memory_new(sizeof *target);

    target->world = world;
    target->retry = evtimer_new(world->base, on_retry, target);
    return target;
}

void hook_target_configure(struct hook_target *target, const struct config_notify *settings)
{
    target->settings = settings;
    event_del(target->retry); /* what failed may work now */
}

void hook_target_begin(struct hook_target *target, int64_t event)
{
    end_page(target);
    target->active = true;
    target->read = target->told = target->stored = event;
    target->attempt = 0;
    target->error[0] = '\0';
}

void hook_target_pause(struct hook_target *target)
{
    target->active = false;
    note_standing(target);
    target->stale = target->child || target->webhook;
    event_del(target->retry);
    end_page(target);
}

void hook_target_drop(struct hook_target *target)
{
    if (target->child)
        child_abandon(target->child);
    if (target->webhook)
        webhook_abandon(target->webhook);
    target->active = false;
    target->dropped = true;
    free_if_done(target);
}
