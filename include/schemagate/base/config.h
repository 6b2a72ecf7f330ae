/* The configuration: one table of keys (section, key, type, bounds, default, may change while running,
 * explanation) reads files and environment, prints the annotated sample file and the reference page. */
#ifndef SCHEMAGATE_BASE_CONFIG_H
#define SCHEMAGATE_BASE_CONFIG_H

#include <schemagate/base/buf.h>
#include <schemagate/base/log.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct config_list {
    char **items; /* trimmed, never empty strings */
    size_t count;
};

/* A section with a name of its own: [app NAME], [standby NAME]. -1: the key is not set. */
struct config_app {
    char *name;
    int64_t min_replicas, lease_seconds, soak_seconds;
};

struct config_standby {
    char *name, *conninfo;
};

/* Who is told of events: a command or a URL. */
struct config_notify {
    char *name;
    struct config_list command, kinds;
    char *url, *secret_file;
    int64_t timeout_seconds;
};

/* A command that migrations may name as a step. */
struct config_runner {
    char *name;
    struct config_list command, environment; /* words with places (template.h); NAME=value */
    char *directory;
    int64_t timeout_seconds; /* 0: none */
};

/* All strings are owned; "" where nothing is set. Times carry their unit in the name. */
struct config {
    struct {
        char *conninfo, *password_file;
    } database;
    struct {
        struct config_list listen;
        char *advertise_url, *tls_certificate, *tls_key, *tls_client_ca, *tokens_file;
        struct config_list socket_roles;
        int64_t max_body_bytes, max_connections, idle_timeout_seconds;
    } http;
    struct {
        int64_t lease_seconds, min_replicas;
        char *stray_sessions; /* "block", "warn", "ignore" */
        struct config_list app_roles, ignore_application_names;
        bool require_pins;
        int64_t trust_absence_seconds, assume_gone_after_seconds;
        char *approval; /* "auto", "manual" */
        int64_t soak_seconds, keep_hours;
        struct config_list contract_hours;
        int64_t max_error_percent, witness_interval_seconds;
    } gate;
    struct {
        char *run_as;
        int64_t lock_timeout_ms, retry_first_ms, retry_max_ms, retry_for_seconds, statement_timeout_ms,
            terminate_idle_in_transaction_seconds, backfill_batch_ms,
            backfill_max_active_sessions, backfill_max_wal_mb_per_second, backfill_max_retained_wal_mb,
            max_replication_lag_seconds;
    } migration;
    struct {
        enum log_level level;
        enum log_format format;
    } log;
    struct config_app *apps;
    size_t app_count;
    struct config_standby *standbys;
    size_t standby_count;
    struct config_notify *notifies;
    size_t notify_count;
    struct config_runner *runners;
    size_t runner_count;
};

/* Reads defaults, then `path` (NULL: /etc/schemagate/schemagate.ini where it exists) with its drop-ins
 * in `<path>.d/`, then the environment. Writes one line for each mistake, with file and line or the
 * variable's name, into `errors`. Returns NULL if there was one. */
struct config *config_read(const char *path, struct buf *errors);
void config_free(struct config *c);

/* One line for each thing that is no mistake in the file, and yet will fail: programs that this user cannot
 * run now, and directories that are not there. Each begins with the section and the key. */
void config_warn(const struct config *c, struct buf *warnings);

/* The settings of one app, or NULL. */
const struct config_app *config_app_find(const struct config *c, const char *app);

/* The runner of that name, or NULL. */
const struct config_runner *config_runner_find(const struct config *c, const char *name);

/* Names ("section.key"), one a line, what differs between both and cannot change while running. */
void config_fixed_changes(const struct config *running, const struct config *next, struct buf *names);

void config_print_sample(FILE *out);    /* config/schemagate.ini */
void config_print_reference(FILE *out); /* docs/configuration.md */

#endif
