/* libcurl for tests. */
#include <support/http.h>

#include <support/test.h>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* Longer than the longest long poll that a test asks for. */
#define ANSWER_PATIENCE_MS 90000L

struct http_pending {
    pthread_t thread;
    struct http_client client;
    char *method, *text, *path;
    const struct http_answer *answer;
};

void http_open(struct http_client *client, const char *socket_path, int port)
{
    *client = (struct http_client){.port = port};
    if (socket_path)
        snprintf(client->socket, sizeof client->socket, "%s", socket_path);
    client->curl = curl_easy_init();
    if (!client->curl)
        test_fail("libcurl does not start");
}

static void answers_free(struct http_answer *answer)
{
    while (answer) {
        struct http_answer *next = answer->next;
        json_decref(answer->json);
        free(answer->body);
        free(answer->headers);
        free(answer);
        answer = next;
    }
}

void http_close(struct http_client *client)
{
    curl_easy_cleanup(client->curl);
    answers_free(client->answers);
    *client = (struct http_client){0};
}

static size_t take(char *bytes, size_t size, size_t count, void *stream)
{
    return fwrite(bytes, size, count, stream);
}

static struct curl_slist *prepare(struct http_client *client, const char *method, const char *text,
                                  const char *header, const char *path)
{
    char url[4096];
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    CURL *curl = client->curl;
    curl_easy_reset(curl);
    if (client->socket[0])
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->socket);
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", client->socket[0] ? 80 : client->port, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, ANSWER_PATIENCE_MS);
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (text) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
        headers = curl_slist_append(headers, "Content-Type: application/json");
    }
    if (header)
        headers = curl_slist_append(headers, header);
    if (client->authorization)
        headers = curl_slist_append(headers, client->authorization);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    return headers;
}

const struct http_answer *http_try(struct http_client *client, const char *method, const char *text,
                                   const char *header, const char *path)
{
    struct http_answer *answer = calloc(1, sizeof *answer);
    size_t body_length = 0, headers_length = 0;
    FILE *body = answer ? open_memstream(&answer->body, &body_length) : NULL;
    FILE *heads = answer ? open_memstream(&answer->headers, &headers_length) : NULL;
    if (!body || !heads)
        test_fail("out of memory");
    struct curl_slist *headers = prepare(client, method, text, header, path);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(client->curl, CURLOPT_HEADERFUNCTION, take);
    curl_easy_setopt(client->curl, CURLOPT_HEADERDATA, heads);
    long status = 0;
    if (curl_easy_perform(client->curl) == CURLE_OK)
        curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    fclose(body);
    fclose(heads);
    curl_slist_free_all(headers);
    answer->status = (int)status;
    answer->json = json_loads(answer->body, 0, NULL);
    answer->next = client->answers;
    client->answers = answer;
    return answer;
}

static char *text_of(json_t *body)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    return text;
}

const struct http_answer *http_tell(struct http_client *client, const char *method, json_t *body,
                                    const char *path)
{
    char *text = text_of(body);
    const struct http_answer *answer = http_try(client, method, text, NULL, path);
    free(text);
    return answer;
}

static char *format_path(const char *format, va_list arguments)
{
    char *path = NULL;
    if (vasprintf(&path, format, arguments) < 0)
        test_fail("out of memory");
    return path;
}

const struct http_answer *http_call(struct http_client *client, const char *method, json_t *body,
                                    const char *path_format, ...)
{
    va_list arguments;
    va_start(arguments, path_format);
    char *path = format_path(path_format, arguments);
    va_end(arguments);
    const struct http_answer *answer = http_tell(client, method, body, path);
    if (answer->status == 0)
        test_fail("%s %s: no answer", method, path);
    free(path);
    return answer;
}

char *http_header(const struct http_answer *answer, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = answer->headers; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            line += length + 1;
            line += strspn(line, " ");
            return strndup(line, strcspn(line, "\r\n"));
        }
    }
    return strdup("");
}

static void *background(void *argument)
{
    struct http_pending *pending = argument;
    pending->answer =
        http_try(&pending->client, pending->method, pending->text, NULL, pending->path);
    return NULL;
}

struct http_pending *http_begin(const struct http_client *client, const char *method, json_t *body,
                                const char *path_format, ...)
{
    struct http_pending *pending = calloc(1, sizeof *pending);
    if (!pending)
        test_fail("out of memory");
    va_list arguments;
    va_start(arguments, path_format);
    pending->path = format_path(path_format, arguments);
    va_end(arguments);
    http_open(&pending->client, client->socket, client->port);
    pending->client.authorization = client->authorization;
    pending->method = strdup(method);
    pending->text = text_of(body);
    if (pthread_create(&pending->thread, NULL, background, pending) != 0)
        test_fail("cannot start a thread");
    return pending;
}

const struct http_answer *http_finish(struct http_client *client, struct http_pending *pending)
{
    pthread_join(pending->thread, NULL);
    struct http_answer *answer = pending->client.answers;
    answer->next = client->answers;
    client->answers = answer;
    pending->client.answers = NULL;
    http_close(&pending->client);
    free(pending->method);
    free(pending->text);
    free(pending->path);
    free(pending);
    return answer;
}

static int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(connection, (struct sockaddr *)&address, sizeof address) == 0 ? connection : -1;
}

static int connect_tcp(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(connection, (struct sockaddr *)&address, sizeof address) == 0 ? connection : -1;
}

int http_raw(const struct http_client *client, const char *bytes, size_t length)
{
    int connection = client->socket[0] ? connect_unix(client->socket) : connect_tcp(client->port);
    if (connection < 0)
        test_fail("cannot connect to the daemon");
    while (length > 0) {
        ssize_t sent = send(connection, bytes, length, MSG_NOSIGNAL);
        if (sent < 0) /* the daemon has heard enough and closed: its answer can still be read */
            break;
        bytes += sent;
        length -= (size_t)sent;
    }
    return connection;
}

char *http_raw_read(int connection)
{
    size_t length = 0;
    char *text = calloc(1, 65536);
    struct pollfd incoming = {.fd = connection, .events = POLLIN};
    if (!text)
        test_fail("out of memory");
    while (length < 65535 && !strstr(text, "\r\n\r\n") && poll(&incoming, 1, PATIENCE_MS) == 1) {
        ssize_t count = recv(connection, text + length, 65535 - length, 0);
        if (count <= 0)
            break;
        length += (size_t)count;
        text[length] = '\0';
    }
    return text;
}

int http_send(const struct http_client *client, const char *method, json_t *body,
              const char *path_format, ...)
{
    va_list arguments;
    va_start(arguments, path_format);
    char *path = format_path(path_format, arguments);
    va_end(arguments);
    char *text = text_of(body), *request = NULL;
    int length = asprintf(&request,
                          "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                          "Content-Length: %zu\r\n\r\n%s",
                          method, path, text ? strlen(text) : 0, text ? text : "");
    if (length < 0)
        test_fail("out of memory");
    int connection = http_raw(client, request, (size_t)length);
    free(request);
    free(text);
    free(path);
    return connection;
}

int http_receive(int connection)
{
    int status = 0;
    char *answer = http_raw_read(connection);
    sscanf(answer, "HTTP/1.1 %d", &status);
    free(answer);
    close(connection);
    return status;
}
