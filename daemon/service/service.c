/* The daemon's life: wiring, signals, reload, an orderly end. */
#include <schemagate/service/service.h>

#include "hooks.h"
#include "notify.h"
#include "world.h"

#include <schemagate/base/config.h>
#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>
#include <schemagate/cli/cli.h>
#include <schemagate/coordinator/coordinator.h>
#include <schemagate/db/database.h>
#include <schemagate/http/server.h>
#include <schemagate/service/planner.h>

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long an orderly end may take before what is still open is cut off. */
#define STOP_DEADLINE_MS 10000

struct service {
    const char *config_path; /* NULL: the default */
    struct config *config, *previous; /* previous: borrowed by nobody any more after a reload */
    struct event_base *base;
    struct event *terminate, *interrupt, *reload;
    struct notify *notify;
    struct world world;
    struct planner *planner;
    struct database *database;
    struct coordinator *coordinator;
    struct http_server *http;
    struct hooks *hooks;
    unsigned ending; /* parts that have not stopped yet */
    bool stopping;
    int exit_code;
};

/* ---- the world's calls ---- */

static void stop(struct service *s, int exit_code);

static void tick(void *context)
{
    struct service *s = context;
    coordinator_tick(s->coordinator);
}

static void changed(void *context)
{
    struct service *s = context;
    const char *fatal = database_fatal(s->database);

    if (s->http)
        http_server_changed(s->http);
    if (s->hooks)
        hooks_changed(s->hooks);
    if (fatal && !s->stopping) {
        log_error(fatal);
        stop(s, CLI_FAILED);
    }
}

static void restart_term(void *context, const char *reason)
{
    struct service *s = context;
    if (!s->stopping)
        database_restart_term(s->database, reason);
}

static void read_plan(void *planner, const char *sql, size_t length, const struct plan_options *options,
                      void (*done)(void *context, struct plan *plan), void *context)
{
    planner_read(planner, sql, length, options, done, context);
}

static void look_at_catalog(void *database, const char *names, planner_look_done *done, void *context)
{
    database_read_catalog(database, names, done, context);
}

static void find_uses(void *planner, const struct plan_question *question,
                      void (*done)(void *context, const struct plan_used *uses), void *context)
{
    planner_find_uses(planner, question, done, context);
}

static const struct planner_ops planner_ops = {.read = read_plan, .find_uses = find_uses};

/* ---- the end ---- */

static void part_stopped(void *context)
{
    struct service *s = context;
    if (--s->ending == 0)
        event_base_loopexit(s->base, NULL);
}

static void stop(struct service *s, int exit_code)
{
    if (s->stopping)
        return;
    s->stopping = true;
    s->exit_code = exit_code;
    s->ending = 2;
    log_info("stopping");
    notify_stopping(s->notify);
    coordinator_stop(s->coordinator);
    http_server_stop(s->http, part_stopped, s);
    database_stop(s->database, STOP_DEADLINE_MS, part_stopped, s);
}

static void on_terminate(evutil_socket_t signal, short what, void *context)
{
    (void)signal;
    (void)what;
    stop(context, CLI_DONE);
}

/* ---- reload ---- */

static void warn_of_each(const struct buf *lines, const char *message)
{
    char *text = memory_copy(buf_text(lines)), *rest = text, *line;
    while ((line = strsep(&rest, "\n")))
        if (*line)
            log_warn(message, LOG_TEXT("detail", line));
    free(text);
}

static void warn_of_what_is_missing(const struct config *config)
{
    struct buf warnings = BUF_INIT(65536);

    config_warn(config, &warnings);
    warn_of_each(&warnings, "the configuration names what cannot be used");
    buf_free(&warnings);
}

static void on_reload(evutil_socket_t signal, short what, void *context)
{
    struct service *s = context;
    struct buf errors = BUF_INIT(65536), fixed = BUF_INIT(65536);
    struct config *next;

    (void)signal;
    (void)what;
    notify_reloading(s->notify);
    next = config_read(s->config_path, &errors);
    if (next) {
        config_fixed_changes(s->config, next, &fixed);
        config_free(s->previous);
        s->previous = s->config;
        s->config = next;
        log_open(next->log.level, next->log.format);
        coordinator_configure(s->coordinator, next);
        database_configure(s->database, next);
        http_server_configure(s->http, next, &errors);
        hooks_configure(s->hooks, next);
        warn_of_each(&fixed, "needs a restart to take effect");
        warn_of_what_is_missing(next);
        log_info("configuration reread");
    }
    warn_of_each(&errors, "the configuration has a mistake; what was there stays");
    buf_free(&errors);
    buf_free(&fixed);
    notify_ready(s->notify);
}

/* ---- the beginning ---- */

static struct event *watch_signal(struct service *s, int signal, event_callback_fn handler)
{
    struct event *event = evsignal_new(s->base, signal, handler, s);
    event_add(event, NULL);
    return event;
}

