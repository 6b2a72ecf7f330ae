/* The daemon's side of the planner: a queue of texts, one of them at the worker, and a worker that is
 * started again when it is gone. A text that names something of the database goes to the worker again, with
 * what the database says of it. */
#include "planner_catalog.h"
#include "planner_codec.h"

#include <schemagate/base/buf.h>
#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>
#include <schemagate/plan/rule.h>
#include <schemagate/service/planner.h>

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utlist.h>

enum {
    TRIES = 2, /* a worker may have been killed by somebody else: the first death proves nothing */
    SECONDS_A_REQUEST = 5,
    SECONDS_A_LOOK = 3,
    ANSWER_MAX = 256 << 20,
    READ_AT_ONCE = 64 << 10,
    WRITE_AT_ONCE = 1 << 20
};

struct request {
    struct planner_head head;
    char *sql, *facts;  /* facts NULL: the database has not been asked */
    struct plan *plan;  /* the one without facts, while the database is being asked */
    size_t text_count, drop_count; /* of a question about uses, which stands in `sql` */
    unsigned tries;
    planner_done *done; /* NULL: uses are asked for */
    planner_uses_done *uses_done;
    void *context;
    struct request *prev, *next; /* utlist.h */
};

/* A question to the database; what it answers may come when nobody waits for it any more. */
struct look {
    struct planner *planner; /* NULL: nobody waits */
};

struct planner {
    struct event_base *base;
    planner_look *look;
    void *database;
    struct look *looking; /* for the head of the queue, which is not at the worker meanwhile */
    struct request *queue;  /* its head is the one at the worker, while `asked` */
    struct event *deadline; /* of the request at the worker, or of the look */
    struct bufferevent *channel; /* to write to the worker; NULL: there is none */
    struct event *readable;      /* a bufferevent would read 4 KB at a time */
    struct buf answer;           /* as far as it has come, its length in front */
    pid_t worker;
    bool asked, late;
    int start_error; /* an error number, while there is no worker that could be asked */
};

static void pump(struct planner *planner);

static void request_free(struct request *request)
{
    free(request->sql);
    free(request->facts);
    plan_free(request->plan);
    free(request);
}

/* Takes the head off the queue, and sends the next one on its way. */
static struct request *pop(struct planner *planner)
{
    struct request *request = planner->queue;

    DL_DELETE(planner->queue, request);
    planner->asked = false;
    event_del(planner->deadline);
    pump(planner);
    return request;
}

/* The last thing that a caller does with the planner: `done` may close it. */
static void finish(struct planner *planner, struct plan *plan)
{
    struct request *request = pop(planner);
    planner_done *done = request->done;
    void *context = request->context;

    request_free(request);
    done(context, plan);
}

/* The same for a question; uses NULL: it could not be answered. */
static void finish_uses(struct planner *planner, const struct plan_used *uses)
{
    struct request *request = pop(planner);
    planner_uses_done *done = request->uses_done;
    void *context = request->context;

    request_free(request);
    done(context, uses);
}

static struct plan *unreadable(char *message)
{
    const struct plan_rule *rule = &plan_rules[RULE_UNREADABLE];
    struct plan *plan = memory_new(sizeof(*plan));

    plan->soak_seconds = plan->keep_hours = plan->requires = -1;
    plan->findings = memory_new(sizeof(*plan->findings));
    plan->finding_count = 1;
    plan->findings[0] = (struct plan_finding){
        .id = rule->id,
        .severity = rule->severity,
        .message = message,
        .why = rule->why,
        .fix = memory_copy(rule->fix),
    };
    return plan;
}

/* The head of the queue cannot be read; the message is taken over. */
static void give_up(struct planner *planner, char *message)
{
    if (planner->queue->head.asks == PLANNER_ASKS_PLAN) {
        finish(planner, unreadable(message));
        return;
    }
    log_warn("statements cannot be read", LOG_TEXT("reason", message));
    free(message);
    finish_uses(planner, NULL);
}

/* ---- the database's facts ---- */

static void forget_look(struct planner *planner)
{
    if (planner->looking != NULL)
        planner->looking->planner = NULL;
    planner->looking = NULL;
}

/* The plan as it is has to do. */
static void finish_without_facts(struct planner *planner, const char *reason)
{
    struct plan *plan = planner->queue->plan;

    planner->queue->plan = NULL;
    forget_look(planner);
    plan_note_no_facts(plan, reason);
    finish(planner, plan);
}

