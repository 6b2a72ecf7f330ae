/* `dev`: all phases of all migrations now, then the command. A coordinator of our own runs them, under the
 * same lock and with the same gate as in production; what it would wait for a person to say, we say. */
#include "verbs.h"

#include "dev_daemon.h"
#include "follow.h"
#include "migration_files.h"

#include <schemagate/base/digest.h>
#include <schemagate/cli/cli.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPLICA "/v1/apps/dev/replicas/dev" /* that stands for the developer's own program */
#define LEASE_SECONDS 5 /* the shortest: what a killed `dev` leaves is soon no live replica any more */
#define LOOK_MS 30
#define REASON "schemagate dev"

struct dev {
    struct connection connection; /* to our own daemon */
    const char *migrations, *database;
    int64_t timeout_ms;
};

const struct cli_option verb_dev_options[] = {
    {"migrations", 'm', OPTION_TEXT, "DIR", "the folder of migrations", offsetof(struct dev, migrations),
     NULL},
    {"database", 'd', OPTION_TEXT, "CONNINFO", "postgresql://… or key=value (default: PGHOST and the like)",
     offsetof(struct dev, database), NULL},
    {"timeout", 't', OPTION_SECONDS, "S", "how long to wait for the database and for each migration",
     offsetof(struct dev, timeout_ms), NULL},
    OPTION_END};

/* ---- our daemon leads ---- */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int wait_for_lead(struct client *client, struct dev_daemon *daemon, int64_t timeout_ms)
{
    int64_t end = now_ms() + (timeout_ms > 0 ? timeout_ms : 30000);

    while (now_ms() < end && !client_interrupted(client)) {
        struct reply reply;
        client_exchange(client, "GET", "/status", NULL, 0, &reply);
        bool leads = strcmp(reply_text(&reply, "role"), "leader") == 0;
        bool stands_by = strcmp(reply_text(&reply, "role"), "standby") == 0;
        reply_free(&reply);
        if (leads)
            return CLI_DONE;
        if (stands_by) {
            fprintf(stderr, "schemagate dev: another schemagate coordinates this database\n"
                            "  next: schemagate submit --url URL DIR, or stop the other one\n");
            return CLI_REFUSED;
        }
        if (dev_daemon_has_ended(daemon))
            return CLI_FAILED;
        client_pause(client, LOOK_MS);
    }
    if (client_interrupted(client))
        return CLI_SIGNAL + client_interrupted(client);
    fprintf(stderr, "schemagate dev: the database cannot be reached\n  next: psql%s\n",
            daemon->pid ? ", with the same --database or PG* variables" : "");
    return CLI_UNREACHABLE;
}

/* ---- what people would say ---- */

static int call(struct client *client, const char *method, const char *path, json_t *body)
{
    struct reply reply;
    int code = client_call(client, method, path, body, "dev", &reply);
    reply_free(&reply);
    return code;
}

/* Code that works with every version: no contract waits for it, and there is a fleet. */
static int register_replica(struct client *client, char incarnation[33])
{
    digest_random_hex(32, incarnation);
    return call(client, "PUT", REPLICA,
                json_pack("{s:s, s:i, s:I, s:i}", "incarnation", incarnation, "min", 0, "max",
                          (json_int_t)((INT64_C(1) << 48) - 1), "lease_seconds", LEASE_SECONDS));
}

static void deregister_replica(struct client *client, const char *incarnation)
{
    char path[128];
    struct reply reply;
    snprintf(path, sizeof path, REPLICA "?incarnation=%s", incarnation);
    client_exchange(client, "DELETE", path, NULL, 0, &reply);
    reply_free(&reply);
}

