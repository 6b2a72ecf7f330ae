/* The ceiling for renewals: a bare epoll server that does what one renewal needs and nothing else.
 * It reads the request, parses the JSON body (jansson), finds the replica in a hash table (uthash),
 * extends its lease and answers with the same JSON as the daemon. No routes, no roles, no errors.
 *
 *     ceiling REPLICAS     prints the port that it listens on */
#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>

#define REQUEST_SIZE 2048
#define EVENTS 512
#define LEASE_SECONDS 30
#define PATH_START "POST /v1/apps/"

struct replica {
    UT_hash_handle by_key;
    char key[64]; /* "app/instance" */
    char incarnation[40];
    int64_t deadline_ms;
};

struct connection {
    int fd;
    size_t length;
    char request[REQUEST_SIZE];
};

static struct replica *create_replicas(size_t count)
{
    struct replica *replicas = NULL;
    for (size_t i = 0; i < count; i++) {
        struct replica *replica = calloc(1, sizeof *replica);
        if (!replica)
            abort();
        snprintf(replica->key, sizeof replica->key, "web/r%zu", i);
        snprintf(replica->incarnation, sizeof replica->incarnation, "one");
        HASH_ADD_KEYPTR(by_key, replicas, replica->key, strlen(replica->key), replica);
    }
    return replicas;
}

static struct replica *find_replica(struct replica *replicas, const char *request)
{
    char key[64];
    struct replica *found = NULL;
    const char *app = request + strlen(PATH_START);
    const char *app_end = strchr(app, '/');
    const char *instance = app_end ? app_end + strlen("/replicas/") : NULL;
    const char *instance_end = instance ? strchr(instance, '/') : NULL;
    if (!instance_end)
        return NULL;
    int length = snprintf(key, sizeof key, "%.*s/%.*s", (int)(app_end - app), app,
                          (int)(instance_end - instance), instance);
    HASH_FIND(by_key, replicas, key, (size_t)length, found);
    return found;
}

static void format_time(int64_t wall_ms, char text[32])
{
    struct tm parts;
    time_t seconds = wall_ms / 1000;
    gmtime_r(&seconds, &parts);
    size_t length = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + length, 32 - length, ".%03dZ", (int)(wall_ms % 1000));
}

static int renew(struct replica *replica, const char *body, size_t length, char answer[1024])
{
    struct timespec now, wall;
    char expires[32], text[768];
    json_t *document = json_loadb(body, length, JSON_REJECT_DUPLICATES, NULL);
    const char *incarnation = json_string_value(json_object_get(document, "incarnation"));
    bool known = replica && incarnation && strcmp(incarnation, replica->incarnation) == 0;
    json_decref(document);
    if (!known)
        return snprintf(answer, 1024, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    clock_gettime(CLOCK_BOOTTIME, &now);
    clock_gettime(CLOCK_REALTIME, &wall);
    replica->deadline_ms = (now.tv_sec + LEASE_SECONDS) * 1000 + now.tv_nsec / 1000000;
    format_time((wall.tv_sec + LEASE_SECONDS) * 1000 + wall.tv_nsec / 1000000, expires);
    int size = snprintf(text, sizeof text,
                        "{\"app\": \"web\", \"instance\": \"%s\", \"incarnation\": \"%s\", "
                        "\"state\": \"live\", \"min\": 1, \"max\": 2, \"release\": \"\", "
                        "\"window\": {\"floor\": 0, \"ceiling\": 2, \"contracting\": null, "
                        "\"undoing\": null}, \"lease_seconds\": %d, \"lease_expires_at\": \"%s\", "
                        "\"renew_after_seconds\": %d, \"epoch\": 1}",
                        replica->key + 4, replica->incarnation, LEASE_SECONDS, expires,
                        LEASE_SECONDS / 3);
    return snprintf(answer, 1024,
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    "Content-Length: %d\r\n\r\n%s",
                    size, text);
}

/* Answers when head and body are complete. */
static void answer_request(struct connection *connection, struct replica *replicas)
{
    char answer[1024];
    connection->request[connection->length] = '\0';
    const char *end = strstr(connection->request, "\r\n\r\n");
    const char *header = end ? strcasestr(connection->request, "\r\nContent-Length:") : NULL;
    if (!header)
        return;
    size_t body = strtoul(header + strlen("\r\nContent-Length:"), NULL, 10);
    size_t head = (size_t)(end + 4 - connection->request);
    if (connection->length < head + body)
        return;
    int length = renew(find_replica(replicas, connection->request), end + 4, body, answer);
    connection->length = 0;
    if (send(connection->fd, answer, (size_t)length, MSG_NOSIGNAL) != length)
        shutdown(connection->fd, SHUT_RDWR);
}

static void accept_connection(int epoll, int listener)
{
    int on = 1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct connection *connection = fd < 0 ? NULL : calloc(1, sizeof *connection);
    if (!connection)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection->fd = fd;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd,
              &(struct epoll_event){.events = EPOLLIN, .data.ptr = connection});
}

static void read_request(struct connection *connection, struct replica *replicas)
{
    ssize_t count = recv(connection->fd, connection->request + connection->length,
                         REQUEST_SIZE - 1 - connection->length, 0);
    if (count < 0 && errno == EAGAIN)
        return;
    if (count <= 0) {
        close(connection->fd);
        free(connection);
        return;
    }
    connection->length += (size_t)count;
    answer_request(connection, replicas);
}

static int listen_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 4096) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        abort();
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(int argc, char **argv)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    struct replica *replicas = create_replicas(argc > 1 ? strtoul(argv[1], NULL, 10) : 1);
    struct epoll_event events[EVENTS];
    int epoll = epoll_create1(EPOLL_CLOEXEC), listener = listen_loopback();
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN});
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr)
                read_request(events[i].data.ptr, replicas);
            else
                accept_connection(epoll, listener);
        }
    }
}
