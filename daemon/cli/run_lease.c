/* The conversation with the daemon: one request at a time, each answer decides about the next. */
#include "run.h"

#include "problem.h"
#include "render.h"
#include "text.h"
#include "verbs.h"

#include <schemagate/base/clock.h>
#include <schemagate/base/memory.h>
#include <schemagate/cli/cli.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REGISTER_WAIT_MS 60000
#define ANSWER_MS 15000 /* beyond the wait that was asked for */
#define RENEW_TIMEOUT_MAX_MS 10000
#define GOODBYE_TIMEOUT_MS 2000
#define PAUSE_FIRST_MS 250
#define PAUSE_MAX_MS 8000
#define PAUSE_WAITING_MS 1000 /* between registrations, should the daemon not hold its answer */
#define RENEW_LEAST_MS 1000
#define END_MARGIN_MS 1000  /* before the lease ends, nothing of the tree runs any more */
#define GUARD_MARGIN_MS 500 /* the guard acts where the wrapper has not */

static void send_request(struct run *run, const char *method, char *path, json_t *body,
                         int64_t timeout_ms, run_http_done *done)
{
    struct request request = {method, path, body, (long)timeout_ms};
    run->sent_ms = clock_sample().boot_ms;
    run_due_never(run, RUN_DUE_ASK);
    run_http_send(run->http, &request, done, run);
    json_decref(body);
    free(path);
}

static char *replica_path(const struct run *run, const char *rest)
{
    return verb_path("/v1/apps/", run->facts.app, "/replicas/", run->facts.instance, rest, NULL);
}

/* The next try, after a pause that grows; `most` bounds it. */
static void try_again(struct run *run, int64_t retry_after_ms, int64_t most)
{
    int64_t pause = retry_after_ms > run->pause_ms ? retry_after_ms : run->pause_ms;
    run_due_in(run, RUN_DUE_ASK, pause < most ? pause : most);
    run->pause_ms = run->pause_ms * 2 < PAUSE_MAX_MS ? run->pause_ms * 2 : PAUSE_MAX_MS;
}

static void answered(struct run *run)
{
    if (run->trouble_told)
        run_say(run, "the daemon answers again");
    run->trouble_told = false;
    run->pause_ms = PAUSE_FIRST_MS;
}

/* Reports a silence or a refusal once, not at every try. */
static void tell_trouble(struct run *run, const struct reply *reply, const char *consequence)
{
    if (run->trouble_told)
        return;
    run->trouble_told = true;
    problem_report(reply, run->facts.app);
    run_say(run, "%s", consequence);
}

/* What follows from a verdict. */
typedef void act(struct run *run, const struct reply *reply);

static void act_upon(struct run *run, const struct reply *reply, act *const acts[VERDICTS])
{
    acts[reply->token_missing ? VERDICT_REFUSED : run_judge(reply->status, reply_slug(reply))](run, reply);
}

/* ---- the lease ---- */

/* How often to renew: as the daemon says; with --on-lost exit so often that three renewals and the
 * time to stop fit into the lease. False: they cannot. */
static bool plan_renewals(struct run *run, const json_t *body)
{
    const struct run_options *options = run->facts.options;
    int64_t lease = (int64_t)(json_number_value(json_object_get(body, "lease_seconds")) * 1000);
    int64_t renew = (int64_t)(json_number_value(json_object_get(body, "renew_after_seconds")) *
                              1000);
    run->lease_ms = lease > 0 ? lease : run->lease_ms;
    run->renew_ms = renew > 0 ? renew : run->renew_ms;
    if (strcmp(options->on_lost, "exit") != 0)
        return true;
    int64_t time = run->lease_ms - options->kill_after_ms;
    int64_t third = (time - END_MARGIN_MS) / 3;
    run->renew_ms = third < run->renew_ms ? third : run->renew_ms;
    return time >= 3 * RENEW_LEAST_MS;
}

static void arm_lease(struct run *run)
{
    int64_t spent = clock_sample().boot_ms - run->sent_ms;
    run_due_in(run, RUN_DUE_ASK, run->renew_ms - spent);
    if (strcmp(run->facts.options->on_lost, "exit") != 0)
        return;
    run->end_ms = run->sent_ms + run->lease_ms - END_MARGIN_MS;
    run_due_in(run, RUN_DUE_LOST,
               run->lease_ms - run->facts.options->kill_after_ms - END_MARGIN_MS - spent);
    run_child_end_by(&run->child, run->sent_ms + run->lease_ms - GUARD_MARGIN_MS);
}

