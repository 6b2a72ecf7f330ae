/* Replicas come and go, migrations are submitted and undone, and the daemon is killed in between,
 * all by chance (CHAOS_SEED repeats a run, CHAOS_SECONDS makes it longer). PostgreSQL judges:
 * triggers on what contracts and undos write count the replicas that could trip over them at that
 * moment. */
#include <support/expect.h>
#include <support/samples.h>
#include <support/world.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define INSTANCES 8
#define SECONDS 8
#define KILL_ONE_IN 60 /* actions */

/* `ran` has one row for each contract and undo that was run; twice would violate its key. */
static const char judge[] =
    "CREATE TABLE ran (kind text, version bigint, tripped bigint, PRIMARY KEY (kind, version));"
    "CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "IF NEW.kind = 'contract' THEN"
    "  SELECT count(*) INTO NEW.tripped FROM schemagate.replica"
    "  WHERE state IN ('live', 'lost') AND max < NEW.version;"
    "ELSE"
    "  SELECT count(*) INTO NEW.tripped FROM schemagate.replica, schemagate.window"
    "  WHERE state IN ('live', 'lost') AND min > (SELECT coalesce(max(version), floor)"
    "    FROM schemagate.migration WHERE version < NEW.version"
    "    AND phase IN ('expanded', 'contracting', 'complete'));"
    "END IF; RETURN NEW; END $$;"
    "CREATE TRIGGER judge BEFORE INSERT ON ran FOR EACH ROW EXECUTE FUNCTION judge()";

struct chaos {
    struct world *world;
    struct daemon *daemon;
    unsigned seed;
    int64_t latest; /* highest submitted version */
    unsigned incarnations, kills;
    struct fleet_replica fleet[INSTANCES];
    char names[INSTANCES][8], incarnation[INSTANCES][16];
};

static int chance(struct chaos *chaos, int below)
{
    return rand_r(&chaos->seed) % below;
}

static struct fleet_replica *any_replica(struct chaos *chaos)
{
    return &chaos->fleet[chance(chaos, INSTANCES)];
}

static void start_anew(struct chaos *chaos)
{
    struct fleet_replica *replica = any_replica(chaos);
    size_t place = (size_t)(replica - chaos->fleet);
    snprintf(chaos->incarnation[place], sizeof chaos->incarnation[place], "i%u",
             ++chaos->incarnations);
    replica->min = chaos->latest - chance(chaos, 3);
    replica->min = replica->min < 0 ? 0 : replica->min;
    replica->max = replica->min + chance(chaos, 3);
    replica->predecessor_ended = chance(chaos, 2);
    fleet_register(&chaos->daemon->client, replica);
}

static void change_range(struct chaos *chaos)
{
    struct fleet_replica *replica = any_replica(chaos), changed = *replica;
    changed.max = chaos->latest - 1 + chance(chaos, 3);
    if (changed.max >= changed.min &&
        fleet_register(&chaos->daemon->client, &changed)->status < 300)
        replica->max = changed.max;
}

static void renew_all(struct chaos *chaos)
{
    for (int i = 0; i < INSTANCES; i++)
        fleet_renew(&chaos->daemon->client, &chaos->fleet[i]);
}

static void leave(struct chaos *chaos)
{
    fleet_leave(&chaos->daemon->client, any_replica(chaos));
}

static void evict(struct chaos *chaos)
{
    http_call(&chaos->daemon->client, "POST", json_pack("{s:s}", "reason", "chance"),
              "/v1/apps/web/replicas/%s/evict", any_replica(chaos)->instance);
}