/* A migration that is complete needs neither, and says so: its answers do not matter. */
static void say_yes(struct client *client, int64_t version)
{
    static const char *const waived[] = {"soaking", "settling", "fleet-missing", "desired-behind",
                                         "in-use"};
    char path[128];
    struct reply reply;

    snprintf(path, sizeof path, "/v1/migrations/%lld/approve", (long long)version);
    client_exchange(client, "POST", path, json_pack("{s:s}", "reason", REASON), 0, &reply);
    reply_free(&reply);
    snprintf(path, sizeof path, "/v1/migrations/%lld/waive", (long long)version);
    for (size_t i = 0; i < sizeof waived / sizeof *waived; i++) {
        client_exchange(client, "POST", path,
                        json_pack("{s:s, s:i, s:s}", "code", waived[i], "for_seconds", 3600, "reason",
                                  REASON),
                        0, &reply);
        reply_free(&reply);
    }
}

/* ---- the migrations ---- */

static int submit(struct dev_daemon *daemon, const struct migration_file *file)
{
    char *arguments[] = {"submit", "--url", daemon->url, file->path, NULL};
    return verb_submit(4, arguments);
}

/* One after the other: the plan of one may rest on what the one before has made. */
static int migrate(struct client *client, const struct dev *options, const struct migration_files *files,
                   struct dev_daemon *daemon)
{
    struct follow follow = {client, "hidden", options->timeout_ms, false, 0};
    int code = CLI_DONE;

    for (size_t i = 0; i < files->count && code == CLI_DONE; i++) {
        code = submit(daemon, &files->items[i]);
        if (code == CLI_DONE) {
            say_yes(client, files->items[i].version);
            follow_start(&follow);
            code = follow_migration(&follow, files->items[i].version, NULL);
        }
    }
    if (code == CLI_DONE && files->count > 0)
        printf("the schema is at version %lld\n", (long long)files->items[files->count - 1].version);
    fflush(stdout);
    return code;
}

static int migrate_with(struct dev_daemon *daemon, const struct dev *options,
                        const struct migration_files *files)
{
    struct connection connection = {.url = daemon->url};
    struct client *client = client_open(&connection);
    char incarnation[33];

    if (!client)
        return CLI_FAILED;
    client_catch_interrupts(client);
    int code = wait_for_lead(client, daemon, options->timeout_ms);
    if (code == CLI_DONE)
        code = register_replica(client, incarnation);
    if (code == CLI_DONE) {
        code = migrate(client, options, files, daemon);
        deregister_replica(client, incarnation);
    }
    client_close(client);
    return code;
}

/* ---- the verb ---- */

static int become(char **command)
{
    execvp(command[0], command);
    int error = errno;
    fprintf(stderr, "schemagate dev: cannot run %s: %s\n", command[0], strerror(error));
    return error == ENOENT ? CLI_NOT_FOUND : CLI_NOT_EXECUTABLE;
}

static int collect(const struct dev *options, struct migration_files *files)
{
    struct buf errors = BUF_INIT(0);
    char *paths[] = {(char *)options->migrations};
    int code = CLI_DONE;

    if (!options->migrations) {
        fputs("schemagate dev: say where the migrations are\n"
              "  next: schemagate dev --migrations DIR\n",
              stderr);
        return CLI_USAGE;
    }
    migration_files_collect(files, paths, 1, &errors);
    if (errors.length > 0) {
        fprintf(stderr, "schemagate dev: nothing is run:\n%s", buf_text(&errors));
        code = CLI_USAGE;
    }
    buf_free(&errors);
    return code;
}

int verb_dev(int argc, char **argv)
{
    struct dev options = {0};
    struct migration_files files = {0};
    struct dev_daemon daemon;
    struct arguments rest;
    int code = options_parse(argc, argv, verb_dev_options, &(struct argument_rules){0, -1, true}, &options,
                             &rest);

    if (code != OPTIONS_GO_ON)
        return code;
    code = collect(&options, &files);
    if (code == CLI_DONE)
        code = dev_daemon_start(&daemon, options.database);
    if (code == CLI_DONE) {
        code = migrate_with(&daemon, &options, &files);
        dev_daemon_stop(&daemon);
    }
    migration_files_free(&files);
    return code == CLI_DONE && rest.count > 0 ? become(rest.items) : code;
}