/* The answer to a registration may have been held back for long, and nobody here knows when its
 * lease began: where the command must end before it does, nothing starts without a renewal. */
static bool lease_is_fresh(const struct run *run)
{
    return strcmp(run->facts.options->on_lost, "exit") != 0 ||
           clock_sample().boot_ms - run->sent_ms < run->renew_ms;
}

/* Admitted, or renewed. */
static void lease_taken(struct run *run, const struct reply *reply)
{
    const json_t *window = json_object_get(reply->body, "window");
    bool first = run->drain == DRAIN_NOTHING;
    run->window = (struct version_range){render_number(window, "floor"),
                                         render_number(window, "ceiling")};
    answered(run);
    if (!plan_renewals(run, reply->body) && first) {
        run_say(run,
                "--on-lost exit needs a lease that holds --kill-after and three renewals; this one "
                "is of %" PRId64 " s\n  next: give --lease %" PRId64
                " or more, or a shorter --kill-after",
                run->lease_ms / 1000,
                (run->facts.options->kill_after_ms + 3 * RENEW_LEAST_MS + 999) / 1000);
        run_leave(run, CLI_USAGE);
        return;
    }
    if (first && !lease_is_fresh(run)) {
        run->phase = RUN_HELD;
        run_due_in(run, RUN_DUE_ASK, 0);
        return;
    }
    if (run->unprotected)
        run_say(run, "registered now: the command is under the gate");
    run->unprotected = false;
    run->phase = RUN_HELD;
    arm_lease(run);
    if (first)
        run_start_command(run);
}

static void say_too_old(struct run *run, const struct reply *reply)
{
    problem_report(reply, run->facts.app);
    run->exit_code = CLI_TOO_OLD;
}

/* The schema has moved beyond this code: nothing is started, what runs is stopped. */
static void too_old(struct run *run, const struct reply *reply)
{
    say_too_old(run, reply);
    if (run->drain == DRAIN_NOTHING) {
        run_leave(run, CLI_TOO_OLD);
        return;
    }
    run_say(run, "the command is stopped");
    run->phase = RUN_REGISTERING;
    run_stop_command(run);
}

static void superseded(struct run *run, const struct reply *reply)
{
    if (run->drain == DRAIN_NOTHING) {
        run_leave(run, problem_report(reply, run->facts.app));
        return;
    }
    /* --on-lost exit is a promise to the daemon, also now that no renewal can succeed any more. */
    bool stops = strcmp(run->facts.options->on_lost, "exit") == 0;
    run->phase = RUN_SUPERSEDED;
    run_say(run, "a newer incarnation of this instance has registered; the command %s\n"
                 "  next: schemagate replicas --app %s",
            stops ? "is stopped before its lease ends (--on-lost exit)"
                  : "is kept, and holds gates until it ends",
            run->facts.app);
}

/* ---- registration ---- */

/* A wait is reported when what is waited for changes. */
static void tell_waiting(struct run *run, const json_t *body)
{
    const json_t *window = json_object_get(body, "window");
    char *wait = memory_printf("%" PRId64 "..%" PRId64, render_number(window, "floor"),
                               render_number(window, "ceiling"));
    if (!run->last_wait || strcmp(run->last_wait, wait) != 0) {
        struct buf age = BUF_INIT(0);
        text_duration(&age, clock_sample().boot_ms - run->waiting_since_ms);
        run_say(run,
                "waiting %s  the schema serves %s, this release needs %" PRId64 "..%" PRId64
                "\n  next: schemagate status",
                buf_text(&age), wait, run->facts.range.min, run->facts.range.max);
        buf_free(&age);
    }
    free(run->last_wait);
    run->last_wait = wait;
}

static void wait_on(struct run *run, const struct reply *reply)
{
    answered(run);
    if (run->drain == DRAIN_NOTHING)
        tell_waiting(run, reply->body);
    int64_t spent = clock_sample().boot_ms - run->sent_ms;
    run_due_in(run, RUN_DUE_ASK, spent < PAUSE_WAITING_MS ? PAUSE_WAITING_MS - spent : 0);
}

