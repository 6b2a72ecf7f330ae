/* A replica registers as old in the instant in which the last hold of its contract goes, a thousand
 * times: either it is admitted and the contract waits, or it is refused and the contract runs.
 * PostgreSQL itself judges: a trigger on what the contract writes counts the old replicas that are
 * admitted at that moment. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 1000
#define EACH_ORDER 50

static const char judge[] =
    "CREATE TABLE contracted (version bigint PRIMARY KEY, old_replicas bigint);"
    "CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "SELECT count(*) INTO NEW.old_replicas FROM schemagate.replica "
    "WHERE state IN ('live', 'lost') AND max < NEW.version; RETURN NEW; END $$;"
    "CREATE TRIGGER judge BEFORE INSERT ON contracted FOR EACH ROW EXECUTE FUNCTION judge()";

struct race {
    struct http_client *client;
    int64_t version;
    struct fleet_replica leaving, coming; /* both support versions below `version` only */
    int admitted, refused;
    unsigned seed;
};

static void prepare(struct race *race)
{
    char sql[128];
    snprintf(sql, sizeof sql,
             "-- schemagate: contract\nINSERT INTO contracted VALUES (%" PRId64 ");\n",
             race->version);
    race->leaving = *REPLICA("leaving", 1, race->version - 1);
    race->coming = *REPLICA("coming", 1, race->version - 1);
    fleet_join(race->client, &race->leaving);
    rollout_submit(race->client, race->version, sql);
}

/* Sends goodbye and registration at almost the same time; the lag between them wanders to where
 * both orders happen. */
static int run(struct race *race, int lag_us)
{
    int goodbye, registration;
    if (lag_us < 0) {
        registration = http_send(race->client, "PUT", fleet_body(&race->coming),
                                 "/v1/apps/web/replicas/coming");
        usleep((useconds_t)-lag_us);
    }
    goodbye =
        http_send(race->client, "DELETE", NULL, "/v1/apps/web/replicas/leaving?incarnation=one");
    if (lag_us >= 0) {
        usleep((useconds_t)lag_us);
        registration = http_send(race->client, "PUT", fleet_body(&race->coming),
                                 "/v1/apps/web/replicas/coming");
    }
    assert_int_equal(http_receive(goodbye), 204);
    return http_receive(registration);
}

static void settle(struct race *race, int status)
{
    if (status == 409) {
        race->refused++;
    } else {
        assert_in_range(status, 200, 201);
        race->admitted++;
        rollout_wait_hold(race->client, race->version, "replica-behind");
        assert_int_equal(fleet_leave(race->client, &race->coming)->status, 204);
    }
    rollout_wait(race->client, race->version, "complete");
}

static void no_contract_runs_against_an_admitted_old_replica(void **state)
{
    struct world *world = *state;
    /* Nobody renews: the lease outlasts the rounds. */
    struct daemon *daemon =
        world_daemon(world, &(struct daemon_options){.sections = "[gate]\nlease_seconds = 3600\n"});
    struct race race = {.client = &daemon->client, .version = 1, .seed = 20261120};
    int lag_us = 0;
    sql_run(world->sql, "%s", judge);
    rollout_submit(race.client, 1, SAMPLE_CREATE);
    rollout_wait(race.client, 1, "complete");
    fleet_join(race.client, REPLICA("new", 1, ROUNDS + 2));
    while (race.version <= ROUNDS) {
        race.version++;
        prepare(&race);
        int status = run(&race, lag_us + rand_r(&race.seed) % 400 - 200);
        settle(&race, status);
        lag_us += status == 409 ? -20 : 20;
        if (race.version % 100 == 0) { /* the answers of a thousand rounds need not be kept */
            struct http_client fresh;
            http_open(&fresh, race.client->socket, 0);
            http_close(race.client);
            *race.client = fresh;
        }
    }
    print_message("old replica admitted %d times, refused %d times\n", race.admitted, race.refused);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM contracted"), ROUNDS);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM contracted "
                                            "WHERE old_replicas IS DISTINCT FROM 0"),
                     0);
    assert_in_range(race.admitted, EACH_ORDER, ROUNDS);
    assert_in_range(race.refused, EACH_ORDER, ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(no_contract_runs_against_an_admitted_old_replica),
    };
    return world_run(tests);
}