static void submit(struct chaos *chaos)
{
    char sql[320], contract[80] = "";
    int64_t version = chaos->latest + 1;
    if (chance(chaos, 3)) /* else an empty one, which needs no gate */
        snprintf(contract, sizeof contract, "INSERT INTO ran VALUES ('contract', %" PRId64 ");\n",
                 version);
    snprintf(sql, sizeof sql,
             "-- schemagate: expand\nCREATE TABLE t%" PRId64 " (id int);\n"
                                                             "-- schemagate: contract\n%s"
             "-- schemagate: undo\nDROP TABLE t%" PRId64 ";\n"
             "INSERT INTO ran VALUES ('undo', %" PRId64 ");\n",
             version, contract, version, version);
    const struct http_answer *answer =
        rollout_try_submit(&chaos->daemon->client, version, sql, NULL);
    if (answer->status == 200 || answer->status == 201)
        chaos->latest = version;
}

static void undo(struct chaos *chaos)
{
    http_call(&chaos->daemon->client, "POST", NULL, "/v1/migrations/%" PRId64 "/undo",
              chaos->latest);
}

static void pause_or_resume(struct chaos *chaos)
{
    http_call(&chaos->daemon->client, "POST", NULL, "/v1/migrations/%" PRId64 "/%s", chaos->latest,
              chance(chaos, 2) ? "pause" : "resume");
}

/* A deployment: every instance starts anew with a release that works with the latest version. */
static void deploy(struct chaos *chaos)
{
    for (size_t i = 0; i < INSTANCES; i++) {
        struct fleet_replica *replica = &chaos->fleet[i];
        snprintf(chaos->incarnation[i], sizeof chaos->incarnation[i], "i%u", ++chaos->incarnations);
        replica->min = chaos->latest > 0 ? chaos->latest - 1 : 0;
        replica->max = chaos->latest;
        replica->predecessor_ended = true;
        fleet_register(&chaos->daemon->client, replica);
    }
}

/* An operator lets everything go on. What is queued above an undo waits for it, and the undo for
 * that: then an operator has to choose. */
static void tidy(struct chaos *chaos)
{
    size_t i;
    json_t *migration;
    bool undoing = false;
    struct http_client *client = &chaos->daemon->client;
    const struct http_answer *status = http_call(client, "GET", NULL, "/status");
    json_array_foreach(json_at(status->json, "/migrations/open"), i, migration) {
        int64_t version = json_number_at(migration, "/version");
        const char *phase = json_text_at(migration, "/phase");
        http_call(client, "POST", NULL, "/v1/migrations/%" PRId64 "/resume", version);
        if (undoing && strcmp(phase, "queued") == 0)
            http_call(client, "POST", NULL, "/v1/migrations/%" PRId64 "/cancel", version);
        undoing = undoing || strcmp(phase, "undoing") == 0;
    }
}

static const struct {
    void (*act)(struct chaos *chaos);
    int weight;
} actions[] = {{start_anew, 12}, {change_range, 4}, {renew_all, 4}, {leave, 6}, {evict, 6},
               {submit, 3},      {undo, 1},         {deploy, 4},    {tidy, 3},
               {pause_or_resume, 1}};

static void act(struct chaos *chaos)
{
    int total = 0;
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        total += actions[i].weight;
    int drawn = chance(chaos, total);
    size_t i = 0;
    for (; drawn >= actions[i].weight; i++)
        drawn -= actions[i].weight;
    actions[i].act(chaos);
}

/* The daemon dies while requests are on their way, and another one takes over. */
static void kill_daemon(struct chaos *chaos)
{
    int open[3];
    for (int i = 0; i < 3; i++)
        open[i] = http_send(&chaos->daemon->client, "PUT", fleet_body(any_replica(chaos)),
                            "/v1/apps/web/replicas/%s", any_replica(chaos)->instance);
    if (chance(chaos, 2))
        test_pause();
    daemon_kill(chaos->daemon);
    for (int i = 0; i < 3; i++)
        http_receive(open[i]);
    daemon_close(chaos->daemon);
    chaos->world->daemon_count = 0;
    chaos->daemon = world_daemon(chaos->world, NULL);
    chaos->kills++;
}

/* All that held a gate goes, a release that works with everything comes: whatever is open must
 * end. */
