/* One HTTP exchange with the daemon, prepared for libcurl and read from it. */
#include "transport.h"

#include <schemagate/base/memory.h>
#include <schemagate/cli/cli.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEFAULT_URL "http://127.0.0.1:7433"
#define CONNECT_TIMEOUT_MS 5000L
#define RECEIVED_MAX (64u << 20)
#define TOKEN_MAX 4096
#define PROBLEM_PREFIX "urn:schemagate:problem:"

/* The host's part of "http://host…" begins with one of these: no proxy stands between. */
static const char *const local_hosts[] = {"127.", "localhost", "[::1]"};

static bool is_local(const char *host)
{
    for (size_t n = 0; n < sizeof(local_hosts) / sizeof(local_hosts[0]); n++)
        if (strncmp(host, local_hosts[n], strlen(local_hosts[n])) == 0)
            return true;
    return false;
}

static int complain_url(const char *url, const char *problem)
{
    fprintf(stderr,
            "schemagate: the URL \"%s\" %s\n"
            "  next: give --url (or SCHEMAGATE_URL) as http://HOST:PORT, https://HOST:PORT or "
            "unix:/PATH\n",
            url, problem);
    return CLI_USAGE;
}

int transport_open(struct transport *transport, const struct connection *connection)
{
    *transport = (struct transport){.connection = *connection};
    const char *url = connection->url ? connection->url : DEFAULT_URL;
    if (strncmp(url, "unix:", 5) == 0) {
        const char *path = url + 5 + (strncmp(url + 5, "///", 3) == 0 ? 2 : 0);
        if (*path != '/')
            return complain_url(url, "needs an absolute path after unix:");
        transport->unix_path = path;
        transport->base_url = memory_copy("http://localhost");
        transport->local = true;
        return CLI_DONE;
    }
    const char *host = strncmp(url, "http://", 7) == 0    ? url + 7
                       : strncmp(url, "https://", 8) == 0 ? url + 8
                                                          : NULL;
    if (!host || !*host)
        return complain_url(url, "is neither http, https nor unix");
    if (strchr(host, '@'))
        return complain_url("(hidden)",
                            "carries a user or a password: put the token into --token-file");
    transport->base_url = memory_copy(url);
    for (size_t end = strlen(url); transport->base_url[end - 1] == '/'; end--)
        transport->base_url[end - 1] = '\0';
    transport->local = is_local(host);
    return CLI_DONE;
}

void transport_close(struct transport *transport)
{
    free(transport->base_url);
    *transport = (struct transport){0};
}

void reply_free(struct reply *reply)
{
    free(reply->failure);
    json_decref(reply->body);
    *reply = (struct reply){0};
}

const char *reply_text(const struct reply *reply, const char *member)
{
    const char *text = json_string_value(json_object_get(reply->body, member));
    return text ? text : "";
}

const char *reply_slug(const struct reply *reply)
{
    const char *type = reply_text(reply, "type");
    size_t length = strlen(PROBLEM_PREFIX);
    return strncmp(type, PROBLEM_PREFIX, length) == 0 ? type + length : "";
}

/* Sockets must not reach the command that `run` starts. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)context;
    (void)purpose;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static size_t receive(char *bytes, size_t size, size_t count, void *context)
{
    struct buf *received = context;
    buf_append(received, bytes, size * count);
    return received->overflowed ? 0 : size * count;
}

/* The token is read anew for every request, so that a rotated one is taken up. Returns false with
 * exchange->failure set if it cannot be read. */
static bool add_token(struct exchange *exchange, const char *path)
{
    char line[TOKEN_MAX + 1] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, line, TOKEN_MAX);
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (length < 0) {
        exchange->failure = memory_printf("cannot read the token file %s: %s", path,
                                          strerror(error));
        return false;
    }
    line[strcspn(line, "\r\n \t")] = '\0';
    if (!*line) {
        exchange->failure = memory_printf("the token file %s is empty", path);
        return false;
    }
    char *header = memory_printf("Authorization: Bearer %s", line);
    exchange->headers = curl_slist_append(exchange->headers, header);
    explicit_bzero(line, sizeof(line));
    explicit_bzero(header, strlen(header));
    free(header);
    return true;
}