static void on_look(void *context, const char *document, const char *trouble)
{
    struct look *look = context;
    struct planner *planner = look->planner;

    free(look);
    if (planner == NULL)
        return;
    planner->looking = NULL;
    event_del(planner->deadline);
    if (document == NULL) {
        finish_without_facts(planner, trouble);
        return;
    }
    planner->queue->facts = memory_copy(document);
    planner->queue->head.catalog_length = (planner_length)strlen(document);
    planner->queue->tries = 0;
    plan_free(planner->queue->plan);
    planner->queue->plan = NULL;
    pump(planner);
}

/* Asks about what the plan of the queue's head needs. */
static void look(struct planner *planner, struct plan *plan)
{
    static const struct timeval patience = {.tv_sec = SECONDS_A_LOOK};
    char *names = planner_catalog_names(plan);

    planner->asked = false;
    planner->queue->plan = plan;
    planner->looking = memory_new(sizeof(*planner->looking));
    planner->looking->planner = planner;
    event_add(planner->deadline, &patience);
    planner->look(planner->database, names, on_look, planner->looking);
    free(names);
}

/* A plan has come from the worker. */
static void take_plan(struct planner *planner, struct plan *plan)
{
    if (planner->look == NULL || planner->queue->facts != NULL || plan->need_count == 0) {
        finish(planner, plan);
    } else if (plan->need_count > PLANNER_NEEDS_MAX) {
        plan_note_no_facts(plan, "the text names too many tables to ask about");
        finish(planner, plan);
    } else {
        look(planner, plan);
    }
}

/* ---- the worker ---- */