/* No answer at the start: the three policies of --on-unavailable. */
static void unavailable(struct run *run, const struct reply *reply)
{
    const char *policy = run->facts.options->on_unavailable;
    if (run->drain != DRAIN_NOTHING) {
        tell_trouble(run, reply, "still trying to register; meanwhile the command runs");
        try_again(run, reply->retry_after_ms, PAUSE_MAX_MS);
    } else if (strcmp(policy, "fail") == 0) {
        run_leave(run, problem_report(reply, run->facts.app));
    } else if (strcmp(policy, "run") == 0) {
        run->unprotected = true;
        tell_trouble(run, reply,
                     "WARNING: the command is started UNPROTECTED: no gate knows that it runs; it "
                     "is registered as soon as the daemon answers");
        run_start_command(run);
        try_again(run, reply->retry_after_ms, PAUSE_MAX_MS);
    } else {
        tell_trouble(run, reply,
                     "waiting for the daemon; --on-unavailable says what else can be done");
        try_again(run, reply->retry_after_ms, PAUSE_MAX_MS);
    }
}

static void refused(struct run *run, const struct reply *reply)
{
    if (run->drain == DRAIN_NOTHING) {
        run_leave(run, problem_report(reply, run->facts.app));
        return;
    }
    tell_trouble(run, reply, "the command is kept; the daemon is asked again");
    try_again(run, reply->retry_after_ms, PAUSE_MAX_MS);
}

/* 503 says that nothing was recorded; where the answer got lost, anything may have been. */
static bool may_be_recorded(const struct reply *reply)
{
    return reply->status ? reply->status < 300 || (reply->status >= 500 && reply->status != 503)
                         : !reply->never_sent;
}

static void on_registered(void *context, const struct reply *reply)
{
    static act *const acts[VERDICTS] = {
        [VERDICT_LIVE] = lease_taken,
        [VERDICT_WAITING] = wait_on,
        [VERDICT_TOO_OLD] = too_old,
        [VERDICT_SUPERSEDED] = superseded,
        [VERDICT_UNKNOWN] = refused,
        [VERDICT_UNAVAILABLE] = unavailable,
        [VERDICT_REFUSED] = refused,
    };
    struct run *run = context;
    run->asking_in = false;
    run->known_to_daemon |= may_be_recorded(reply);
    if (run_is_lost(run))
        return;
    act_upon(run, reply, acts);
}

static void send_registration(struct run *run)
{
    const struct run_facts *facts = &run->facts;
    json_t *body = json_pack("{s:s, s:I, s:I, s:s, s:s, s:b, s:s*, s:s*, s:O*}",
                             "incarnation", facts->incarnation,
                             "min", (json_int_t)facts->range.min,
                             "max", (json_int_t)facts->range.max,
                             "application_name", facts->application_name,
                             "on_lost", facts->options->on_lost,
                             "predecessor_ended", run->predecessor != NULL,
                             "predecessor", run->predecessor,
                             "release", facts->options->release,
                             "knows", facts->knows);
    if (facts->options->lease_ms != RUN_NOT_GIVEN)
        json_object_set_new(body, "lease_seconds", json_integer(facts->options->lease_ms / 1000));
    int64_t wait_ms = run->drain == DRAIN_NOTHING ? REGISTER_WAIT_MS : 0;
    char *rest = wait_ms ? memory_printf("?wait=%" PRId64, wait_ms / 1000) : memory_copy("");
    char *place = replica_path(run, NULL), *path = memory_printf("%s%s", place, rest);
    free(place);
    free(rest);
    run->asking_in = true;
    send_request(run, "PUT", path, body, wait_ms + ANSWER_MS, on_registered);
}

/* ---- the predecessor ---- */

/* True if that incarnation's whole tree is known to have ended: it held the lock that we hold now,
 * or it ran in this very pod, whose only PID namespace of that kind is now ours. */
static bool has_ended(const struct run *run, const char *incarnation)
{
    const char *pod = run->facts.options->pod_uid;
    if (run_lock_proves_end(&run->lock, incarnation))
        return true;
    size_t length = pod ? strlen(pod) : 0;
    return getpid() == 1 && length && strncmp(incarnation, pod, length) == 0 &&
           incarnation[length] == '.';
}

static bool may_know_predecessors(const struct run *run)
{
    bool listed = run->lock.held && run->lock.holders && *run->lock.holders;
    return listed || (getpid() == 1 && run->facts.options->pod_uid);
}

