/* All configuration keys: type, bounds, default, whether a reload changes it, and what it means. */
#include "config_check.h"
#include "config_table.h"

#include <schemagate/base/config.h>
#include <schemagate/base/memory.h>
#include <schemagate/base/template.h>

#define IN(member) offsetof(struct config, member)
#define TEXT(name_, member, ...)                                                                   \
    {                                                                                              \
        .name = name_, .type = CONFIG_TEXT, .offset = member, .initial = "", __VA_ARGS__           \
    }
#define LIST(name_, member, initial_, ...)                                                          \
    {.name = name_, .type = CONFIG_LIST, .offset = member, .initial = initial_, __VA_ARGS__}
#define NUMBER(name_, member, initial_, from, to, ...)                                              \
    {.name = name_, .type = CONFIG_NUMBER, .offset = member, .initial = initial_, .minimum = from,  \
     .maximum = to, __VA_ARGS__}
#define CHOICE(name_, type_, member, initial_, choices_, ...)                                       \
    {.name = name_, .type = type_, .offset = member, .initial = initial_, .choices = choices_, __VA_ARGS__}

#define WEEK 604800
#define YEAR 31536000

static const struct config_key database_keys[] = {
    TEXT("conninfo", IN(database.conninfo), .change = CONFIG_FIXED, .check = config_check_conninfo,
         .meaning = "libpq connection string or URI of the database whose schema is migrated; it may "
                    "name several hosts. Empty: libpq's own PG* variables and service file say where "
                    "it is. Keep passwords out of it."),
    TEXT("password_file", IN(database.password_file),
         .meaning = "File whose first line is the password, for example a systemd credential or a "
                    "mounted secret; read for each connection. Empty: libpq's own password file counts."),
    {0},
};

static const struct config_key http_keys[] = {
    LIST("listen", IN(http.listen), "127.0.0.1:7433", .change = CONFIG_FIXED,
         .check = config_check_address,
         .meaning = "Addresses to serve: host:port, [v6]:port or unix:/path. Sockets that systemd "
                    "hands over are added. Without a tokens file only loopback addresses and unix "
                    "sockets are accepted."),
    TEXT("advertise_url", IN(http.advertise_url), .change = CONFIG_FIXED,
         .meaning = "The URL under which clients reach this daemon; a standby daemon names the "
                    "leader's."),
    TEXT("tokens_file", IN(http.tokens_file),
         .meaning = "Bearer tokens, one a line: name, role, app (or -) and the token's SHA-256; "
                    "`schemagate token new` prints such a line. Empty: every client is an operator."),
    TEXT("tls_certificate", IN(http.tls_certificate), .change = CONFIG_FIXED,
         .meaning = "PEM file with the server's certificate chain; with tls_key, TCP addresses serve TLS."),
    TEXT("tls_key", IN(http.tls_key), .change = CONFIG_FIXED,
         .meaning = "PEM file with the certificate's private key."),
    TEXT("tls_client_ca", IN(http.tls_client_ca), .change = CONFIG_FIXED,
         .meaning = "PEM file with the authorities whose client certificates are accepted."),
    LIST("socket_roles", IN(http.socket_roles), "", .check = config_check_socket_role,
         .meaning = "Roles of unix socket clients: uid:1000=operator, user:deploy=deployer. Root and the "
                    "daemon's own user are operators, others viewers."),
    NUMBER("max_body_bytes", IN(http.max_body_bytes), "1048576", 1024, 67108864,
           .meaning = "A longer request body is answered 413."),
    NUMBER("max_connections", IN(http.max_connections), "20000", 1, 1000000,
           .change = CONFIG_FIXED,
           .meaning = "Connections open at a time, the limit on open files allowing."),
    NUMBER("idle_timeout_seconds", IN(http.idle_timeout_seconds), "120", 5, 86400,
           .change = CONFIG_FIXED,
           .meaning = "A connection without a request for this long is closed. Longer than the interval "
                      "at which replicas renew, a third of their lease."),
    {0},
};

