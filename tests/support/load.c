/* The load generator. */
#include <support/load.h>

#include <support/test.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_SIZE 4096
#define EVENTS 512
#define SLOWEST_US 1000000

struct connection {
    int fd;
    size_t next;       /* request that it sends next */
    int64_t sent_us;
    size_t length;     /* of what has arrived of the answer */
    char answer[ANSWER_SIZE];
};

struct generator {
    const struct load *load;
    struct connection *connections;
    int epoll;
    size_t open, next_request;
    int64_t deadline_us;
    uint32_t *latencies; /* how many answers took so many microseconds */
    struct load_result *result;
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int connect_loopback(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        test_fail("cannot connect to port %d: %s", port, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void retire(struct generator *generator, struct connection *connection)
{
    epoll_ctl(generator->epoll, EPOLL_CTL_DEL, connection->fd, NULL);
    generator->open--;
}

/* Sends the connection's next request, or takes it out of the loop where nothing is left to
 * send. */
static void send_next(struct generator *generator, struct connection *connection)
{
    const struct load *load = generator->load;
    int64_t now = now_us();
    size_t place;
    if (load->duration_ms) {
        place = connection->next;
        connection->next = (connection->next + load->connections) % load->request_count;
    } else {
        place = generator->next_request++;
    }
    if (load->duration_ms ? now > generator->deadline_us : place >= load->request_count) {
        retire(generator, connection);
        return;
    }
    const char *request = load->requests[place];
    size_t length = strlen(request);
    connection->sent_us = now;
    connection->length = 0;
    if (send(connection->fd, request, length, MSG_NOSIGNAL) != (ssize_t)length) {
        generator->result->failed++;
        retire(generator, connection);
    }
}

/* True once head and body are there. */
static int is_complete(const struct connection *connection)
{
    const char *end = strstr(connection->answer, "\r\n\r\n");
    const char *length = end ? strcasestr(connection->answer, "\r\nContent-Length:") : NULL;
    size_t body = length &&
    length < end ? strtoul(length + strlen("\r\nContent-Length:"), NULL, 10) : 0;
    return end && connection->length >= (size_t)(end + 4 - connection->answer) + body;
}

static void note_answer(struct generator *generator, const struct connection *connection)
{
    int64_t took = now_us() - connection->sent_us;
    generator->latencies[took < SLOWEST_US ? took : SLOWEST_US - 1]++;
    if (strncmp(connection->answer, "HTTP/1.1 2", 10) == 0)
        generator->result->answered++;
    else if (generator->result->failed++ == 0)
        fprintf(stderr, "load: %.300s\n", connection->answer);
}

static void receive(struct generator *generator, struct connection *connection)
{
    ssize_t count = recv(connection->fd, connection->answer + connection->length,
                         ANSWER_SIZE - 1 - connection->length, 0);
    if (count < 0 && errno == EAGAIN)
        return;
    if (count <= 0) {
        generator->result->failed++;
        retire(generator, connection);
        return;
    }
    connection->length += (size_t)count;
    connection->answer[connection->length] = '\0';
    if (is_complete(connection)) {
        note_answer(generator, connection);
        send_next(generator, connection);
    }
}

static double histogram_quantile(const uint32_t *latencies, uint64_t total, double share)
{
    uint64_t wanted = (uint64_t)((double)total * share), seen = 0;
    for (size_t us = 0; us < SLOWEST_US; us++) {
        seen += latencies[us];
        if (seen > wanted)
            return (double)us / 1000;
    }
    return 0;
}

static void open_all(struct generator *generator)
{
    for (size_t i = 0; i < generator->load->connections; i++) {
        struct connection *connection = &generator->connections[i];
        connection->fd = connect_loopback(generator->load->port);
        connection->next = i % generator->load->request_count;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        epoll_ctl(generator->epoll, EPOLL_CTL_ADD, connection->fd, &event);
    }
    generator->open = generator->load->connections;
}

static void loop(struct generator *generator)
{
    struct epoll_event events[EVENTS];
    for (size_t i = 0; i < generator->load->connections; i++)
        send_next(generator, &generator->connections[i]);
    while (generator->open > 0) {
        int count = epoll_wait(generator->epoll, events, EVENTS, PATIENCE_MS);
        if (count <= 0)
            test_fail("the server does not answer any more");
        for (int i = 0; i < count; i++)
            receive(generator, events[i].data.ptr);
    }
}

void load_run(const struct load *load, struct load_result *result, void (*looked_at)(void *context),
              void *context)
{
    *result = (struct load_result){0};
    struct generator generator =
        {.load = load, .result = result, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    generator.connections = calloc(load->connections, sizeof *generator.connections);
    generator.latencies = calloc(SLOWEST_US, sizeof *generator.latencies);
    if (!generator.connections || !generator.latencies)
        test_fail("out of memory");
    open_all(&generator);
    int64_t started = now_us();
    generator.deadline_us = started + load->duration_ms * 1000;
    loop(&generator);
    result->seconds = (double)(now_us() - started) / 1e6;
    result->p50_ms =
        histogram_quantile(generator.latencies, result->answered + result->failed, 0.5);
    result->p99_ms =
        histogram_quantile(generator.latencies, result->answered + result->failed, 0.99);
    if (looked_at)
        looked_at(context);
    for (size_t i = 0; i < load->connections; i++)
        close(generator.connections[i].fd);
    close(generator.epoll);
    free(generator.connections);
    free(generator.latencies);
}

char *load_request(const char *method, const char *path, const char *body)
{
    char *request = NULL;
    if (asprintf(&request,
                 "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 method, path, strlen(body), body) < 0)
        test_fail("out of memory");
    return request;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double load_quantile(double *values, size_t count, double share)
{
    qsort(values, count, sizeof *values, compare);
    return values[(size_t)((double)(count - 1) * share)];
}
