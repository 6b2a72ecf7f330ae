/* The blocking client: curl's multi interface, so that a wait can be interrupted and can tick. */
#include "client.h"

#include "problem.h"
#include "text.h"

#include <schemagate/base/clock.h>
#include <schemagate/base/memory.h>
#include <schemagate/cli/cli.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define ANSWER_TIMEOUT_MS 30000
#define TICK_MS 1000
#define TRIES 4
#define RETRY_AFTER_MAX_MS 3000
#define POLL_LEAST_MS 100 /* between two long polls, should a server not hold its answers */

struct client {
    struct transport transport;
    CURLM *multi;
    int signals; /* signalfd, -1: signals end the process */
    int interrupted;
    client_tick *tick;
    void *tick_context;
    int64_t polled_ms; /* when the last long poll was sent */
};

struct client *client_open(const struct connection *connection)
{
    struct transport transport;
    if (transport_open(&transport, connection) != CLI_DONE)
        return NULL;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct client *client = memory_new(sizeof(*client));
    *client = (struct client){.transport = transport, .multi = curl_multi_init(), .signals = -1};
    return client;
}

void client_close(struct client *client)
{
    if (!client)
        return;
    curl_multi_cleanup(client->multi);
    if (client->signals >= 0)
        close(client->signals);
    transport_close(&client->transport);
    free(client);
    curl_global_cleanup();
}

void client_catch_interrupts(struct client *client)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    client->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int client_interrupted(const struct client *client)
{
    return client->interrupted;
}

void client_on_tick(struct client *client, client_tick *tick, void *context)
{
    client->tick = tick;
    client->tick_context = context;
}

/* One turn of waiting: for curl's sockets, a signal, or the time. */
static void wait_turn(struct client *client, int64_t milliseconds)
{
    struct curl_waitfd signals = {.fd = client->signals, .events = CURL_WAIT_POLLIN};
    int64_t turn = milliseconds < TICK_MS ? milliseconds : TICK_MS;
    int64_t before = clock_sample().boot_ms;
    curl_multi_poll(client->multi, &signals, client->signals >= 0 ? 1 : 0, (int)turn, NULL);
    struct signalfd_siginfo info;
    if (client->signals >= 0 && read(client->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        client->interrupted = (int)info.ssi_signo;
    else if (client->tick && clock_sample().boot_ms - before >= turn)
        client->tick(client->tick_context);
}

void client_pause(struct client *client, int64_t milliseconds)
{
    int64_t until = clock_sample().boot_ms + milliseconds;
    int64_t left;
    while (!client->interrupted && (left = until - clock_sample().boot_ms) > 0)
        wait_turn(client, left);
}

/* Runs one prepared exchange; CURLE_ABORTED_BY_CALLBACK at an interrupt. */
static CURLcode perform(struct client *client, CURL *easy)
{
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;
    int running = 1;
    curl_multi_add_handle(client->multi, easy);
    curl_multi_perform(client->multi, &running);
    while (running && !client->interrupted) {
        wait_turn(client, TICK_MS);
        curl_multi_perform(client->multi, &running);
    }
    int left;
    const CURLMsg *message = curl_multi_info_read(client->multi, &left);
    if (message && message->msg == CURLMSG_DONE)
        result = message->data.result;
    curl_multi_remove_handle(client->multi, easy);
    return result;
}

static bool worth_another_try(const struct reply *reply, int tries)
{
    return tries < TRIES && (reply->status == 503 || reply->status == 429) &&
           reply->retry_after_ms >= 0 && reply->retry_after_ms <= RETRY_AFTER_MAX_MS;
}

void client_exchange(struct client *client, const char *method, const char *path, json_t *body,
                     int64_t wait_ms, struct reply *reply)
{
    struct request request = {method, path, body, (long)(wait_ms + ANSWER_TIMEOUT_MS)};
    if (wait_ms) {
        client_pause(client, client->polled_ms + POLL_LEAST_MS - clock_sample().boot_ms);
        client->polled_ms = clock_sample().boot_ms;
    }
    for (int tries = 1;; tries++) {
        struct exchange exchange;
        bool begun = exchange_begin(&exchange, &client->transport, &request);
        CURLcode result = begun ? perform(client, exchange.easy) : CURLE_OK;
        exchange_finish(&exchange, result, &client->transport, reply);
        if (!worth_another_try(reply, tries) || client->interrupted)
            break;
        client_pause(client, reply->retry_after_ms);
        reply_free(reply);
    }
    json_decref(body);
}

int client_call(struct client *client, const char *method, const char *path, json_t *body,
                const char *subject, struct reply *reply)
{
    client_exchange(client, method, path, body, 0, reply);
    if (client->interrupted)
        return CLI_SIGNAL + client->interrupted;
    int code = reply_exit_code(reply);
    return code == CLI_DONE ? code : problem_report(reply, subject);
}

/* One page, appended to items. *cursor is freed and replaced by the next page's, NULL after the
 * last. */
static int list_page(struct client *client, const char *path, char **cursor, json_t *items)
{
    struct buf place = BUF_INIT(0);
    buf_puts(&place, path);
    if (*cursor) {
        buf_puts(&place, strchr(path, '?') ? "&cursor=" : "?cursor=");
        text_url(&place, *cursor);
    }
    struct reply reply;
    int code = client_call(client, "GET", buf_text(&place), NULL, NULL, &reply);
    const char *next = json_string_value(json_object_get(reply.body, "next"));
    if (code == CLI_DONE)
        json_array_extend(items, json_object_get(reply.body, "items"));
    memory_replace(cursor, code == CLI_DONE ? next : NULL);
    reply_free(&reply);
    buf_free(&place);
    return code;
}

int client_list(struct client *client, const char *path, json_t **list)
{
    json_t *items = json_array();
    char *cursor = NULL;
    int code;
    do {
        code = list_page(client, path, &cursor, items);
    } while (code == CLI_DONE && cursor);
    free(cursor);
    *list = json_pack("{s:o, s:n}", "items", items, "next");
    return code;
}