static const struct config_key gate_keys[] = {
    NUMBER("lease_seconds", IN(gate.lease_seconds), "30", 5, 3600,
           .meaning = "Lease of a replica that asks for none. A lease that runs out never opens a gate: "
                      "the replica counts as lost and goes on holding."),
    NUMBER("min_replicas", IN(gate.min_replicas), "1", 0, 1000000,
           .meaning = "Live replicas that every app ever seen must have before a contract starts; 0 for "
                      "what scales to nothing."),
    CHOICE("stray_sessions", CONFIG_CHOICE, IN(gate.stray_sessions), "block", "block|warn|ignore",
           .meaning = "What a database session of an application role that belongs to no known replica "
                      "means: `block` holds contracts, `warn` only shows it."),
    LIST("app_roles", IN(gate.app_roles), "",
         .meaning = "Database roles that applications use. Empty: those witnessed with replicas."),
    LIST("ignore_application_names", IN(gate.ignore_application_names),
         "psql, pg_dump*, pg_restore*, pg_basebackup, pgAdmin*, Patroni*, pgBackRest*, postgres_exporter*",
         .meaning = "Application names of sessions that are never stray; `*` stands for any characters."),
    CHOICE("require_pins", CONFIG_FLAG, IN(gate.require_pins), "no", "no|yes",
           .meaning = "Whether an application session without a pin holds contracts; `schemagate pin-sql` "
                      "prints what pins one."),
    NUMBER("trust_absence_seconds", IN(gate.trust_absence_seconds), "0", 0, WEEK,
           .meaning = "A lost replica whose sessions were seen before, and none of them for this long, is "
                      "gone. Not for what connects through a pooler. 0: never."),
    NUMBER("assume_gone_after_seconds", IN(gate.assume_gone_after_seconds), "0", 0, WEEK,
           .meaning = "A replica lost for this long is assumed to be gone. 0: never, an operator or an "
                      "agent says so."),
    CHOICE("approval", CONFIG_CHOICE, IN(gate.approval), "auto", "auto|manual",
           .meaning = "Whether a contract whose migration does not say waits for an operator's "
                      "approval."),
    NUMBER("soak_seconds", IN(gate.soak_seconds), "0", 0, YEAR,
           .meaning = "How long a contract whose migration does not say waits after the last replica "
                      "below its version went: the window in which the release can be rolled back."),
    NUMBER("keep_hours", IN(gate.keep_hours), "0", 0, 87600,
           .meaning = "How long what a contract drops is only hidden, and can be restored, where the "
                      "migration does not say. 0: it is dropped at once."),
    LIST("contract_hours", IN(gate.contract_hours), "", .check = config_check_hours,
         .meaning = "When contracts may run: Mon-Fri 09:00-17:00 Europe/Berlin. Empty: always."),
    NUMBER("max_error_percent", IN(gate.max_error_percent), "0", 0, 100,
           .meaning = "Error rate above which new replicas hold contracts. 0: off."),
    NUMBER("witness_interval_seconds", IN(gate.witness_interval_seconds), "5", 1, 3600,
           .meaning = "How often database sessions are looked at while something waits."),
    {0},
};

