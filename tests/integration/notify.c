/* Telling others of events: commands, URLs, and whoever listens on the channel. */
#include <support/process.h>
#include <support/world.h>

#include <schemagate/base/digest.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CREATE "-- schemagate: expand\nCREATE TABLE customer (id int);\n"

/* ---- commands ---- */

/* Writes the script as an executable file and returns the section that runs it. */
static char *command_section(const struct world *world, const char *script, char section[512])
{
    char *text, *path;

    if (asprintf(&text, "#!/bin/sh\ncd %s\n%s", world->scratch.path, script) < 0)
        abort();
    path = scratch_write(&world->scratch, "hook.sh", text);
    chmod(path, 0755);
    snprintf(section, 512, "[notify pager]\ncommand = %s, one argument\n", path);
    free(path);
    free(text);
    return section;
}

static char *told_so_far(const struct world *world)
{
    char *path = scratch_path(&world->scratch, "told"), *text = scratch_read(path);

    free(path);
    return text;
}

static void forget_what_was_told(const struct world *world)
{
    char *path = scratch_path(&world->scratch, "told");

    unlink(path);
    free(path);
}

/* Waits until what the script has written ends with this line. */
static void wait_told(const struct world *world, const char *last)
{
    int64_t end = test_now_ms() + PATIENCE_MS;

    for (;;) {
        char *text = told_so_far(world);
        size_t length = strlen(text), wanted = strlen(last);
        bool ends = length >= wanted && strcmp(text + length - wanted, last) == 0;

        free(text);
        if (ends)
            return;
        if (test_now_ms() > end)
            test_fail("nobody was told '%s'", last);
        test_pause();
    }
}

static void wait_metric(struct http_client *client, const char *line)
{
    int64_t end = test_now_ms() + PATIENCE_MS;

    for (; !strstr(http_call(client, "GET", NULL, "/metrics")->body, line); test_pause())
        if (test_now_ms() > end)
            test_fail("%s is not in /metrics", line);
}

static void a_command_is_told_of_each_transition_in_order(void **state)
{
    struct world *world = *state;
    char section[512];
    command_section(world,
                    "body=$(cat)\n"
                    "case $body in *'\"kind\":\"'$SCHEMAGATE_EVENT_KIND'\"'*) ;; *) exit 9;; esac\n"
                    "test \"$1\" = 'one argument' || exit 8\n"
                    "test -z \"$PGPASSWORD\" || exit 7\n"
                    "echo \"$SCHEMAGATE_EVENT_KIND $SCHEMAGATE_EVENT_VERSION\" >>told\n",
                    section);
    struct daemon *daemon = world_daemon(world, &(struct daemon_options){
                                                    .sections = section,
                                                    .environment = (const char *const[]){
                                                        "PGPASSWORD=secret", NULL}});
    forget_what_was_told(world);
    rollout_submit(&daemon->client, 1, CREATE);
    wait_told(world, "migration.complete 1\n");
    char *text = told_so_far(world);
    assert_string_equal(text, "migration.submitted 1\nmigration.expanding 1\nmigration.complete 1\n");
    free(text);
    sql_wait(world->sql, "SELECT event = (SELECT max(id) FROM schemagate.event) "
                         "FROM schemagate.delivery WHERE target = 'pager'");
}

static void what_a_command_refuses_it_is_told_again(void **state)
{
    struct world *world = *state;
    char section[512];
    command_section(world,
                    "echo \"$SCHEMAGATE_EVENT_KIND\" >>told\n"
                    "test -e refused && exit 0\n"
                    "touch refused\necho not now\nexit 3\n",
                    section);
    struct daemon *daemon = world_daemon(world, &(struct daemon_options){.sections = section});
    forget_what_was_told(world);
    rollout_submit(&daemon->client, 1, CREATE);
    wait_told(world, "migration.complete\n");
    char *text = told_so_far(world);
    assert_string_equal(text, "migration.submitted\nmigration.submitted\nmigration.expanding\n"
                              "migration.complete\n");
    free(text);
    daemon_wait_log(daemon, "exit code 3: not now");
    wait_metric(&daemon->client, "schemagate_notify_behind{target=\"pager\"} 0\n");
    const struct http_answer *answer = http_call(&daemon->client, "GET", NULL, "/status");
    assert_true(json_is_null(json_at(answer->json, "/notifies/0/error")));
    assert_true(json_is_null(json_at(answer->json, "/notifies/0/behind_since")));
    char *mark = scratch_path(&world->scratch, "refused");
    unlink(mark);
    free(mark);
}

