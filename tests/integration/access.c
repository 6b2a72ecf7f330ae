/* Tokens and roles on every route. */
#include <support/expect.h>
#include <support/process.h>
#include <support/samples.h>
#include <support/world.h>

#include <schemagate/base/digest.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum role { VIEWER, OPERATOR, APP, AGENT, DEPLOYER, ROLES };

static const char *const role_names[ROLES] = {"viewer", "operator", "app", "agent", "deployer"};

#define MAY(role) (1u << (role))
#define READERS (MAY(VIEWER) | MAY(OPERATOR) | MAY(DEPLOYER))

struct route {
    const char *method, *path, *body;
    unsigned allowed, open; /* roles that may, and roles about which nothing is said */
};

static const struct route routes[] = {
    {"PUT", "/v1/apps/web/replicas/a", "{\"incarnation\":\"i\",\"min\":0,\"max\":1}",
     MAY(APP) | MAY(OPERATOR), 0},
    {"POST", "/v1/apps/web/replicas/a/renew", "{\"incarnation\":\"i\"}",
     MAY(APP) | MAY(AGENT) | MAY(OPERATOR), 0},
    {"POST", "/v1/renewals", "{\"renewals\":[]}", MAY(APP) | MAY(AGENT) | MAY(OPERATOR), 0},
    {"POST", "/v1/apps/web/replicas/a/attest", "{\"incarnation\":\"i\",\"reason\":\"r\"}",
     MAY(AGENT) | MAY(OPERATOR), 0},
    {"DELETE", "/v1/apps/web/replicas/a?incarnation=i", NULL, MAY(APP) | MAY(OPERATOR), MAY(AGENT)},
    {"GET", "/v1/apps/web/admission?min=0&max=1", NULL, MAY(DEPLOYER) | MAY(OPERATOR),
     MAY(APP) | MAY(AGENT) | MAY(VIEWER)},
    {"GET", "/v1/replicas", NULL, READERS, MAY(AGENT)},
    {"GET", "/v1/apps", NULL, READERS, MAY(AGENT)},
    {"PUT", "/v1/apps/web", "{\"min_replicas\":1}", MAY(DEPLOYER) | MAY(OPERATOR), 0},
    {"POST", "/v1/apps/web/compatible", "{\"release\":\"r\",\"max\":1,\"reason\":\"r\"}",
     MAY(OPERATOR),
     0},
    {"POST", "/v1/migrations", "{\"version\":1,\"expand\":\"SELECT 1\"}",
     MAY(DEPLOYER) | MAY(OPERATOR),
     0},
    {"POST", "/v1/plan", "{\"expand\":\"SELECT 1\"}", MAY(DEPLOYER) | MAY(OPERATOR), 0},
    {"GET", "/v1/migrations", NULL, READERS, MAY(AGENT)},
    {"GET", "/v1/migrations/1", NULL, READERS, MAY(AGENT)},
    {"GET", "/v1/migrations/1/gate", NULL, READERS, MAY(AGENT)},
    {"POST", "/v1/migrations/1/approve", "{\"reason\":\"r\"}", MAY(OPERATOR), 0},
    {"POST", "/v1/migrations/1/pause", "{\"reason\":\"r\"}", MAY(OPERATOR), 0},
    {"POST", "/v1/migrations/1/undo", "{\"reason\":\"r\"}", MAY(OPERATOR), 0},
    {"POST", "/v1/migrations/1/cancel", "{\"reason\":\"r\"}", MAY(OPERATOR), 0},
    {"POST", "/v1/baseline", "{\"version\":1}", MAY(OPERATOR), 0},
    {"POST", "/v1/pause", "{\"reason\":\"r\"}", MAY(OPERATOR), 0},
    {"POST", "/v1/resume", "{\"reason\":\"r\"}", MAY(OPERATOR), 0},
    {"POST", "/v1/apps/web/replicas/a/evict", "{\"reason\":\"r\"}", MAY(OPERATOR), 0},
    {"DELETE", "/v1/apps/web?reason=r", NULL, MAY(OPERATOR), 0},
    {"GET", "/v1/events", NULL, READERS, MAY(AGENT)},
    {"GET", "/status", NULL, READERS, MAY(AGENT)},
    {"GET", "/metrics", NULL, MAY(VIEWER) | MAY(OPERATOR), MAY(DEPLOYER) | MAY(AGENT)},
};

static char *write_tokens(struct world *world, const char *name)
{
    char text[2048] = "# name role app sha256\n", digest[DIGEST_HEX_SIZE];
    size_t length = strlen(text);
    for (int role = 0; role < ROLES; role++) {
        digest_sha256_hex(role_names[role], strlen(role_names[role]), digest);
        length += (size_t)snprintf(text + length, sizeof text - length, "test-%s %s %s %s\n",
                                   role_names[role], role_names[role], role == APP ? "web" : "-",
                                   digest);
    }
    return scratch_write(&world->scratch, name, text);
}

/* Tokens are secrets of their holders; here each is the name of its role. */
static struct daemon *begin(struct world *world, const char *name, const char *sections)
{
    char *path = write_tokens(world, name), *variable = NULL;
    assert_true(asprintf(&variable, "SCHEMAGATE_HTTP_TOKENS_FILE=%s", path) > 0);
    const char *environment[] = {variable, NULL};
    struct daemon *daemon = world_daemon(
        world, &(struct daemon_options){.environment = environment, .sections = sections,
                                        .tcp = true});
    free(variable);
    free(path);
    return daemon;
}

