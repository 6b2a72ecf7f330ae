/* A daemon that answers what a test wants it to answer, for tests of the command line that need no
 * database. It records what it was asked. */
#ifndef TESTS_UNIT_CLI_FAKE_H
#define TESTS_UNIT_CLI_FAKE_H

#include <support/process.h>
#include <support/scratch.h>
#include <support/test.h>

#include <fcntl.h>
#include <jansson.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAKE_REQUESTS 1024
#define FAKE_RULES 32
#define FAKE_TEXT_MAX 65536

struct fake_request {
    char method[8], url[256], body[2048], authorization[128];
    int64_t at_ms;
    int status; /* what it was answered */
};

struct fake_rule {
    char method[8], url[128]; /* the beginning of the URL without its query; the newest rule wins */
    int status;
    char *body;     /* owned; NULL: an empty one */
};

struct fake {
    struct MHD_Daemon *server;
    struct scratch scratch;
    char address[64]; /* "SCHEMAGATE_URL=http://…" */
    pthread_mutex_t lock;
    struct fake_request requests[FAKE_REQUESTS];
    size_t request_count;
    struct fake_rule rules[FAKE_RULES];
    size_t rule_count;
    int64_t hold_ms; /* answers to PUT are held back so long */
};

#define FAKE_REPLICA(state, lease, renew)                                                      \
    "{\"state\":\"" state "\",\"window\":{\"floor\":1,\"ceiling\":2},\"lease_seconds\":" lease \
    ",\"renew_after_seconds\":" renew "}"
#define FAKE_PROBLEM(slug)                                                                     \
    "{\"type\":\"urn:schemagate:problem:" slug "\",\"title\":\"" slug "\",\"detail\":\"so it " \
                                                                      "is\"}"

/* From now on a request that begins so is answered so. */
static inline void fake_answer(struct fake *fake, const char *method, const char *url, int status,
                               const char *body)
{
    pthread_mutex_lock(&fake->lock);
    struct fake_rule *rule = &fake->rules[fake->rule_count++];
    if (fake->rule_count > FAKE_RULES)
        abort();
    snprintf(rule->method, sizeof(rule->method), "%s", method);
    snprintf(rule->url, sizeof(rule->url), "%s", url);
    rule->status = status;
    rule->body = body ? strdup(body) : NULL;
    pthread_mutex_unlock(&fake->lock);
}

static inline const struct fake_rule *fake_find(const struct fake *fake, const char *method,
                                                const char *url)
{
    for (size_t n = fake->rule_count; n-- > 0;)
        if (strcmp(fake->rules[n].method, method) == 0 &&
            strncmp(fake->rules[n].url, url, strlen(fake->rules[n].url)) == 0)
            return &fake->rules[n];
    return NULL;
}

static inline enum MHD_Result fake_query(void *context, enum MHD_ValueKind kind, const char *key,
                                         const char *value)
{
    struct fake_request *request = context;
    size_t length = strlen(request->url);
    (void)kind;
    snprintf(request->url + length, sizeof(request->url) - length, "%s%s=%s",
             strchr(request->url, '?') ? "&" : "?", key, value ? value : "");
    return MHD_YES;
}

static inline enum MHD_Result fake_handle(void *context, struct MHD_Connection *connection,
                                          const char *url, const char *method, const char *version,
                                          const char *upload, size_t *size, void **kept)
{
    struct fake *fake = context;
    struct fake_request *request = *kept;
    (void)version;
    if (!request) {
        *kept = calloc(1, sizeof(*request));
        return MHD_YES;
    }
    if (*size) {
        strncat(request->body, upload,
                *size < sizeof(request->body) - strlen(request->body) - 1
                    ? *size
                    : sizeof(request->body) - strlen(request->body) - 1);
        *size = 0;
        return MHD_YES;
    }
    const char *authorization = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                                            "Authorization");
    snprintf(request->method, sizeof(request->method), "%s", method);
    snprintf(request->url, sizeof(request->url), "%s", url);
    snprintf(request->authorization, sizeof(request->authorization), "%s",
             authorization ? authorization : "");
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, fake_query, request);
    request->at_ms = test_now_ms();
    while (strcmp(method, "PUT") == 0 && test_now_ms() < request->at_ms + fake->hold_ms)
        test_pause();

    pthread_mutex_lock(&fake->lock);
    const struct fake_rule *rule = fake_find(fake, method, url);
    request->status = rule ? rule->status : MHD_HTTP_NOT_FOUND;
    if (fake->request_count < FAKE_REQUESTS)
        fake->requests[fake->request_count++] = *request;
    const char *body = rule && rule->body ? rule->body : "";
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(body), (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result = MHD_queue_response(
        connection, (unsigned)request->status, response);
    pthread_mutex_unlock(&fake->lock);
    MHD_destroy_response(response);
    return result;
}