/* Who looks at the status need not know of /metrics or of the log. */
static void the_status_says_how_far_each_is_and_why(void **state)
{
    struct world *world = *state;
    char section[512];
    int64_t end = test_now_ms() + PATIENCE_MS;
    const struct http_answer *answer;

    command_section(world, "echo not now\nexit 3\n", section);
    struct http_client *client = &world_daemon(world, &(struct daemon_options){.sections = section})->client;
    rollout_submit(client, 1, CREATE);
    rollout_wait(client, 1, "complete");
    for (;;) {
        answer = http_call(client, "GET", NULL, "/status");
        if (json_is_string(json_at(answer->json, "/notifies/0/error")))
            break;
        assert_true(test_now_ms() < end);
        test_pause();
    }
    assert_string_equal(json_text_at(answer->json, "/notifies/0/name"), "pager");
    assert_string_equal(json_text_at(answer->json, "/notifies/0/error"), "exit code 3: not now");
    assert_int_equal(json_number_at(answer->json, "/notifies/0/behind"), 3);
    assert_true(json_number_at(answer->json, "/notifies/0/tries") > 0);
    assert_true(json_is_string(json_at(answer->json, "/notifies/0/behind_since")));
}

static pid_t read_sleeper(const struct world *world)
{
    char *path = scratch_path(&world->scratch, "sleeper"), *text;
    int64_t end = test_now_ms() + PATIENCE_MS;

    for (text = scratch_read(path); !strchr(text, '\n'); text = scratch_read(path)) {
        assert_true(test_now_ms() < end);
        free(text);
        test_pause();
    }
    pid_t pid = (pid_t)atoi(text);
    free(text);
    free(path);
    return pid;
}

static void what_a_dying_daemon_was_telling_the_next_one_tells(void **state)
{
    struct world *world = *state;
    char section[512];
    command_section(world,
                    "echo \"begins $SCHEMAGATE_EVENT_KIND\" >>told\n"
                    "test -e goes_on || { sleep 600 & echo $! >sleeper; wait; }\n"
                    "echo \"$SCHEMAGATE_EVENT_KIND\" >>told\n",
                    section);
    const struct daemon_options options = {.sections = section};
    struct daemon *daemon = world_daemon(world, &options);
    forget_what_was_told(world);
    rollout_submit(&daemon->client, 1, CREATE);
    wait_told(world, "begins migration.submitted\n");
    rollout_wait(&daemon->client, 1, "complete"); /* nobody waits for it */
    wait_metric(&daemon->client, "schemagate_notify_behind{target=\"pager\"} 3\n");
    pid_t sleeper = read_sleeper(world);
    daemon_kill(daemon);
    process_wait_dead(sleeper); /* with all that the command had started */
    free(scratch_write(&world->scratch, "goes_on", ""));
    world_daemon(world, &options);
    wait_told(world, "\nmigration.complete\n");
    char *text = told_so_far(world);
    assert_string_equal(text, "begins migration.submitted\n"
                              "begins migration.submitted\nmigration.submitted\n"
                              "begins migration.expanding\nmigration.expanding\n"
                              "begins migration.complete\nmigration.complete\n");
    free(text);
}

static void a_new_target_hears_what_happens_next_and_only_what_it_asked_for(void **state)
{
    struct world *world = *state;
    struct daemon *first = world_daemon(world, NULL);
    char section[512];
    rollout_submit(&first->client, 1, CREATE);
    rollout_wait(&first->client, 1, "complete");
    daemon_stop(first);
    command_section(world, "echo \"$SCHEMAGATE_EVENT_KIND $SCHEMAGATE_EVENT_VERSION\" >>told\n", section);
    strcat(section, "kinds = migration.complete, operator.*\n");
    struct daemon *daemon = world_daemon(world, &(struct daemon_options){.sections = section});
    forget_what_was_told(world);
    rollout_submit(&daemon->client, 2, "-- schemagate: expand\nALTER TABLE customer ADD COLUMN name text;\n");
    wait_told(world, "migration.complete 2\n");
    char *text = told_so_far(world);
    assert_string_equal(text, "migration.complete 2\n");
    free(text);
}

/* ---- URLs ---- */

struct receiver {
    int listener, port;
    int refusals;         /* so many requests are answered 503 first */
    int expected;         /* then so many are taken */
    char requests[8][4096]; /* as they came */
    pthread_t thread;
};

static void receive(int connection, char *request, size_t size)
{
    size_t length = 0, wanted = SIZE_MAX;

    while (length < wanted && length + 1 < size) {
        ssize_t got = read(connection, request + length, size - 1 - length);
        if (got <= 0)
            break;
        length += (size_t)got;
        request[length] = '\0';
        const char *body = strstr(request, "\r\n\r\n"), *size_at = strstr(request, "Content-Length: ");
        if (body && size_at)
            wanted = (size_t)(body + 4 - request) + strtoul(size_at + 16, NULL, 10);
    }
}

