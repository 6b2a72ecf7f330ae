/* Backfills, and what they have done to each row. */
#ifndef TESTS_INTEGRATION_BACKFILL_SCENE_H
#define TESTS_INTEGRATION_BACKFILL_SCENE_H

#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <stdio.h>
#include <stdlib.h>

/* Short batches: about a thousand rows each. */
static const char *const small_batches[] = {"SCHEMAGATE_MIGRATION_BACKFILL_BATCH_MS=10", NULL};

static inline struct http_client *client_of_small_batches(struct world *world)
{
    return &world_daemon(world, &(struct daemon_options){.environment = small_batches})->client;
}

static inline void submit_backfill(struct http_client *client, int64_t version, const char *statement)
{
    char *file = NULL;
    if (asprintf(&file, "-- schemagate: expand\n-- schemagate: backfill\n%s;\n", statement) < 0)
        abort();
    rollout_submit(client, version, file);
    free(file);
}

static inline void fill(struct http_client *client, int64_t version, const char *statement)
{
    submit_backfill(client, version, statement);
    rollout_wait(client, version, "complete");
}

/* A member of the step's progress, as text; "" for null. The caller frees. */
static inline char *progress_of(struct world *world, int64_t version, const char *member)
{
    return sql_text(world->sql,
                    "SELECT progress->>'%s' FROM schemagate.step "
                    "WHERE version = %lld AND section = 'backfill'",
                    member, (long long)version);
}

static inline void expect_progress(struct world *world, int64_t version, const char *member,
                                   const char *expected)
{
    char *text = progress_of(world, version, member);
    assert_string_equal(text, expected);
    free(text);
}

static inline void expect_all_once(struct world *world, const char *table)
{
    char *wrong = sql_text(world->sql, "SELECT string_agg(t::text, ' ') FROM (SELECT * FROM %s "
                                       "WHERE n IS DISTINCT FROM 1 LIMIT 5) AS t", table);
    assert_string_equal(wrong, "");
    free(wrong);
}

#define ROWS "5000"

#endif