static const struct config_key migration_keys[] = {
    TEXT("run_as", IN(migration.run_as),
         .meaning = "Database role that shall own what migrations create; the daemon's own role has to be "
                    "a member. Empty: the daemon's own."),
    NUMBER("lock_timeout_ms", IN(migration.lock_timeout_ms), "100", 1, 600000,
           .meaning = "How long one try may wait for a lock, with the application's queries queueing "
                      "behind it."),
    NUMBER("retry_first_ms", IN(migration.retry_first_ms), "50", 1, 3600000,
           .meaning = "Pause after the first try that got no lock; it doubles, with jitter."),
    NUMBER("retry_max_ms", IN(migration.retry_max_ms), "1000", 1, 3600000,
           .meaning = "Longest pause between two tries."),
    NUMBER("retry_for_seconds", IN(migration.retry_for_seconds), "3600", 0, WEEK,
           .meaning = "After this time without a lock the migration is `failed` and can be retried by "
                      "hand."),
    NUMBER("statement_timeout_ms", IN(migration.statement_timeout_ms), "0", 0, INT32_MAX,
           .meaning = "Longest run of one migration statement. 0: no bound."),
    NUMBER("terminate_idle_in_transaction_seconds",
           IN(migration.terminate_idle_in_transaction_seconds), "0", 0, 86400,
           .meaning = "Sessions in the way of a migration that have been idle in transaction for longer than "
                      "this are terminated (with pg_signal_backend). 0: never."),
    NUMBER("backfill_batch_ms", IN(migration.backfill_batch_ms), "50", 1, 60000,
           .meaning = "Target duration of a backfill's batch: so long its rows stay locked."),
    NUMBER("backfill_max_active_sessions", IN(migration.backfill_max_active_sessions), "0", 0, 100000,
           .meaning = "A backfill waits while more other sessions of the database are at work. 0: off."),
    NUMBER("backfill_max_wal_mb_per_second", IN(migration.backfill_max_wal_mb_per_second), "0", 0, 100000,
           .meaning = "A backfill waits until the server's log grows no faster, on average since its last "
                      "batch. 0: off."),
    NUMBER("backfill_max_retained_wal_mb", IN(migration.backfill_max_retained_wal_mb), "10240", 0, 100000000,
           .meaning = "A backfill waits while a replication slot holds back more of the server's log. 0: "
                      "off."),
    NUMBER("max_replication_lag_seconds", IN(migration.max_replication_lag_seconds), "10", 1, 86400,
           .meaning = "Contracts, undos and backfills wait while a standby lags more."),
    {0},
};

static const struct config_key log_keys[] = {
    CHOICE("level", CONFIG_ENUM, IN(log.level), "info", "error|warn|info|debug",
           .meaning = "The least important line that is written."),
    CHOICE("format", CONFIG_ENUM, IN(log.format), "auto", "auto|text|logfmt|json",
           .meaning = "auto: journal fields under systemd, text on a terminal, else logfmt."),
    {0},
};

static const struct config_key standby_keys[] = {
    TEXT("conninfo", offsetof(struct config_standby, conninfo), .check = config_check_conninfo,
         .meaning = "libpq connection string of the standby server, with the dbname of the database that is "
                    "migrated. The daemon's role and its password file count here too."),
    {0},
};

static const struct config_key app_keys[] = {
    NUMBER("min_replicas", offsetof(struct config_app, min_replicas), NULL, 0, 1000000,
           .meaning = "In place of [gate] min_replicas."),
    NUMBER("lease_seconds", offsetof(struct config_app, lease_seconds), NULL, 5, 3600,
           .meaning = "In place of [gate] lease_seconds."),
    NUMBER("soak_seconds", offsetof(struct config_app, soak_seconds), NULL, 0, YEAR,
           .meaning = "In place of [gate] soak_seconds, where it is longer."),
    {0},
};

static const struct config_key notify_keys[] = {
    LIST("command", offsetof(struct config_notify, command), "",
         .meaning = "Program, by its absolute path, and arguments, separated by commas, run for each event, "
                    "without a shell: the "
                    "event as JSON on its standard input, SCHEMAGATE_EVENT_ID, SCHEMAGATE_EVENT_KIND and "
                    "SCHEMAGATE_EVENT_VERSION in its environment. Any exit code but 0 is another try."),
    TEXT("url", offsetof(struct config_notify, url), .check = config_check_url,
         .meaning = "In place of a command: http or https URL that gets each event as a POST. Any answer but "
                    "2xx is another try."),
    TEXT("secret_file", offsetof(struct config_notify, secret_file),
         .meaning = "File whose first line signs what is posted: X-Schemagate-Signature is `sha256=` and the "
                    "HMAC of the body in hexadecimal."),
    LIST("kinds", offsetof(struct config_notify, kinds), "migration.*, gate.*",
         .meaning = "Kinds of events that are told; `*` stands for any characters."),
    NUMBER("timeout_seconds", offsetof(struct config_notify, timeout_seconds), "30", 1, 3600,
           .meaning = "Longest run of one command or request."),
    {0},
};