/* The newest earlier incarnation, if every one that may still run is known to have ended; else NULL. */
static const char *ended_predecessor(const struct run *run, const json_t *body)
{
    const json_t *items = json_object_get(body, "items");
    items = items ? items : json_object_get(body, "incarnations");
    const char *newest = NULL;
    size_t n;
    json_t *item;
    json_array_foreach(items, n, item) {
        const char *incarnation = render_text(item, "incarnation");
        if (strcmp(render_text(item, "state"), "gone") == 0 ||
            strcmp(incarnation, run->facts.incarnation) == 0)
            continue;
        if (!has_ended(run, incarnation))
            return NULL;
        if (!newest || !json_is_true(json_object_get(item, "superseded")))
            newest = incarnation;
    }
    return newest;
}

static void on_predecessors(void *context, const struct reply *reply)
{
    struct run *run = context;
    enum run_verdict verdict = run_judge(reply->status, reply_slug(reply));
    if (verdict == VERDICT_UNAVAILABLE && !reply->token_missing) {
        unavailable(run, reply);
        return;
    }
    memory_replace(&run->predecessor,
                   verdict == VERDICT_LIVE ? ended_predecessor(run, reply->body) : NULL);
    send_registration(run);
}

/* ---- renewals ---- */

static void renewal_failed(struct run *run, const struct reply *reply)
{
    bool stops = strcmp(run->facts.options->on_lost, "exit") == 0;
    if (run->drain == DRAIN_NOTHING)
        run->phase = RUN_REGISTERING; /* the lease was not fresh enough: begin anew */
    tell_trouble(run, reply,
                 stops ? "the renewal failed; if none succeeds, the command ends before its lease"
                       : "the renewal failed; the command runs on, and gates stay closed for it");
    try_again(run, reply->retry_after_ms, run->renew_ms);
}

static void register_again(struct run *run, const struct reply *reply)
{
    (void)reply;
    run->phase = RUN_REGISTERING;
    run_say(run, "the daemon does not know this incarnation any more; registering again");
    send_registration(run);
}

static void on_renewed(void *context, const struct reply *reply)
{
    static act *const acts[VERDICTS] = {
        [VERDICT_LIVE] = lease_taken,
        [VERDICT_WAITING] = register_again,
        [VERDICT_TOO_OLD] = too_old,
        [VERDICT_SUPERSEDED] = superseded,
        [VERDICT_UNKNOWN] = register_again,
        [VERDICT_UNAVAILABLE] = renewal_failed,
        [VERDICT_REFUSED] = renewal_failed,
    };
    struct run *run = context;
    if (run_is_lost(run)) /* also where this answer would extend it: it is as late as we are */
        return;
    act_upon(run, reply, acts);
}

static void send_renewal(struct run *run)
{
    run_lock_try(&run->lock, run->facts.incarnation); /* a predecessor may have ended by now */
    int64_t timeout = run->renew_ms < RENEW_TIMEOUT_MAX_MS ? run->renew_ms : RENEW_TIMEOUT_MAX_MS;
    send_request(run, "POST", replica_path(run, "/renew"),
                 json_pack("{s:s}", "incarnation", run->facts.incarnation), timeout, on_renewed);
}

/* ---- goodbye ---- */

static void on_goodbye(void *context, const struct reply *reply)
{
    struct run *run = context;
    if (reply_is_transient(reply)) {
        tell_trouble(run, reply, "the goodbye did not arrive; trying again for a moment");
        try_again(run, -1, PAUSE_WAITING_MS);
        return;
    }
    if (reply_exit_code(reply) != CLI_DONE && reply->status != 404)
        problem_report(reply, run->facts.app);
    event_base_loopbreak(run->base);
}

static void send_goodbye(struct run *run)
{
    char *place = replica_path(run, NULL);
    struct buf path = BUF_INIT(0);
    buf_puts(&path, place);
    buf_puts(&path, "?incarnation=");
    text_url(&path, run->facts.incarnation);
    free(place);
    send_request(run, "DELETE", buf_take(&path), NULL, GOODBYE_TIMEOUT_MS, on_goodbye);
}

void run_ask(struct run *run)
{
    if (run_is_lost(run))
        return;
    switch (run->phase) {
    case RUN_REGISTERING:
        run_lock_try(&run->lock, run->facts.incarnation);
        if (run->drain == DRAIN_NOTHING && may_know_predecessors(run))
            send_request(run, "GET", replica_path(run, NULL), NULL, ANSWER_MS, on_predecessors);
        else
            send_registration(run);
        break;
    case RUN_HELD:
        send_renewal(run);
        break;
    case RUN_SUPERSEDED:
        break;
    case RUN_LEAVING:
        send_goodbye(run);
        break;
    }
}
