/* The worker's side: read a text, answer with its plan, until standard input ends. Whatever the text does
 * to this process, it does to this process only. */
#include "planner_catalog.h"
#include "planner_codec.h"

#include <schemagate/base/digest.h>
#include <schemagate/base/memory.h>
#include <schemagate/http/plan_document.h>
#include <schemagate/service/planner.h>

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ADDRESS_SANITIZER 1 /* it maps terabytes of address space */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ADDRESS_SANITIZER 1
#endif
#endif

/* PostgreSQL itself takes 2 MB of stack for a statement by default; what needs more could not run. */
static const struct {
    __rlimit_resource_t resource;
    rlim_t limit;
} limits[] = {
    {RLIMIT_CORE, 0},
    {RLIMIT_FSIZE, 0},
    {RLIMIT_STACK, 4 << 20},
#ifndef UNDER_ADDRESS_SANITIZER
    {RLIMIT_AS, 1 << 30},
#endif
};

enum {
    CPU_SECONDS = 10,       /* for one text, whatever the daemon does meanwhile */
    HEAP_KEPT = 128 * 1024, /* a larger text leaves a heap behind that nobody needs again soon */
};

/* False at the end of the input, or when the daemon is gone. */
static bool read_all(void *bytes, size_t length)
{
    char *at = bytes;

    while (length > 0) {
        ssize_t got = read(STDIN_FILENO, at, length);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        length -= (size_t)got;
    }
    return true;
}

static bool write_all(const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length > 0) {
        ssize_t sent = write(STDOUT_FILENO, at, length);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        at += sent;
        length -= (size_t)sent;
    }
    return true;
}

/* "contract 2 1 1 statement 27", and the 27 bytes on the next line. */
static void digest_statement(struct buf *text, const struct plan_statement *statement)
{
    const size_t length = strlen(statement->sql);
    const int64_t numbers[] = {statement->number, statement->transaction, statement->transactional};

    buf_puts(text, plan_section_name(statement->section));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        buf_puts(text, " ");
        buf_number(text, numbers[i]);
    }
    buf_puts(text, " ");
    buf_puts(text, plan_kind_name(statement->work.kind));
    buf_puts(text, " ");
    buf_number(text, (int64_t)length);
    buf_puts(text, "\n");
    buf_append(text, statement->sql, length);
    buf_puts(text, "\n");
}

/* What will run, in one text: an approval is bound to its digest. */
static char *plan_digest(const struct plan *plan)
{
    struct buf text = BUF_INIT(0);
    char tagged[DIGEST_TAGGED_SIZE];

    for (size_t i = 0; i < PLAN_WRITTEN_SECTIONS; i++)
        if (plan->has_section[i])
            buf_printf(&text, "section %s\n", plan_section_name((enum plan_section)i));
    for (size_t i = 0; i < plan->statement_count; i++)
        digest_statement(&text, &plan->statements[i]);
    digest_sha256_tagged(buf_text(&text), text.length, tagged);
    buf_free(&text);
    return memory_copy(tagged);
}

/* NULL where the facts are none. */
static struct plan *read_plan(const struct planner_head *head, const char *sql, const char *facts)
{
    struct plan_options options = head->options;
    struct catalog *catalog = NULL;
    char checksum[DIGEST_TAGGED_SIZE];

    if (head->catalog_length > 0) {
        catalog = planner_catalog_read(facts, head->catalog_length);
        if (catalog == NULL)
            return NULL;
    }
    options.catalog = catalog;

    struct plan *plan = plan_read(sql, head->length, &options);

    catalog_free(catalog);
    plan->checksum = memory_copy(digest_migration_text(sql, head->length, checksum));
    plan->plan_checksum = plan_digest(plan);
    return plan;
}

static bool send_answer(const struct buf *body)
{
    planner_length size = (planner_length)body->length;

    return write_all(&size, sizeof(size)) && write_all(buf_text(body), body->length);
}

