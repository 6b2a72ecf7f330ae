/* The wrapper's loop: signals, moments on CLOCK_BOOTTIME, and what follows from them. */
#include "run.h"

#include "run_environment.h"

#include <schemagate/base/clock.h>
#include <schemagate/base/memory.h>
#include <schemagate/cli/cli.h>

#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define LEAVE_MS 4000
#define KILL_AGAIN_MS 1000
#define PAUSE_FIRST_MS 250
#define LEASE_DEFAULT_MS 30000
#define RENEW_DEFAULT_MS 10000

extern char **environ;

void run_say(const struct run *run, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "schemagate run: %s/%s: ", run->facts.app, run->facts.instance);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

/* ---- moments ---- */

static void arm_timer(const struct run *run)
{
    int64_t first = 0;
    for (size_t n = 0; n < RUN_DUES; n++)
        if (run->due[n] && (!first || run->due[n] < first))
            first = run->due[n];
    struct itimerspec when = {.it_value = {first / 1000, first % 1000 * 1000000}};
    timerfd_settime(run->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

void run_due_in(struct run *run, enum run_due due, int64_t milliseconds)
{
    run->due[due] = clock_sample().boot_ms + (milliseconds > 0 ? milliseconds : 0);
    arm_timer(run);
}

void run_due_never(struct run *run, enum run_due due)
{
    run->due[due] = 0;
    arm_timer(run);
}

/* ---- the command ---- */

static void drain(struct run *run, enum drain_event event);

void run_start_command(struct run *run)
{
    const struct run_facts *facts = &run->facts;
    char min[24], max[24],
        *range = memory_printf("%" PRId64 "..%" PRId64, facts->range.min, facts->range.max);
    snprintf(min, sizeof(min), "%" PRId64, facts->range.min);
    snprintf(max, sizeof(max), "%" PRId64, facts->range.max);
    char **environment = run_environment_make(
        environ,
        (const struct run_variable[]){{"PGAPPNAME", facts->application_name},
                                      {"SCHEMAGATE_APP", facts->app},
                                      {"SCHEMAGATE_INSTANCE", facts->instance},
                                      {"SCHEMAGATE_INCARNATION", facts->incarnation},
                                      {"SCHEMAGATE_RELEASE", facts->options->release},
                                      {"SCHEMAGATE_SCHEMA", range},
                                      {"SCHEMAGATE_SCHEMA_MIN", min},
                                      {"SCHEMAGATE_SCHEMA_MAX", max},
                                      {"SCHEMAGATE_PROTECTED", run->unprotected ? "no" : "yes"},
                                      {"SCHEMAGATE_TOKEN", NULL},
                                      {"SCHEMAGATE_TOKEN_FILE", NULL},
                                      {"SCHEMAGATE_KEY_FILE", NULL},
                                      {facts->pg_options ? "PGOPTIONS" : NULL, facts->pg_options},
                                      {NULL, NULL}});
    int code = run_child_start(&run->child, facts->command, environment, run->lock.fd);
    run_environment_free(environment);
    free(range);
    if (code)
        run_leave(run, code);
    else
        drain(run, DRAIN_STARTED);
}

void run_stop_command(struct run *run)
{
    drain(run, DRAIN_STOP);
}

static void drain(struct run *run, enum drain_event event)
{
    unsigned actions = drain_step(&run->drain, event);
    if (actions & (DRAIN_ASK_GROUP | DRAIN_ASK_ALL)) {
        void (*send)(const struct run_child *,
                     int) = actions & DRAIN_ASK_ALL ? run_child_signal_all : run_child_signal_group;
        send(&run->child, SIGTERM);
        send(&run->child, SIGCONT);
    }
    if (actions & DRAIN_ARM_KILL)
        run_due_in(run, RUN_DUE_KILL, run->facts.options->kill_after_ms);
    if (actions & DRAIN_KILL_ALL) {
        run_child_signal_all(&run->child, SIGKILL);
        run_due_in(run, RUN_DUE_KILL, KILL_AGAIN_MS);
    }
    if (actions & DRAIN_FINISH)
        run_leave(run, run->exit_code != RUN_NOT_GIVEN ? run->exit_code : run->child.exit_code);
}

void run_leave(struct run *run, int exit_code)
{
    run->exit_code = exit_code;
    run->known_to_daemon |= run->asking_in;
    run->drain = DRAIN_GONE;
    run->phase = RUN_LEAVING;
    run->lost = false;
    run->pause_ms = PAUSE_FIRST_MS;
    for (size_t n = 0; n < RUN_DUES; n++)
        run->due[n] = 0;
    run_due_in(run, RUN_DUE_LEAVE, run->known_to_daemon ? LEAVE_MS : 0);
    run_http_cancel(run->http);
    if (run->known_to_daemon)
        run_due_in(run, RUN_DUE_ASK, 0);
}

static void on_children(struct run *run)
{
    static const enum drain_event events[] = {[REAPED_SOME] = DRAIN_REAPED,
                                              [REAPED_MAIN] = DRAIN_MAIN_EXITED,
                                              [REAPED_ALL] = DRAIN_TREE_GONE};
    enum run_reaped reaped = run_child_reap(&run->child);
    if (reaped == REAPED_MAIN && run->drain == DRAIN_RUNNING)
        run_say(run,
                "the command has ended, but has left processes behind; they are asked to end too");
    if (reaped != REAPED_NOTHING)
        drain(run, events[reaped]);
}

/* ---- what is due ---- */

static void due_ask(struct run *run)
{
    run_ask(run);
}

/* From here on the daemon may count it as ended when the lease has: no renewal and no registration until it
 * has ended indeed. Where time has passed unnoticed, --kill-after has to be shorter. */
static void due_lost(struct run *run)
{
    int64_t left = run->end_ms - clock_sample().boot_ms;
    run->lost = true;
    run_due_never(run, RUN_DUE_ASK);
    run_http_cancel(run->http);
    run_say(run, "%s (--on-lost exit)",
            left > 0 ? "no renewal succeeded: the command is stopped before the lease ends"
                     : "this process stood still until its lease was over: the command is killed");
    run_stop_command(run);
    if (left < run->facts.options->kill_after_ms)
        run_due_in(run, RUN_DUE_KILL, left);
}

bool run_is_lost(struct run *run)
{
    int64_t due = run->due[RUN_DUE_LOST];
    if (due && due <= clock_sample().boot_ms) {
        run->due[RUN_DUE_LOST] = 0;
        due_lost(run);
    }
    return run->lost;
}

static void due_kill(struct run *run)
{
    if (run->drain == DRAIN_STOPPING)
        run_say(run, "the time of --kill-after is up: what is left is killed");
    drain(run, DRAIN_KILL_DUE);
}

static void due_leave(struct run *run)
{
    if (run->known_to_daemon)
        run_say(run,
                "the goodbye did not arrive; the daemon holds gates for this replica\n"
                "  next: schemagate evict %s/%s --reason \"ended, its goodbye was lost\"",
                run->facts.app, run->facts.instance);
    event_base_loopbreak(run->base);
}

/* Does what is due. */
static void act_on_dues(struct run *run)
{
    static void (*const acts[])(struct run *) = {[RUN_DUE_ASK] = due_ask,
                                                 [RUN_DUE_LOST] = due_lost,
                                                 [RUN_DUE_KILL] = due_kill,
                                                 [RUN_DUE_LEAVE] = due_leave};
    int64_t now = clock_sample().boot_ms;
    for (size_t n = 0; n < RUN_DUES; n++) {
        if (!run->due[n] || run->due[n] > now)
            continue;
        run->due[n] = 0;
        acts[n](run);
    }
    arm_timer(run);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    uint64_t times;
    (void)what;
    if (read(fd, &times, sizeof(times)) > 0)
        act_on_dues(context);
}

/* ---- signals ---- */

/* Before the command runs these end the wait; afterwards they are the command's business, but for
 * SIGTERM. */
static bool ends_waiting(int number)
{
    return number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGQUIT;
}

static void signal_before_start(struct run *run, int number)
{
    if (number == SIGTSTP)
        kill(getpid(), SIGSTOP);
    if (!ends_waiting(number))
        return;
    run_say(run, "%s while waiting: nothing was started", strsignal(number));
    run_leave(run, CLI_SIGNAL + number);
}

static void on_signal(struct run *run, const struct signalfd_siginfo *info)
{
    int number = (int)info->ssi_signo;
    if (number == SIGCHLD) {
        on_children(run);
    } else if ((pid_t)info->ssi_pid == getpid()) {
        return; /* our own, such as SIGPIPE of a connection that broke */
    } else if (run->drain == DRAIN_NOTHING) {
        signal_before_start(run, number);
    } else if (number == SIGTERM) {
        drain(run, DRAIN_STOP);
    } else {
        /* The lease may have ended while all stood still: first that, then go on. */
        if (number == SIGCONT)
            act_on_dues(run);
        run_child_signal_group(&run->child, number);
    }
}

static void on_signals(evutil_socket_t fd, short what, void *context)
{
    struct signalfd_siginfo info;
    (void)what;
    while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        on_signal(context, &info);
}

/* ---- the loop ---- */

int run_loop(struct run *run)
{
    run->timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    run->base = event_base_new();
    run->http = run_http_open(run->base, &run->transport);
    run->pause_ms = PAUSE_FIRST_MS;
    run->lease_ms = LEASE_DEFAULT_MS;
    run->renew_ms = RENEW_DEFAULT_MS;
    run->waiting_since_ms = clock_sample().boot_ms;
    run->exit_code = RUN_NOT_GIVEN;

    struct event *on_signal_event = event_new(run->base, run->signals, EV_READ | EV_PERSIST,
                                              on_signals, run);
    struct event *on_timer_event = event_new(run->base, run->timer, EV_READ | EV_PERSIST, on_timer,
                                             run);
    event_add(on_signal_event, NULL);
    event_add(on_timer_event, NULL);
    run_due_in(run, RUN_DUE_ASK, 0);
    event_base_dispatch(run->base);

    event_free(on_signal_event);
    event_free(on_timer_event);
    run_http_close(run->http);
    event_base_free(run->base);
    close(run->timer);
    free(run->last_wait);
    free(run->predecessor);
    return run->exit_code;
}