static void *serve(void *context)
{
    static const char refusal[] = "HTTP/1.1 503 Not now\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    static const char thanks[] = "HTTP/1.1 204 Taken\r\nConnection: close\r\n\r\n";
    struct receiver *r = context;

    for (int i = 0; i < r->refusals + r->expected; i++) {
        const char *answer = i < r->refusals ? refusal : thanks;
        int connection = accept(r->listener, NULL, NULL);
        receive(connection, r->requests[i], sizeof r->requests[i]);
        (void)!write(connection, answer, strlen(answer));
        close(connection);
    }
    return NULL;
}

static void receiver_open(struct receiver *r, int refusals, int expected)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;

    *r = (struct receiver){.refusals = refusals, .expected = expected};
    r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(r->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(r->listener, 8), 0);
    assert_int_equal(getsockname(r->listener, (struct sockaddr *)&address, &length), 0);
    r->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&r->thread, NULL, serve, r), 0);
}

static void receiver_close(struct receiver *r)
{
    pthread_join(r->thread, NULL);
    close(r->listener);
}

static void a_url_gets_signed_posts_until_it_takes_them(void **state)
{
    struct world *world = *state;
    static struct receiver r;
    char section[512], hex[DIGEST_HEX_SIZE], signature[128];
    char *secret = scratch_write(&world->scratch, "secret", "a secret\n");

    receiver_open(&r, 1, 2);
    snprintf(section, sizeof section,
             "[notify chat]\nurl = http://127.0.0.1:%d/room?token=hush\nsecret_file = %s\n"
             "kinds = migration.submitted, migration.complete\n",
             r.port, secret);
    struct daemon *daemon = world_daemon(world, &(struct daemon_options){.sections = section});
    rollout_submit(&daemon->client, 1, CREATE);
    receiver_close(&r);
    assert_non_null(strstr(r.requests[0], "\"kind\":\"migration.submitted\""));
    assert_non_null(strstr(r.requests[1], "\"kind\":\"migration.submitted\""));
    assert_non_null(strstr(r.requests[2], "\"kind\":\"migration.complete\""));
    assert_non_null(strstr(r.requests[2], "POST /room?token=hush HTTP/1.1\r\n"));
    assert_non_null(strstr(r.requests[2], "X-Schemagate-Event: migration.complete\r\n"));
    const char *body = strstr(r.requests[2], "\r\n\r\n") + 4;
    snprintf(signature, sizeof signature, "X-Schemagate-Signature: sha256=%s\r\n",
             digest_hmac_hex("a secret", body, strlen(body), hex));
    assert_non_null(strstr(r.requests[2], signature));
    const char *first = strstr(r.requests[0], "Idempotency-Key: ");
    assert_non_null(first);
    assert_memory_equal(first, strstr(r.requests[1], "Idempotency-Key: "), strcspn(first, "\r"));
    daemon_wait_log(daemon, "answered 503");
    char *log = scratch_read(daemon->log);
    assert_null(strstr(log, "hush"));
    assert_null(strstr(log, "a secret"));
    free(log);
    free(secret);
}

/* ---- the channel ---- */

static void whoever_listens_hears_of_each_transition(void **state)
{
    struct world *world = *state;
    struct daemon *daemon = world_daemon(world, NULL);
    PGnotify *heard;
    char last[256] = "";
    int count = 0;

    sql_run(world->sql, "LISTEN schemagate");
    rollout_submit(&daemon->client, 7, CREATE);
    rollout_wait(&daemon->client, 7, "complete");
    sql_run(world->sql, "SELECT 1");
    while ((heard = PQnotifies(world->sql))) {
        snprintf(last, sizeof last, "%s", heard->extra);
        PQfreemem(heard);
        count++;
    }
    assert_int_equal(count, 3);
    json_t *payload = json_loads(last, 0, NULL);
    assert_string_equal(json_text_at(payload, "/kind"), "migration.complete");
    assert_int_equal(json_number_at(payload, "/version"), 7);
    assert_true(json_number_at(payload, "/id") > 0);
    json_decref(payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        world_test(a_command_is_told_of_each_transition_in_order),
        world_test(what_a_command_refuses_it_is_told_again),
        world_test(the_status_says_how_far_each_is_and_why),
        world_test(what_a_dying_daemon_was_telling_the_next_one_tells),
        world_test(a_new_target_hears_what_happens_next_and_only_what_it_asked_for),
        world_test(a_url_gets_signed_posts_until_it_takes_them),
        world_test(whoever_listens_hears_of_each_transition),
    };
    return world_run(tests);
}