/* What has been read is freed when nobody waits any more. */
static bool answer_plan(const struct planner_head *head, const char *sql, const char *facts)
{
    struct plan *plan = read_plan(head, sql, facts);
    struct buf body = BUF_INIT(0);
    bool sent;

    if (plan == NULL)
        return false;
    planner_encode(plan, &body);
    sent = send_answer(&body);
    buf_free(&body);
    plan_free(plan);
    return sent;
}

static bool answer_uses(const struct planner_head *head, const char *packed)
{
    struct plan_question question;
    struct buf body = BUF_INIT(0);
    bool sent;

    if (!planner_decode_question(packed, head->length, &question))
        return false;
    for (size_t i = 0; i < question.text_count; i++) {
        const struct plan_used used = plan_uses(question.texts[i], question.drops, question.drop_count);

        planner_encode_uses(&used, 1, &body);
    }
    sent = send_answer(&body);
    buf_free(&body);
    planner_release_question(&question);
    return sent;
}

static bool answer(const struct planner_head *head, const char *sql, const char *facts)
{
    return head->asks == PLANNER_ASKS_USES ? answer_uses(head, sql) : answer_plan(head, sql, facts);
}

/* Gives up what a process that only reads and answers does not need. */
static void confine(void)
{
    int score;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close_range(STDERR_FILENO + 1, ~0u, 0);
    signal(SIGINT, SIG_IGN); /* they are meant for the daemon, which may still have questions */
    signal(SIGTERM, SIG_IGN);
    score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (score >= 0) {
        dprintf(score, "1000\n"); /* if memory runs out, this is the process to end */
        close(score);
    }
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        setrlimit(limits[i].resource, &(struct rlimit){limits[i].limit, limits[i].limit});
}

int planner_worker_main(int argc, char **argv)
{
    static const struct itimerval full = {.it_value = {.tv_sec = CPU_SECONDS}}, off = {0};
    struct planner_head head;
    bool going = argc == 1;

    (void)argv;
    confine();
    while (going && read_all(&head, sizeof(head))) {
        char *sql = memory_new((size_t)head.length + 1);
        char *facts = memory_new((size_t)head.catalog_length + 1);

        setitimer(ITIMER_PROF, &full, NULL); /* SIGPROF ends the process */
        going = read_all(sql, head.length) && read_all(facts, head.catalog_length)
                && answer(&head, sql, facts);
        setitimer(ITIMER_PROF, &off, NULL);
        free(sql);
        free(facts);
        if (head.length + head.catalog_length > HEAP_KEPT)
            malloc_trim(0);
    }
    return going ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool read_argument(const char *text, int64_t highest, int64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *number >= 0 && *number <= highest;
}

static bool write_document(struct plan *plan)
{
    struct buf document = BUF_INIT(0);
    char *names = planner_catalog_names(plan);
    bool written;

    buf_puts(&document, "{\"plan\":");
    http_write_plan(&document, plan);
    buf_printf(&document, ",\"names\":%s}", names);
    written = write_all(buf_text(&document), document.length);
    buf_free(&document);
    free(names);
    return written;
}

int planner_document_main(int argc, char **argv)
{
    static const struct itimerval full = {.it_value = {.tv_sec = CPU_SECONDS}};
    struct planner_head head = {0};
    int64_t numbers[3];
    struct plan *plan = NULL;
    bool done;

    if (argc != 4 || !read_argument(argv[1], UINT32_MAX, &numbers[0])
        || !read_argument(argv[2], UINT32_MAX, &numbers[1])
        || !read_argument(argv[3], PLAN_VERSION_MAX, &numbers[2]))
        return EXIT_FAILURE;
    confine();
    setitimer(ITIMER_PROF, &full, NULL);
    head.length = (planner_length)numbers[0];
    head.catalog_length = (planner_length)numbers[1];
    head.options.version = numbers[2];
    char *sql = memory_new((size_t)head.length + 1);
    char *facts = memory_new((size_t)head.catalog_length + 1);

    if (read_all(sql, head.length) && read_all(facts, head.catalog_length))
        plan = read_plan(&head, sql, facts);
    if (plan != NULL && head.catalog_length == 0)
        plan_note_no_facts(plan, "no database was asked");
    done = plan != NULL && write_document(plan);
    plan_free(plan);
    free(sql);
    free(facts);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