static const struct config_key runner_keys[] = {
    LIST("command", offsetof(struct config_runner, command), "", .check = template_check,
         .meaning = "Program, by its absolute path, and arguments, separated by commas, run without a shell. "
                    "{version}, {phase}, {name} and {argument} stand for the migration's version, the phase, "
                    "the migration's name and what the step gives as argument=."),
    LIST("environment", offsetof(struct config_runner, environment), "", .check = config_check_variable,
         .meaning = "Its environment, NAME=value separated by commas, beside PATH, HOME, LANG, LC_ALL, TZ "
                    "and TMPDIR of the daemon, SCHEMAGATE_VERSION and SCHEMAGATE_PHASE. Nothing else of the "
                    "daemon's environment is passed on: name a password file here, not a password."),
    TEXT("directory", offsetof(struct config_runner, directory), .check = config_check_directory,
         .meaning = "The directory that it is started in. Empty: the daemon's."),
    NUMBER("timeout_seconds", offsetof(struct config_runner, timeout_seconds), "3600", 0, WEEK,
           .meaning = "Longest run; then it is killed, and the step has failed. 0: no bound."),
    {0},
};

static void *app_element(const struct config *c, size_t index)
{
    return index < c->app_count ? &c->apps[index] : NULL;
}

static void *app_add(struct config *c, const char *name)
{
    c->apps = memory_grow(c->apps, c->app_count + 1, sizeof(*c->apps));
    c->apps[c->app_count] = (struct config_app){.name = memory_copy(name)};
    return &c->apps[c->app_count++];
}

static void *standby_element(const struct config *c, size_t index)
{
    return index < c->standby_count ? &c->standbys[index] : NULL;
}

static void *standby_add(struct config *c, const char *name)
{
    c->standbys = memory_grow(c->standbys, c->standby_count + 1, sizeof(*c->standbys));
    c->standbys[c->standby_count] = (struct config_standby){.name = memory_copy(name)};
    return &c->standbys[c->standby_count++];
}

static void *notify_element(const struct config *c, size_t index)
{
    return index < c->notify_count ? &c->notifies[index] : NULL;
}

static void *notify_add(struct config *c, const char *name)
{
    c->notifies = memory_grow(c->notifies, c->notify_count + 1, sizeof(*c->notifies));
    c->notifies[c->notify_count] = (struct config_notify){.name = memory_copy(name)};
    return &c->notifies[c->notify_count++];
}

static void *runner_element(const struct config *c, size_t index)
{
    return index < c->runner_count ? &c->runners[index] : NULL;
}

static void *runner_add(struct config *c, const char *name)
{
    c->runners = memory_grow(c->runners, c->runner_count + 1, sizeof(*c->runners));
    c->runners[c->runner_count] = (struct config_runner){.name = memory_copy(name)};
    return &c->runners[c->runner_count++];
}

const struct config_section config_sections[] = {
    {.name = "database", .keys = database_keys, .meaning = "The database whose schema is migrated."},
    {.name = "http", .keys = http_keys, .meaning = "The interface for replicas, deploy tools and operators."},
    {.name = "gate", .keys = gate_keys, .meaning = "What holds a contract back."},
    {.name = "migration", .keys = migration_keys, .meaning = "How migrations run."},
    {.name = "log", .keys = log_keys, .meaning = "Log lines on standard error."},
    {.name = "app",
     .keys = app_keys,
     .meaning = "Settings of one application; NAME is what its replicas register as.",
     .element = app_element,
     .add = app_add},
    {.name = "standby",
     .keys = standby_keys,
     .meaning = "A standby server whose sessions and lag are watched; NAME is what holds call it.",
     .element = standby_element,
     .add = standby_add,
     .reserved = "primary"},
    {.name = "notify",
     .keys = notify_keys,
     .meaning = "Who is told of events, in their order and each at least once; NAME is what it remembers "
                "them by.",
     .element = notify_element,
     .add = notify_add},
    {.name = "runner",
     .keys = runner_keys,
     .meaning = "A command that a migration may name as a step: `-- schemagate: run NAME`.",
     .element = runner_element,
     .add = runner_add},
    {0},
};
