/* `run`: options and facts, then the loop. */
#include "run.h"

#include "migration_files.h"
#include "verbs.h"

#include <schemagate/base/digest.h>
#include <schemagate/base/memory.h>
#include <schemagate/cli/cli.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INCARNATION_DIGITS 32
#define INCARNATION_DIGITS_IN_POD 16
#define APPLICATION_NAME_MAX 63 /* PostgreSQL cuts it there */
#define KILL_AFTER_MS 25000
#define LEASE_MIN_MS 5000
#define LEASE_MAX_MS 3600000

const struct cli_option verb_run_options[] = {
    {"app", 'a', OPTION_TEXT, "A", "the application (required)", offsetof(struct run_options, app),
     NULL},
    {"schema", 's', OPTION_RANGE, "MIN..MAX", "the schema versions that this release works with",
     offsetof(struct run_options, schema), "SCHEMAGATE_SCHEMA"},
    {"schema-from", 0, OPTION_TEXT, "DIR", "take MAX and the known versions from these migrations",
     offsetof(struct run_options, schema_from), NULL},
    {"min", 0, OPTION_NUMBER, "MIN", "the lowest version, with --schema-from",
     offsetof(struct run_options, min), NULL},
    {"instance", 'i', OPTION_TEXT, "I", "the replica's name (default: the host's)",
     offsetof(struct run_options, instance), NULL},
    {"release", 0, OPTION_TEXT, "R", "the release's name", offsetof(struct run_options, release),
     NULL},
    {"lease", 0, OPTION_SECONDS, "S", "5 to 3600 (default: the daemon's)",
     offsetof(struct run_options, lease_ms), NULL},
    {"on-unavailable", 0, OPTION_CHOICE, "wait|run|fail",
     "what to do when no daemon answers at the start", offsetof(struct run_options, on_unavailable),
     NULL},
    {"on-lost", 0, OPTION_CHOICE, "keep|exit", "what to do when renewals fail",
     offsetof(struct run_options, on_lost), NULL},
    {"kill-after", 'k', OPTION_SECONDS, "S", "SIGKILL this long after SIGTERM (default: 25)",
     offsetof(struct run_options, kill_after_ms), NULL},
    {"lock-file", 0, OPTION_TEXT, "FILE", "tells a successor that this tree has ended",
     offsetof(struct run_options, lock_file), NULL},
    {"pod-uid", 0, OPTION_TEXT, "UID", "the pod's uid, where this is PID 1 of a container",
     offsetof(struct run_options, pod_uid), NULL},
    {"pgoptions", 0, OPTION_FLAG, NULL, "say MAX to PostgreSQL, by PGOPTIONS (not through PgBouncer)",
     offsetof(struct run_options, pg_options), NULL},
    OPTION_END};

/* Names of apps, instances and incarnations: as the daemon takes them. */
static bool is_name(const char *text, size_t most)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-";
    size_t length = strlen(text);
    return length && length <= most && strspn(text, allowed) == length;
}

static int check_names(const struct run_options *options, const char *instance)
{
    if (!options->app)
        return options_complain("run", "say which application this is: --app A");
    if (!is_name(options->app, 40))
        return options_complain("run", "--app \"%s\" is not 1 to 40 of A-Z a-z 0-9 . _ : -",
                                options->app);
    if (!is_name(instance, 128))
        return options_complain("run", "--instance \"%s\" is not 1 to 128 of A-Z a-z 0-9 . _ : -",
                                instance);
    if (options->pod_uid && !is_name(options->pod_uid, 100))
        return options_complain("run", "--pod-uid \"%s\" is not 1 to 100 of A-Z a-z 0-9 . _ : -",
                                options->pod_uid);
    return OPTIONS_GO_ON;
}

static int check_times(const struct run_options *options)
{
    if (options->lease_ms == RUN_NOT_GIVEN)
        return OPTIONS_GO_ON;
    if (options->lease_ms < LEASE_MIN_MS || options->lease_ms > LEASE_MAX_MS ||
        options->lease_ms % 1000)
        return options_complain("run", "--lease is a whole number of seconds from 5 to 3600");
    if (strcmp(options->on_lost, "exit") == 0 && options->lease_ms < options->kill_after_ms + 3000)
        return options_complain("run",
                                "--on-lost exit needs a --lease that holds --kill-after and three "
                                "renewals: at least %" PRId64 " s",
                                (options->kill_after_ms + 3999) / 1000);
    return OPTIONS_GO_ON;
}

/* The checksum of each file, by version. */
static json_t *read_known(const struct migration_files *files, struct buf *errors)
{
    json_t *known = json_object();
    for (size_t n = 0; n < files->count; n++) {
        size_t length = 0;
        char version[24], digest[DIGEST_TAGGED_SIZE];
        char *sql = migration_file_read(files->items[n].path, &length, errors);
        if (!sql)
            continue;
        snprintf(version, sizeof(version), "%" PRId64, files->items[n].version);
        json_object_set_new(known, version,
                            json_string(digest_migration_text(sql, length, digest)));
        free(sql);
    }
    return known;
}

