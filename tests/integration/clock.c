/* The wall clock is stepped by a day in both directions under a running daemon (libfaketime):
 * leases and soaks are counted on a clock that nobody steps. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#define SOAK_SECONDS 5

static char *find_faketime(void)
{
    glob_t found = {0};
    char *path = NULL;
    if (glob("/usr/lib/*/faketime/libfaketime.so.1", 0, NULL, &found) == 0)
        path = strdup(found.gl_pathv[0]);
    globfree(&found);
    return path;
}

static void step(const char *path, const char *offset)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(offset, file);
    fclose(file);
}

/* A daemon whose wall clock is off by what stands in the file. */
static struct http_client *begin(struct world *world, char **file)
{
    const char *variant = getenv("SCHEMAGATE_VARIANT");
    char *library = NULL, *variable = NULL;
    /* AddressSanitizer and libfaketime both want to be loaded first. */
    if ((variant && strcmp(variant, "sanitize") == 0) || !(library = find_faketime()))
        skip();
    *file = scratch_write(&world->scratch, "offset", "+0");
    assert_true(asprintf(&variable, "FAKETIME_TIMESTAMP_FILE=%s", *file) > 0);
    const char *environment[] = {variable, "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1",
                                 "DONT_FAKE_MONOTONIC=1", NULL};
    struct daemon_options options = {.preload = library, .environment = environment};
    struct http_client *client = &world_daemon(world, &options)->client;
    free(variable);
    free(library);
    return client;
}

static void wall_clock(struct http_client *client, char day[11])
{
    const struct http_answer *status = fleet_renew(client, REPLICA("old", 1, 1));
    snprintf(day, 11, "%s", json_text_at(status->json, "/lease_expires_at"));
}

static void a_stepped_wall_clock_loses_no_replica_and_opens_no_gate(void **state)
{
    struct world *world = *state;
    char *file, before[11], after[11];
    struct http_client *client = begin(world, &file);
    rollout_submit(client, 1, SAMPLE_CREATE);
    rollout_submit(client, 2, SAMPLE_RENAME);
    rollout_wait(client, 2, "expanded");
    fleet_join(client, REPLICA("old", 1, 1));
    fleet_join(client, REPLICA("new", 1, 2));
    wall_clock(client, before);
    static const char *const steps[] = {"+1d", "-1d", "+0"};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        step(file, steps[i]);
        expect_answer(fleet_renew(client, REPLICA("new", 1, 2)), 200, NULL);
        wall_clock(client, after);
        if (i < 2)
            assert_string_not_equal(before, after); /* the step was seen */
        fleet_wait_state(client, REPLICA("old", 1, 1), "live");
        rollout_expect_phase(client, 2, "expanded", "waiting");
        assert_true(rollout_has_hold(client, 2, "replica-behind"));
    }
    free(file);
}

/* libfaketime shifts the daemon's alarm as well, which is of another clock: what is said to it wakes it. */
static void complete_with_renewals(struct http_client *client)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    while (strcmp(json_text_at(rollout_get(client, 2)->json, "/phase"), "complete") != 0) {
        if (test_now_ms() > deadline)
            test_fail("migration 2 is not complete: %s", rollout_get(client, 2)->body);
        fleet_register(client, REPLICA("new", 1, 2));
        test_pause();
    }
}

static void a_stepped_wall_clock_shortens_no_soak(void **state)
{
    struct world *world = *state;
    char *file;
    struct http_client *client = begin(world, &file);
    rollout_submit(client, 1, SAMPLE_CREATE);
    expect_answer(rollout_try_submit(client, 2, SAMPLE_RENAME,
                                     json_pack("{s:i}", "soak_seconds", SOAK_SECONDS)),
                  201, NULL);
    rollout_wait(client, 2, "expanded");
    fleet_join(client, REPLICA("old", 1, 1));
    fleet_join(client, REPLICA("new", 1, 2));
    int64_t started = test_now_ms();
    expect_answer(fleet_leave(client, REPLICA("old", 1, 1)), 204, NULL);
    rollout_wait_hold(client, 2, "soaking");
    step(file, "+1d");
    complete_with_renewals(client);
    assert_in_range(test_now_ms() - started, 1000 * SOAK_SECONDS, 60000);
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_stepped_wall_clock_loses_no_replica_and_opens_no_gate),
        world_test(a_stepped_wall_clock_shortens_no_soak),
    };
    return world_run(tests);
}