static void set_connection(CURL *easy, const struct transport *transport)
{
    const struct connection *connection = &transport->connection;
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    if (transport->unix_path)
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, transport->unix_path);
    if (transport->local)
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    if (connection->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, connection->ca_file);
    if (connection->certificate_file)
        curl_easy_setopt(easy, CURLOPT_SSLCERT, connection->certificate_file);
    if (connection->key_file)
        curl_easy_setopt(easy, CURLOPT_SSLKEY, connection->key_file);
}

static void set_request(struct exchange *exchange, const struct request *request)
{
    CURL *easy = exchange->easy;
    exchange->headers = curl_slist_append(exchange->headers,
                                          "Accept: application/json, application/problem+json");
    exchange->headers = curl_slist_append(exchange->headers, "Expect:");
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, request->timeout_ms);
    if (request->body) {
        exchange->content = json_dumps(request->body, JSON_COMPACT);
        exchange->headers = curl_slist_append(exchange->headers, "Content-Type: application/json");
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, exchange->content);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(exchange->content));
    } else if (strcmp(request->method, "POST") == 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
    }
}

bool exchange_begin(struct exchange *exchange, const struct transport *transport,
                    const struct request *request)
{
    *exchange = (struct exchange){.received = BUF_INIT(RECEIVED_MAX)};
    if (transport->connection.token_file && !add_token(exchange, transport->connection.token_file))
        return false;
    exchange->easy = curl_easy_init();
    exchange->url = memory_printf("%s%s", transport->base_url, request->path);
    CURL *easy = exchange->easy;
    curl_easy_setopt(easy, CURLOPT_URL, exchange->url);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->error);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* never wait for a name server at the end */
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "schemagate/" SCHEMAGATE_VERSION);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &exchange->received);
    set_connection(easy, transport);
    set_request(exchange, request);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers);
    return true;
}

void exchange_drop(struct exchange *exchange)
{
    curl_easy_cleanup(exchange->easy);
    curl_slist_free_all(exchange->headers);
    buf_free(&exchange->received);
    free(exchange->url);
    free(exchange->content);
    free(exchange->failure);
    *exchange = (struct exchange){0};
}

static void describe_failure(const struct exchange *exchange, CURLcode result,
                             const struct transport *transport, struct reply *reply)
{
    const char *why = exchange->error[0] ? exchange->error : curl_easy_strerror(result);
    reply->failure = memory_printf(
        "no answer from %s%s: %s", transport->unix_path ? "unix:" : "",
        transport->unix_path ? transport->unix_path : transport->base_url, why);
}

void exchange_finish(struct exchange *exchange, CURLcode result, const struct transport *transport,
                     struct reply *reply)
{
    *reply = (struct reply){.retry_after_ms = -1};
    if (exchange->failure) {
        reply->failure = exchange->failure;
        reply->token_missing = reply->never_sent = true;
        exchange->failure = NULL;
    } else if (result != CURLE_OK) {
        describe_failure(exchange, result, transport, reply);
        reply->never_sent = result == CURLE_COULDNT_CONNECT || result == CURLE_COULDNT_RESOLVE_HOST;
    } else {
        curl_off_t retry_after = 0;
        curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &reply->status);
        if (curl_easy_getinfo(exchange->easy, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK &&
            retry_after > 0)
            reply->retry_after_ms = (int64_t)retry_after * 1000;
        reply->body = json_loadb(buf_text(&exchange->received), exchange->received.length,
                                 JSON_REJECT_DUPLICATES, NULL);
    }
    exchange_drop(exchange);
}