/* Ends and reaps the worker; it is dead, or has nothing left to say. Returns its wait status. */
static int worker_end(struct planner *planner)
{
    int status = 0;

    event_free(planner->readable);
    bufferevent_free(planner->channel);
    buf_free(&planner->answer);
    planner->channel = NULL;
    kill(planner->worker, SIGKILL);
    while (waitpid(planner->worker, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static void worker_is_gone(struct planner *planner)
{
    int status = worker_end(planner);
    int signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

    log_warn("planner worker ended", LOG_NUMBER("signal", signal_number),
             LOG_NUMBER("reading", planner->asked));
    if (!planner->asked)
        return;
    if (planner->late)
        give_up(planner, memory_printf("reading the SQL took longer than %d seconds", SECONDS_A_REQUEST));
    else if (planner->queue->tries >= TRIES)
        give_up(planner, memory_printf("the process that reads SQL ended over this text (signal %d)",
                                       signal_number));
    else {
        planner->asked = false;
        event_del(planner->deadline);
        pump(planner);
    }
}

static void on_event(struct bufferevent *channel, short what, void *context)
{
    (void)channel;
    if (what & BEV_EVENT_ERROR)
        worker_is_gone(context);
}

static void on_deadline(evutil_socket_t unused, short what, void *context)
{
    struct planner *planner = context;

    (void)unused;
    (void)what;
    if (planner->looking != NULL) {
        finish_without_facts(planner, "the database did not answer in time");
        return;
    }
    if (planner->channel == NULL) {
        give_up(planner, memory_printf("the process that reads SQL cannot be started: %s",
                                       strerror(planner->start_error)));
        return;
    }
    planner->late = true;
    kill(planner->worker, SIGKILL); /* the end of its channel says the rest */
}

/* False: the bytes are no answer to what the head of the queue asks. */
static bool take_answer(struct planner *planner, const char *bytes, size_t length)
{
    const struct request *request = planner->queue;

    if (request->head.asks == PLANNER_ASKS_PLAN) {
        struct plan *plan = planner_decode(bytes, length);

        if (plan != NULL)
            take_plan(planner, plan);
        return plan != NULL;
    }
    struct plan_used *uses = planner_decode_uses(bytes, length, request->text_count, request->drop_count);
    bool taken = uses != NULL;

    if (taken)
        finish_uses(planner, uses);
    free(uses);
    return taken;
}

/* Takes the answer when it is there as a whole. False: these bytes are none. */
static bool take_bytes(struct planner *planner)
{
    struct buf answer = planner->answer;
    planner_length length;

    if (answer.length < sizeof(length))
        return true;
    memcpy(&length, answer.data, sizeof(length));
    if (!planner->asked || length > ANSWER_MAX || answer.length - sizeof(length) > length)
        return false;
    if (answer.length - sizeof(length) < length)
        return true;
    planner->answer = BUF_INIT(0);

    bool taken = take_answer(planner, answer.data + sizeof(length), length);

    buf_free(&answer);
    return taken;
}

static void on_readable(evutil_socket_t end, short what, void *context)
{
    struct planner *planner = context;
    char bytes[READ_AT_ONCE];
    ssize_t got = read(end, bytes, sizeof(bytes));

    (void)what;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0)
        buf_append(&planner->answer, bytes, (size_t)got);
    if (got <= 0 || !take_bytes(planner))
        worker_is_gone(planner);
}

/* Runs our own binary with one end of the socket as its standard input and output, default signals and an
 * empty environment: what reads foreign text holds no secrets. Returns 0 or an error number. */
static int spawn(int end, pid_t *worker)
{
    static const char *const arguments[] = {"schemagate", "plan", "--worker", NULL};
    static char *const environment[] = {NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int error;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, end, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, end, STDOUT_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    error = posix_spawn(worker, "/proc/self/exe", &files, &attributes, (char *const *)arguments,
                        environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

static int worker_start(struct planner *planner)
{
    int ends[2], error;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return errno;
    error = spawn(ends[1], &planner->worker);
    close(ends[1]);
    if (error != 0) {
        close(ends[0]);
        return error;
    }
    evutil_make_socket_nonblocking(ends[0]);
    planner->channel = bufferevent_socket_new(planner->base, ends[0], BEV_OPT_CLOSE_ON_FREE);
    planner->readable = event_new(planner->base, ends[0], EV_READ | EV_PERSIST, on_readable, planner);
    assert(planner->channel != NULL && planner->readable != NULL);
    bufferevent_setcb(planner->channel, NULL, NULL, on_event, planner);
    bufferevent_set_max_single_write(planner->channel, WRITE_AT_ONCE);
    bufferevent_enable(planner->channel, EV_WRITE);
    event_add(planner->readable, NULL);
    return 0;
}

/* Sends the head of the queue to the worker, if it is free. Answers nothing by itself: that no worker can
 * be started is said from the loop, as everything is. */
static void pump(struct planner *planner)
{
    static const struct timeval patience = {.tv_sec = SECONDS_A_REQUEST}, at_once = {0};
    struct request *request = planner->queue;

    if (request == NULL || planner->asked || planner->looking != NULL)
        return;
    planner->asked = true;
    planner->late = false;
    request->tries++;
    if (planner->channel == NULL)
        planner->start_error = worker_start(planner);
    if (planner->channel != NULL) {
        bufferevent_write(planner->channel, &request->head, sizeof(request->head));
        bufferevent_write(planner->channel, request->sql, request->head.length);
        bufferevent_write(planner->channel, request->facts, request->head.catalog_length);
    }
    event_add(planner->deadline, planner->channel != NULL ? &patience : &at_once);
}

struct planner *planner_open(struct event_base *base, planner_look *look_at, void *database)
{
    struct planner *planner = memory_new(sizeof(*planner));

    planner->base = base;
    planner->look = look_at;
    planner->database = database;
    planner->deadline = evtimer_new(base, on_deadline, planner);
    assert(planner->deadline != NULL);
    worker_start(planner); /* so that the first request finds it; a failure is that request's answer */
    return planner;
}

void planner_read(struct planner *planner, const char *sql, size_t length,
                  const struct plan_options *options, planner_done *done, void *context)
{
    struct request *request = memory_new(sizeof(*request));

    assert(length <= UINT32_MAX);
    request->sql = memory_copy_n(sql, length);
    request->head.length = (planner_length)length;
    request->head.options = *options;
    request->head.options.catalog = NULL; /* lies in this process */
    request->done = done;
    request->context = context;
    DL_APPEND(planner->queue, request);
    pump(planner);
}

void planner_find_uses(struct planner *planner, const struct plan_question *question, planner_uses_done *done,
                       void *context)
{
    struct request *request = memory_new(sizeof(*request));
    struct buf packed = BUF_INIT(0);

    planner_encode_question(question, &packed);
    assert(packed.length <= UINT32_MAX);
    request->sql = memory_copy_n(buf_text(&packed), packed.length);
    request->head.asks = PLANNER_ASKS_USES;
    request->head.length = (planner_length)packed.length;
    request->text_count = question->text_count;
    request->drop_count = question->drop_count;
    request->uses_done = done;
    request->context = context;
    buf_free(&packed);
    DL_APPEND(planner->queue, request);
    pump(planner);
}

void planner_close(struct planner *planner)
{
    struct request *request, *next, *queue;

    if (planner == NULL)
        return;
    queue = planner->queue;
    forget_look(planner);
    if (planner->channel != NULL)
        worker_end(planner);
    event_free(planner->deadline);
    free(planner);
    DL_FOREACH_SAFE(queue, request, next) {
        if (request->head.asks == PLANNER_ASKS_PLAN)
            request->done(request->context, NULL);
        else
            request->uses_done(request->context, NULL);
        request_free(request);
    }
}