static void come_to_rest(struct chaos *chaos)
{
    struct http_client *client = &chaos->daemon->client;
    struct fleet_replica newest = {.app = "web", .instance = "newest", .incarnation = "one",
                                   .min = 0, .max = chaos->latest + 1};
    for (int i = 0; i < INSTANCES; i++)
        http_call(client, "POST", json_pack("{s:s}", "reason", "the end"),
                  "/v1/apps/web/replicas/%s/evict", chaos->fleet[i].instance);
    fleet_join(client, &newest);
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    const struct http_answer *status;
    do {
        tidy(chaos); /* again and again: a cancel that was asked for may end a migration only now */
        test_pause();
        status = http_call(client, "GET", NULL, "/status");
    } while (json_array_size(json_at(status->json, "/migrations/open")) &&
             test_now_ms() < deadline);
    if (json_array_size(json_at(status->json, "/migrations/open")))
        test_fail("it does not come to rest: %s", status->body);
}

static void judge_all(struct chaos *chaos)
{
    PGconn *sql = chaos->world->sql;
    print_message("%" PRId64 " migrations, %d contracts, %d undos, %u incarnations, %u kills\n",
                  chaos->latest,
                  (int)sql_number(sql, "SELECT count(*) FROM ran WHERE kind = 'contract'"),
                  (int)sql_number(sql, "SELECT count(*) FROM ran WHERE kind = 'undo'"),
                  chaos->incarnations, chaos->kills);
    assert_int_equal(sql_number(sql, "SELECT count(*) FROM ran WHERE tripped IS DISTINCT FROM 0"),
                     0);
    assert_int_equal(sql_number(sql, "SELECT count(*) FROM schemagate.migration WHERE failed"), 0);
    /* A table stands for each migration that was not undone, and for no other. */
    assert_int_equal(sql_number(sql,
                                "SELECT count(*) FROM schemagate.migration WHERE version > 0 AND "
                                "(phase = 'complete') <> "
                                "(to_regclass('t' || version) IS NOT NULL)"),
                     0);
    /* Each contract that is complete was run, and none of an undone migration. */
    assert_int_equal(sql_number(sql, "SELECT count(*) FROM schemagate.migration AS m WHERE "
                                     "EXISTS (SELECT FROM schemagate.step AS s WHERE s.version = "
                                     "m.version "
                                     "AND section = 'contract') AND (phase = 'complete') <> EXISTS "
                                     "(SELECT FROM ran WHERE kind = 'contract' AND ran.version = "
                                     "m.version)"),
                     0);
}

static void no_chance_breaks_the_invariant(void **state)
{
    const char *seed = getenv("CHAOS_SEED"), *seconds = getenv("CHAOS_SECONDS");
    struct chaos chaos = {.world = *state};
    chaos.seed = seed ? (unsigned)strtoul(seed, NULL, 10) : (unsigned)test_now_ms();
    print_message("CHAOS_SEED=%u\n", chaos.seed);
    chaos.daemon = world_daemon(chaos.world, NULL);
    sql_run(chaos.world->sql, "%s", judge);
    for (int i = 0; i < INSTANCES; i++) {
        snprintf(chaos.names[i], sizeof chaos.names[i], "r%d", i);
        snprintf(chaos.incarnation[i], sizeof chaos.incarnation[i], "none");
        chaos.fleet[i] = (struct fleet_replica){
            .app = "web", .instance = chaos.names[i], .incarnation = chaos.incarnation[i]};
    }
    int64_t end = test_now_ms() + 1000 * (seconds ? atoi(seconds) : SECONDS);
    while (test_now_ms() < end) {
        if (chance(&chaos, KILL_ONE_IN) == 0)
            kill_daemon(&chaos);
        act(&chaos);
    }
    come_to_rest(&chaos);
    judge_all(&chaos);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(no_chance_breaks_the_invariant),
    };
    return world_run(tests);
}