/* --schema-from: what the release itself ships. */
static int read_release(struct run_facts *facts)
{
    const struct run_options *options = facts->options;
    char *directory = memory_copy(options->schema_from);
    struct buf errors = BUF_INIT(0);
    struct migration_files files;
    migration_files_collect(&files, &directory, 1, &errors);
    facts->knows = read_known(&files, &errors);
    int code = OPTIONS_GO_ON;
    if (errors.length)
        code = options_complain("run", "the migrations of --schema-from cannot be used:\n%s",
                                buf_text(&errors));
    else if (options->min > files.items[files.count - 1].version)
        code = options_complain("run", "--min %" PRId64 " is above the highest migration, %" PRId64,
                                options->min, files.items[files.count - 1].version);
    else
        facts->range = (struct version_range){options->min, files.items[files.count - 1].version};
    migration_files_free(&files);
    buf_free(&errors);
    free(directory);
    return code;
}

static int find_range(struct run_facts *facts, bool schema_given)
{
    const struct run_options *options = facts->options;
    if (options->schema_from) {
        if (options->min == RUN_NOT_GIVEN)
            return options_complain(
                "run", "--schema-from needs --min, the lowest version that the code works with");
        return read_release(facts);
    }
    if (!schema_given)
        return options_complain(
            "run", "say what the release works with: --schema MIN..MAX (or SCHEMAGATE_SCHEMA), "
                   "or --schema-from DIR --min MIN");
    facts->range = options->schema;
    return OPTIONS_GO_ON;
}

/* PGAPPNAME as it is, or the instance; cut where PostgreSQL would, at a character's border. */
static char *application_name(const char *instance)
{
    const char *set = getenv("PGAPPNAME"), *name = set && *set ? set : instance;
    size_t length = strlen(name);
    if (length > APPLICATION_NAME_MAX) {
        length = APPLICATION_NAME_MAX;
        while (length && ((unsigned char)name[length] & 0xc0) == 0x80)
            length--;
    }
    return memory_copy_n(name, length);
}

/* What triggers that keep old and new columns in step go by (docs/migrations.md); behind what is set, so
 * that it counts. */
static char *pg_options(int64_t max)
{
    const char *set = getenv("PGOPTIONS");
    return memory_printf("%s%s-c schemagate.version=%" PRId64, set ? set : "", set && *set ? " " : "", max);
}

static char *new_incarnation(const char *pod_uid)
{
    char random[INCARNATION_DIGITS + 1];
    digest_random_hex(pod_uid ? INCARNATION_DIGITS_IN_POD : INCARNATION_DIGITS, random);
    return memory_printf("%s%s%s", pod_uid ? pod_uid : "", pod_uid ? "." : "", random);
}

static char *find_instance(const char *given)
{
    char host[256] = "";
    if (given)
        return memory_copy(given);
    gethostname(host, sizeof(host) - 1);
    return memory_copy(host);
}

static int find_facts(struct run_facts *facts, bool schema_given)
{
    const struct run_options *options = facts->options;
    facts->app = options->app;
    facts->instance = find_instance(options->instance);
    int code = check_names(options, facts->instance);
    if (code == OPTIONS_GO_ON)
        code = check_times(options);
    if (code == OPTIONS_GO_ON)
        code = find_range(facts, schema_given);
    if (code != OPTIONS_GO_ON)
        return code;
    facts->incarnation = new_incarnation(options->pod_uid);
    facts->application_name = application_name(facts->instance);
    if (options->pg_options)
        facts->pg_options = pg_options(facts->range.max);
    return OPTIONS_GO_ON;
}

static void free_facts(struct run_facts *facts)
{
    free(facts->instance);
    free(facts->incarnation);
    free(facts->application_name);
    free(facts->pg_options);
    json_decref(facts->knows);
}

static int wrap(struct run *run)
{
    const struct run_options *options = run->facts.options;
    int code = transport_open(&run->transport, &options->connection);
    if (code != CLI_DONE)
        return code;
    run->signals = run_child_prepare(&run->child);
    if (run_lock_open(&run->lock, options->lock_file, options->app, run->facts.instance))
        code = run_loop(run);
    else
        code = options_complain("run", "cannot open --lock-file %s: %s", options->lock_file,
                                strerror(errno));
    run_lock_close(&run->lock);
    run_child_close(&run->child);
    close(run->signals);
    transport_close(&run->transport);
    return code;
}

int verb_run(int argc, char **argv)
{
    struct run_options options = {.min = RUN_NOT_GIVEN,
                                  .lease_ms = RUN_NOT_GIVEN,
                                  .kill_after_ms = KILL_AFTER_MS,
                                  .schema = {RUN_NOT_GIVEN, RUN_NOT_GIVEN},
                                  .on_unavailable = "wait",
                                  .on_lost = "keep"};
    struct arguments rest;
    int code = options_parse(argc, argv, verb_run_options, &(struct argument_rules){1, -1, true},
                             &options, &rest);
    if (code != OPTIONS_GO_ON)
        return code;
    struct run run = {.facts = {.options = &options, .command = rest.items}, .lock = {.fd = -1}};
    code = find_facts(&run.facts, options.schema.min != RUN_NOT_GIVEN);
    if (code == OPTIONS_GO_ON)
        code = wrap(&run);
    free_facts(&run.facts);
    return code;
}
