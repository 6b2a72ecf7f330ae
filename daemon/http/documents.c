/* Windows, replicas, applications (documents.h). */
#include "documents.h"

#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>

void document_window(struct writer *w, const char *name, const struct window *window)
{
    writer_open_object(w, name);
    writer_number(w, "floor", window->floor);
    writer_number(w, "ceiling", window->ceiling);
    writer_version(w, "contracting", window->contracting);
    writer_version(w, "undoing", window->undoing);
    writer_close_object(w);
}

static void write_identity(struct writer *w, const struct replica *replica)
{
    const struct cohort *cohort = replica->cohort;

    writer_text(w, "app", cohort->app->gate.name);
    writer_text(w, "instance", replica->instance);
    writer_text(w, "incarnation", replica->incarnation);
    writer_text(w, "state", replica_state_name(replica->state));
    writer_number(w, "min", cohort->gate.range.min);
    writer_number(w, "max", cohort->gate.range.max);
    writer_text(w, "release", cohort->release);
}

void document_lease(struct writer *w, const char *name, struct http_server *server,
                    const struct replica *replica)
{
    const struct coordinator *c = server->coordinator;
    int64_t renew_after = replica->lease_seconds / 3;
    int64_t ends_wall = clock_sample().wall_ms + coordinator_lease_left_ms(c, replica);

    writer_open_object(w, name);
    write_identity(w, replica);
    document_window(w, "window", &coordinator_window(c)->window);
    writer_number(w, "lease_seconds", replica->lease_seconds);
    writer_text(w, "lease_expires_at", http_server_stamp(server, ends_wall));
    writer_number(w, "renew_after_seconds", renew_after > 0 ? renew_after : 1);
    writer_number(w, "epoch", coordinator_term(c)->epoch);
    writer_close_object(w);
}

void document_replica(struct writer *w, const struct coordinator *c, const struct replica *replica)
{
    struct instant now = clock_sample();
    bool leased = replica->state == REPLICA_LIVE || replica->state == REPLICA_WAITING;

    writer_open_object(w, NULL);
    write_identity(w, replica);
    writer_text(w, "application_name", replica->application_name);
    writer_text(w, "on_lost", replica->on_lost_exit ? "exit" : "keep");
    writer_bool(w, "superseded", replica->superseded);
    writer_number(w, "lease_seconds", replica->lease_seconds);
    writer_time(w, "lease_expires_at",
                leased ? now.wall_ms + coordinator_lease_left_ms(c, replica) : 0);
    writer_time(w, "registered_at", replica->registered_wall);
    writer_time(w, "renewed_at", now.wall_ms - (now.boot_ms - replica->renewed_boot));
    writer_time(w, "state_since", replica->state_since_wall);
    writer_open_object(w, "health");
    writer_number(w, "requests", replica->requests);
    writer_number(w, "errors", replica->errors);
    writer_close_object(w);
    writer_close_object(w);
}

/* ---- applications ---- */

struct range_count {
    struct version_range range;
    size_t count;
};

static int compare_ranges(const void *left, const void *right)
{
    const struct version_range *a = &((const struct range_count *)left)->range;
    const struct version_range *b = &((const struct range_count *)right)->range;

    if (a->min != b->min)
        return a->min < b->min ? -1 : 1;
    return a->max < b->max ? -1 : a->max > b->max;
}

void document_each_range(const struct application *app,
                         void (*range)(void *context, struct version_range range, size_t count),
                         void *context)
{
    size_t cohorts = coordinator_cohorts(app), used = 0;
    struct range_count *counts = memory_new(cohorts * sizeof(*counts));

    for (size_t i = 0; i < cohorts; i++) {
        const struct gate_cohort *cohort = app->gate.cohorts[i];
        size_t present = cohort->live + cohort->lost;
        if (present > 0)
            counts[used++] = (struct range_count){cohort->range, present};
    }
    qsort(counts, used, sizeof(*counts), compare_ranges);
    for (size_t i = 0; i < used; i++) {
        size_t sum = counts[i].count;
        while (i + 1 < used && compare_ranges(&counts[i], &counts[i + 1]) == 0)
            sum += counts[++i].count;
        range(context, counts[i].range, sum);
    }
    free(counts);
}

static void write_range(void *context, struct version_range range, size_t count)
{
    struct writer *w = context;

    writer_open_object(w, NULL);
    writer_number(w, "min", range.min);
    writer_number(w, "max", range.max);
    writer_number(w, "count", (int64_t)count);
    writer_close_object(w);
}

void document_ranges(struct writer *w, const struct application *app)
{
    writer_open_list(w, "ranges");
    document_each_range(app, write_range, w);
    writer_close_list(w);
}

static void write_desired(struct writer *w, const struct application *app)
{
    if (!app->gate.has_desired) {
        writer_null(w, "desired");
        return;
    }
    writer_open_object(w, "desired");
    writer_number(w, "min", app->gate.desired.min);
    writer_number(w, "max", app->gate.desired.max);
    writer_text(w, "release", app->desired_release != NULL ? app->desired_release : "");
    writer_close_object(w);
}

void document_app(struct writer *w, const char *name, const struct application *app)
{
    writer_open_object(w, name);
    writer_text(w, "app", app->gate.name);
    writer_bool(w, "retired", app->retired);
    writer_number(w, "min_replicas", app->gate.min_replicas);
    write_desired(w, app);
    writer_open_object(w, "replicas");
    writer_number(w, "live", (int64_t)app->gate.live);
    writer_number(w, "waiting", (int64_t)app->waiting);
    writer_number(w, "lost", (int64_t)app->lost);
    document_ranges(w, app);
    writer_close_object(w);
    writer_open_list(w, "compatible");
    for (size_t i = 0; i < app->compatible_count; i++) {
        const struct compatible *compatible = &app->compatible[i];
        writer_open_object(w, NULL);
        writer_text(w, "release", compatible->release);
        writer_number(w, "max", compatible->max);
        writer_text(w, "reason", compatible->reason);
        writer_text(w, "actor", compatible->actor);
        writer_close_object(w);
    }
    writer_close_list(w);
    writer_time(w, "created_at", app->created_wall);
    writer_close_object(w);
}

void document_pause(struct writer *w, const struct pause_note *note)
{
    if (!note->paused) {
        writer_null(w, "paused");
        return;
    }
    writer_open_object(w, "paused");
    writer_text(w, "by", note->by);
    writer_text(w, "reason", note->reason);
    writer_time(w, "since", note->since_wall);
    writer_close_object(w);
}