static bool open_parts(struct service *s)
{
    signal(SIGPIPE, SIG_IGN);
    s->base = event_base_new();
    s->world = (struct world){.alarm_fd = -1,
                              .tick = tick,
                              .changed = changed,
                              .restart_term = restart_term,
                              .context = s};
    if (!s->base || !world_open(&s->world, s->base)) {
        log_error("no event loop");
        return false;
    }
    s->database = database_new(s->base, s->config, s->config->http.advertise_url);
    s->planner = planner_open(s->base, look_at_catalog, s->database);
    s->coordinator = coordinator_new(s->config, &(struct environment){
                                                    .store_ops = &database_store_ops,
                                                    .store = s->database,
                                                    .executor_ops = &database_executor_ops,
                                                    .executor = s->database,
                                                    .witness_ops = &database_witness_ops,
                                                    .witness = s->database,
                                                    .planner_ops = &planner_ops,
                                                    .planner = s->planner,
                                                    .world_ops = &world_ops,
                                                    .world = &s->world,
                                                });
    s->http = http_server_new(s->base, s->config, s->coordinator);
    s->hooks = hooks_new(s->base, s->config, s->coordinator, s->database);
    http_server_show_notifies(s->http, hooks_list, s->hooks);
    return true;
}

static void close_parts(struct service *s)
{
    struct event *const signals[] = {s->terminate, s->interrupt, s->reload};

    /* Whoever still waits is answered by the first two, through the third. */
    planner_close(s->planner);
    database_free(s->database);
    hooks_free(s->hooks);
    http_server_free(s->http);
    coordinator_free(s->coordinator);
    world_close(&s->world);
    notify_close(s->notify);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (signals[i])
            event_free(signals[i]);
    if (s->base)
        event_base_free(s->base);
    config_free(s->config);
    config_free(s->previous);
}

static int run(struct service *s)
{
    struct buf errors = BUF_INIT(65536);

    if (!open_parts(s))
        return CLI_FAILED;
    if (!http_server_listen(s->http, &errors)) {
        fputs(buf_text(&errors), stderr);
        buf_free(&errors);
        return CLI_USAGE;
    }
    warn_of_what_is_missing(s->config);
    s->terminate = watch_signal(s, SIGTERM, on_terminate);
    s->interrupt = watch_signal(s, SIGINT, on_terminate);
    s->reload = watch_signal(s, SIGHUP, on_reload);
    s->notify = notify_open(s->base);
    database_start(s->database, s->coordinator);
    notify_ready(s->notify);
    event_base_dispatch(s->base);
    log_info("stopped");
    return s->exit_code;
}

/* ---- the verbs ---- */

/* -c FILE and nothing else; `extra` (may be NULL) takes one further word. */
static bool read_options(int argc, char **argv, const char **path, const char **extra)
{
    for (int i = 1; i < argc; i++) {
        bool is_file = strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "--config") == 0;
        if (is_file && i + 1 < argc)
            *path = argv[++i];
        else if (extra && !*extra && strncmp(argv[i], "--", 2) == 0)
            *extra = argv[i];
        else
            return false;
    }
    return true;
}

int service_main(int argc, char **argv)
{
    struct service s = {.exit_code = CLI_DONE};
    struct buf errors = BUF_INIT(65536);

    if (!read_options(argc, argv, &s.config_path, NULL)) {
        fputs("usage: schemagate daemon [-c FILE]\n", stderr);
        return CLI_USAGE;
    }
    s.config = config_read(s.config_path, &errors);
    if (!s.config) {
        fprintf(stderr, "%s  next: schemagate check-config%s%s\n", buf_text(&errors),
                s.config_path ? " -c " : "", s.config_path ? s.config_path : "");
        buf_free(&errors);
        return CLI_USAGE;
    }
    log_open(s.config->log.level, s.config->log.format);
    int code = run(&s);
    close_parts(&s);
    return code;
}

static void print_warnings(const struct config *config)
{
    struct buf warnings = BUF_INIT(65536);
    char *line, *rest;

    config_warn(config, &warnings);
    char *text = buf_take(&warnings);
    for (rest = text; (line = strsep(&rest, "\n")) && line[0] != '\0';)
        fprintf(stderr, "warning: %s\n", line);
    free(text);
}

int service_check_config(int argc, char **argv)
{
    const char *path = NULL, *what = NULL;
    struct buf errors = BUF_INIT(65536);

    if (!read_options(argc, argv, &path, &what) ||
        (what && strcmp(what, "--sample") != 0 && strcmp(what, "--reference") != 0)) {
        fputs("usage: schemagate check-config [-c FILE] [--sample|--reference]\n", stderr);
        return CLI_USAGE;
    }
    if (what) {
        (strcmp(what, "--sample") == 0 ? config_print_sample : config_print_reference)(stdout);
        return CLI_DONE;
    }
    struct config *config = config_read(path, &errors);
    if (config)
        print_warnings(config);
    fputs(config ? "the configuration is right\n" : buf_text(&errors), config ? stdout : stderr);
    buf_free(&errors);
    config_free(config);
    return config ? CLI_DONE : CLI_USAGE;
}