static inline void fake_done(void *context, struct MHD_Connection *connection, void **kept,
                             enum MHD_RequestTerminationCode how)
{
    (void)context;
    (void)connection;
    (void)how;
    free(*kept);
    *kept = NULL;
}

static inline int fake_open(void **state)
{
    struct fake *fake = calloc(1, sizeof(*fake));
    pthread_mutex_init(&fake->lock, NULL);
    scratch_open(&fake->scratch, "cli", SCRATCH_FAST, false);
    fake->server = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL, 0, NULL, NULL,
                                    fake_handle, fake, MHD_OPTION_NOTIFY_COMPLETED, fake_done, NULL,
                                    MHD_OPTION_END);
    if (!fake->server)
        return -1;
    snprintf(fake->address, sizeof(fake->address), "SCHEMAGATE_URL=http://127.0.0.1:%u",
             (unsigned)MHD_get_daemon_info(fake->server, MHD_DAEMON_INFO_BIND_PORT)->port);
    fake_answer(fake, "PUT", "/v1/apps/web/replicas/", 201, FAKE_REPLICA("live", "30", "0.2"));
    fake_answer(fake, "POST", "/v1/apps/web/replicas/", 200, FAKE_REPLICA("live", "30", "0.2"));
    fake_answer(fake, "DELETE", "/v1/apps/web/replicas/", 204, NULL);
    fake_answer(fake, "GET", "/v1/apps/web/replicas/", 200, "{\"items\":[]}");
    *state = fake;
    return 0;
}

static inline int fake_close(void **state)
{
    struct fake *fake = *state;
    if (fake->server)
        MHD_stop_daemon(fake->server);
    for (size_t n = 0; n < fake->rule_count; n++)
        free(fake->rules[n].body);
    pthread_mutex_destroy(&fake->lock);
    free(fake);
    return 0;
}

/* The n-th request (from 0) of that method whose URL contains `part`; false: there is none. */
static inline bool fake_request(struct fake *fake, const char *method, const char *part, size_t n,
                                struct fake_request *found)
{
    bool is_there = false;
    pthread_mutex_lock(&fake->lock);
    for (size_t i = 0; i < fake->request_count && !is_there; i++) {
        const struct fake_request *request = &fake->requests[i];
        if (strcmp(request->method, method) != 0 || !strstr(request->url, part) || n-- > 0)
            continue;
        *found = *request;
        is_there = true;
    }
    pthread_mutex_unlock(&fake->lock);
    return is_there;
}

static inline size_t fake_count(struct fake *fake, const char *method, const char *part)
{
    struct fake_request found = {0};
    size_t count = 0;
    while (fake_request(fake, method, part, count, &found))
        count++;
    return count;
}

/* When the last renewal came that was answered 200; it was sent before. */
static inline int64_t fake_last_renewal(struct fake *fake)
{
    struct fake_request renewal = {0};
    int64_t at_ms = 0;
    for (size_t n = 0; fake_request(fake, "POST", "/renew", n, &renewal); n++)
        at_ms = renewal.status == 200 ? renewal.at_ms : at_ms;
    return at_ms;
}

/* Waits until there are so many. */
static inline void fake_wait(struct fake *fake, const char *method, const char *part, size_t count)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    while (fake_count(fake, method, part) < count) {
        if (test_now_ms() > deadline)
            test_fail("%zu times %s …%s… were not asked for", count, method, part);
        test_pause();
    }
}

/* A member of a request's JSON body; the caller releases it. */
static inline json_t *fake_member(const struct fake_request *request, const char *member)
{
    json_t *body = json_loads(request->body, 0, NULL),
           *value = json_incref(json_object_get(body, member));
    json_decref(body);
    return value;
}

/* A file of this fake's folder; the caller frees. */
static inline char *fake_file(const struct fake *fake, const char *name)
{
    return scratch_path(&fake->scratch, "%s", name);
}

/* Its text; "" where it does not exist. The caller frees. */
static inline char *fake_read(const struct fake *fake, const char *name)
{
    char *path = fake_file(fake, name), *text = calloc(1, FAKE_TEXT_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, FAKE_TEXT_MAX - 1);
    text[length > 0 ? length : 0] = '\0';
    if (fd >= 0)
        close(fd);
    free(path);
    return text;
}

static inline bool fake_says(const struct fake *fake, const char *name, const char *part)
{
    char *text = fake_read(fake, name);
    bool found = strstr(text, part) != NULL;
    free(text);
    return found;
}

static inline void fake_wait_says(const struct fake *fake, const char *name, const char *part)
{
    int64_t deadline = test_now_ms() + PATIENCE_MS;
    while (!fake_says(fake, name, part)) {
        if (test_now_ms() > deadline)
            test_fail("%s never said \"%s\"", name, part);
        test_pause();
    }
}

#endif