static int ask(struct http_client *client, const struct route *route, const char *token)
{
    char header[96];
    snprintf(header, sizeof header, "Authorization: Bearer %s", token);
    return http_try(client, route->method, route->body, header, route->path)->status;
}

static void each_role_may_do_what_is_written_and_nothing_else(void **state)
{
    struct daemon *daemon = begin(*state, "roles", NULL);
    struct http_client client;
    http_open(&client, NULL, daemon->port);
    int wrong = 0;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        const struct route *route = &routes[i];
        int anonymous = http_try(&client, route->method, route->body, NULL, route->path)->status;
        int unknown = ask(&client, route, "nobody's");
        if (anonymous != 401 || unknown != 401) {
            print_error("%s %s: %d without a token, %d with an unknown one\n", route->method,
                        route->path, anonymous, unknown);
            wrong++;
        }
        for (unsigned role = 0; role < ROLES; role++) {
            if (route->open & MAY(role))
                continue;
            int status = ask(&client, route, role_names[role]);
            bool allowed = route->allowed & MAY(role);
            if (status == 401 || (status == 403) == allowed) {
                print_error("%s %s as %s: %d\n", route->method, route->path, role_names[role],
                            status);
                wrong++;
            }
        }
    }
    http_close(&client);
    assert_int_equal(wrong, 0);
}

static void an_app_speaks_for_its_own_replicas_only(void **state)
{
    struct daemon *daemon = begin(*state, "apps", NULL);
    struct http_client client;
    http_open(&client, NULL, daemon->port);
    client.authorization = "Authorization: Bearer app";
    struct fleet_replica other = *REPLICA("a", 0, 1);
    other.app = "shop";
    expect_answer(fleet_register(&client, &other), 403, "forbidden");
    expect_answer(fleet_register(&client, REPLICA("a", 0, 1)), 201, NULL);
    json_t *body = json_pack("{s:[{s:s,s:s,s:s}]}", "renewals", "app", "shop", "instance", "a",
                             "incarnation", "one");
    const struct http_answer *answer = http_call(&client, "POST", body, "/v1/renewals");
    assert_true(answer->status == 403 || json_number_at(answer->json, "/results/0/status") == 403);
    http_close(&client);
}

static void probes_need_no_token(void **state)
{
    struct daemon *daemon = begin(*state, "probes", NULL);
    struct http_client client;
    http_open(&client, NULL, daemon->port);
    expect_answer(http_call(&client, "GET", NULL, "/livez"), 200, NULL);
    expect_answer(http_call(&client, "GET", NULL, "/readyz"), 200, NULL);
    const struct http_answer *answer = http_call(&client, "GET", NULL, "/status");
    expect_answer(answer, 401, "unauthenticated");
    char *challenge = http_header(answer, "WWW-Authenticate");
    assert_non_null(strstr(challenge, "Bearer"));
    free(challenge);
    http_close(&client);
}

static void a_browser_sends_the_token_as_its_password(void **state)
{
    struct daemon *daemon = begin(*state, "browser", NULL);
    struct http_client client;
    http_open(&client, NULL, daemon->port);
    client.authorization = "Authorization: Basic YW55Ym9keTp2aWV3ZXI="; /* anybody:viewer */
    expect_answer(http_call(&client, "GET", NULL, "/status"), 200, NULL);
    http_close(&client);
}

/* Root and the daemon's own user are operators on the unix socket; the audit trail names who
 * acted. */
static void the_peer_of_a_unix_socket_is_known(void **state)
{
    struct world *world = *state;
    struct daemon *daemon = begin(world, "peers", NULL);
    json_t *reason = json_pack("{s:s}", "reason", "a test");
    expect_answer(http_call(&daemon->client, "POST", reason, "/v1/pause"), 200, NULL);
    assert_int_equal(sql_number(world->sql, "SELECT count(*) FROM schemagate.event WHERE kind = "
                                            "'operator.pause' AND actor LIKE 'operator:%%' "
                                            "AND reason = 'a test'"),
                     1);
}

static void the_tokens_file_is_reread(void **state)
{
    struct world *world = *state;
    struct daemon *daemon = begin(world, "reread", NULL);
    struct http_client client;
    http_open(&client, NULL, daemon->port);
    client.authorization = "Authorization: Bearer viewer";
    expect_answer(http_call(&client, "GET", NULL, "/status"), 200, NULL);
    free(scratch_write(&world->scratch, "reread", "# nobody any more\n"));
    kill(daemon->pid, SIGHUP);
    daemon_wait_notification(daemon, "RELOADING=1");
    daemon_wait_notification(daemon, "READY=1");
    expect_answer(http_call(&client, "GET", NULL, "/status"), 401, NULL);
    http_close(&client);
}

static void no_token_is_ever_logged(void **state)
{
    struct daemon *daemon = begin(*state, "logged", "[log]\nlevel = debug\n");
    struct http_client client;
    http_open(&client, NULL, daemon->port);
    client.authorization = "Authorization: Bearer sesame-open-thyself";
    http_call(&client, "GET", NULL, "/status");
    http_close(&client);
    daemon_stop(daemon);
    char *log = scratch_read(daemon->log);
    assert_null(strstr(log, "sesame"));
    free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(each_role_may_do_what_is_written_and_nothing_else),
        world_test(an_app_speaks_for_its_own_replicas_only),
        world_test(probes_need_no_token),
        world_test(a_browser_sends_the_token_as_its_password),
        world_test(the_peer_of_a_unix_socket_is_known),
        world_test(the_tokens_file_is_reread),
        world_test(no_token_is_ever_logged),
    };
    return world_run(tests);
}
