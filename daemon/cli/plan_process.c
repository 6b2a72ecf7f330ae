/* The child that plans one text: numbers as its arguments, text and facts on its standard input, a JSON
 * document on its standard output. It bounds itself in stack, memory and time. */
#include "plan_process.h"

#include <schemagate/base/buf.h>
#include <schemagate/plan/rule.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DOCUMENT_MAX ((size_t)512 << 20)

static int start(const struct plan_text *text, size_t facts_length, int end, pid_t *child)
{
    char lengths[2][24], version[24];
    char *const arguments[] = {"schemagate", "plan", "--document", lengths[0], lengths[1], version, NULL};
    static char *const environment[] = {NULL};
    posix_spawn_file_actions_t files;
    int error;

    snprintf(lengths[0], sizeof(lengths[0]), "%zu", text->length);
    snprintf(lengths[1], sizeof(lengths[1]), "%zu", facts_length);
    snprintf(version, sizeof(version), "%" PRId64, text->version);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, end, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, end, STDOUT_FILENO);
    error = posix_spawn(child, "/proc/self/exe", &files, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

/* A child that has ended takes nothing more: that is seen when its answer is missing. */
static void send_all(int channel, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(channel, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return;
        bytes += sent;
        length -= (size_t)sent;
    }
}

static void receive_all(int channel, struct buf *document)
{
    char chunk[65536];
    ssize_t got;
    while ((got = read(channel, chunk, sizeof(chunk))) > 0 || (got < 0 && errno == EINTR))
        if (got > 0)
            buf_append(document, chunk, (size_t)got);
}

/* In place of a plan: the one finding about a text over which the child has ended. */
static json_t *unreadable(int status)
{
    const struct plan_rule *rule = &plan_rules[RULE_UNREADABLE];
    char message[96];

    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF)
        snprintf(message, sizeof(message), "reading the SQL took too long");
    else
        snprintf(message, sizeof(message), "the process that reads SQL ended over this text (%s %d)",
                 WIFSIGNALED(status) ? "signal" : "exit code",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    json_t *finding = json_pack("{s:s, s:s, s:n, s:n, s:n, s:s, s:s, s:s, s:b, s:n}", "id", rule->id,
                                "severity", plan_severity_name(rule->severity), "line", "column", "object",
                                "message", message, "why", rule->why, "fix", rule->fix, "allowed", 0,
                                "allow_reason");
    return json_pack("{s:{s:n, s:n, s:b, s:[], s:[o]}, s:[]}", "plan", "checksum", "plan_checksum", "refused",
                     1, "steps", "findings", finding, "names");
}

json_t *plan_process_read(const struct plan_text *text, const char *facts)
{
    struct buf received = BUF_INIT(DOCUMENT_MAX);
    size_t facts_length = facts ? strlen(facts) : 0;
    int ends[2], status = 0;
    pid_t child;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        fprintf(stderr, "schemagate plan: no socket pair: %s\n", strerror(errno));
        return NULL;
    }
    int error = start(text, facts_length, ends[1], &child);
    close(ends[1]);
    if (error) {
        fprintf(stderr, "schemagate plan: the process that reads SQL cannot be started: %s\n",
                strerror(error));
        close(ends[0]);
        return NULL;
    }
    send_all(ends[0], text->sql, text->length);
    send_all(ends[0], facts ? facts : "", facts_length);
    receive_all(ends[0], &received);
    close(ends[0]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    json_t *document = status == 0 ? json_loadb(buf_text(&received), received.length, 0, NULL) : NULL;
    buf_free(&received);
    return document ? document : unreadable(status);
}
