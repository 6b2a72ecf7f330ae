/* Sessions of applications: processes open them under a name or an address of their own, or through a pooler
 * that carries another; with pins or without; they come and go, end with their process or linger half-open,
 * and some belong to nobody. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

#define POOLER_NAME "pooler"
#define AT_MOST 3 /* of one process */

const char *const role_names[ROLES] = {"app", "jobs", "batch", "reports"};
const char *const habit_names[] = {[HABIT_KEEPS] = "always connected",
                                   [HABIT_COMES] = "connected now and then",
                                   [HABIT_PINS] = "pinned",
                                   [HABIT_POOLED] = "through a pooler"};

static void *numbered(const struct sim *s, size_t process)
{
    return (void *)(uintptr_t)(s->processes[process].serial * PROCESSES + process);
}

/* NULL: it has ended. */
static struct process *still(struct sim *s, void *context, size_t *process)
{
    *process = (size_t)((uintptr_t)context % PROCESSES);
    struct process *p = &s->processes[*process];
    bool same = p->serial == (uint64_t)((uintptr_t)context / PROCESSES);
    return !s->over && same && p->state != PROCESS_DEAD ? p : NULL;
}

bool backend_is_of(const struct backend *session, const struct process *p)
{
    return session->pid && session->serial == p->serial;
}

/* ---- one session ---- */

static void end_session(struct backend *session)
{
    *session = (struct backend){0};
}

static struct backend *find(struct sim *s, void *pid)
{
    for (size_t i = 0; i < BACKENDS; i++)
        if (s->backends[i].pid && s->backends[i].pid == (int)(intptr_t)pid)
            return &s->backends[i];
    return NULL;
}

static void end_by_pid(struct sim *s, void *context)
{
    struct backend *session = s->over ? NULL : find(s, context);
    if (session)
        end_session(session);
}

/* Nobody uses it any more; the server finds out later. */
static void abandon(struct sim *s, struct backend *session, int64_t longest_ms)
{
    session->left = true;
    queue_add(s, s->now + chance_between(s, 1, longest_ms), end_by_pid, (void *)(intptr_t)session->pid);
}

static struct backend *add(struct sim *s, size_t server, size_t role, const char *name, const char *address)
{
    for (size_t i = 0; i < BACKENDS; i++) {
        struct backend *session = &s->backends[i];
        if (session->pid)
            continue;
        *session = (struct backend){.pid = ++s->server.pids, .server = server, .role = role,
                                    .since = s->now};
        snprintf(session->name, sizeof session->name, "%s", name);
        snprintf(session->address, sizeof session->address, "%s", address);
        s->counts.sessions++;
        return session;
    }
    return NULL;
}

/* ---- schemagate.pin(): first the locks, then a look at the markers ---- */

static void check_pin(struct sim *s, void *context)
{
    struct backend *session = s->over ? NULL : find(s, context);
    if (!session || session->server == SERVER_OLD || !session->locks)
        return;
    if (standby_serves(s, session->server, session->range)) {
        session->confirmed = true;
        session->baseline = rows_number(s->rows.window, "baseline");
        s->look = true;
    } else { /* the hook fails, and with it the connection */
        s->counts.pins_refused++;
        end_session(session);
    }
}

static void take_locks(struct sim *s, void *context)
{
    struct backend *session = s->over ? NULL : find(s, context);
    if (!session)
        return;
    session->locks = true;
    queue_add(s, s->now + chance_between(s, 1, chance_one_in(s, 10) ? 500 : 5), check_pin, context);
}

static void begin_pin(struct sim *s, struct backend *session, struct version_range range, int64_t true_max)
{
    session->pins = true;
    session->range = range;
    session->true_max = true_max;
    queue_add(s, s->now + chance_between(s, 1, 20), take_locks, (void *)(intptr_t)session->pid);
}

/* ---- those of a process ---- */

static bool role_is_barred(const struct sim *s, size_t role)
{
    return s->server.barred == (int)role + 1;
}

static size_t some_server(struct sim *s)
{
    return s->rules.standbys && chance_percent(s, 25) ? (size_t)chance_between(s, 1, s->rules.standbys)
                                                      : SERVER_PRIMARY;
}

static void open_own(struct sim *s, size_t process)
{
    const struct process *p = &s->processes[process];
    bool pooled = p->habit == HABIT_POOLED;
    size_t server = p->habit == HABIT_KEEPS ? p->home : some_server(s);
    struct backend *session = server == SERVER_PRIMARY && s->server.down_until > s->now
                                  ? NULL
                                  : add(s, server, p->role, pooled ? POOLER_NAME : p->application_name,
                                        pooled ? "10.9.9.9" : p->address);
    if (!session)
        return;
    session->serial = pooled ? 0 : p->serial;
    if (pooled) /* a server session stays for a while, whoever uses it */
        queue_add(s, s->now + chance_between(s, 100, 5000), end_by_pid, (void *)(intptr_t)session->pid);
    if (p->habit == HABIT_PINS) {
        struct version_range range = p->range;
        range.max = p->lists ? p->true_max : range.max;
        begin_pin(s, session, range, p->true_max);
    }
}

static size_t count_own(const struct sim *s, const struct process *p)
{
    size_t count = 0;
    for (size_t i = 0; i < BACKENDS; i++)
        count += backend_is_of(&s->backends[i], p) && !s->backends[i].left;
    return count;
}

static void close_one(struct sim *s, const struct process *p)
{
    for (size_t i = 0; i < BACKENDS; i++) {
        if (backend_is_of(&s->backends[i], p) && !s->backends[i].left) {
            end_session(&s->backends[i]);
            return;
        }
    }
}

/* Its network fails it: the server finds out later. */
static void cut_off(struct sim *s, struct process *p)
{
    p->database_cut_until = s->now + chance_between(s, 500, 30000);
    for (size_t i = 0; i < BACKENDS; i++)
        if (backend_is_of(&s->backends[i], p) && !s->backends[i].left)
            abandon(s, &s->backends[i], 15000);
}

static void use(struct sim *s, void *context)
{
    size_t process;
    struct process *p = still(s, context, &process);
    if (!p || p->state == PROCESS_LEAVING)
        return;
    bool away = p->paused_until > s->now || p->database_cut_until > s->now;
    size_t own = away ? 0 : count_own(s, p);

    if (!away && own > 0 && !s->calm && chance_one_in(s, 40))
        cut_off(s, p);
    else if (!away && !role_is_barred(s, p->role) &&
             (own < (p->habit == HABIT_KEEPS) || (own < AT_MOST && chance_percent(s, 40))))
        open_own(s, process);
    else if (own > (p->habit == HABIT_KEEPS) && chance_percent(s, 60))
        close_one(s, p);
    queue_add(s, s->now + chance_between(s, 200, 6000), use, context);
}

void sessions_draw(struct sim *s, struct process *p)
{
    int64_t dice = chance_between(s, 0, 99);

    p->habit = dice < 40 ? HABIT_KEEPS : dice < 70 ? HABIT_PINS : dice < 85 ? HABIT_COMES : HABIT_POOLED;
    if (s->rules.require_pins && (s->calm || chance_percent(s, 70)))
        p->habit = HABIT_PINS;
    p->home = some_server(s);
    do {
        p->role = (size_t)chance_between(s, 0, ROLES - 1);
    } while (role_is_barred(s, p->role));
    snprintf(p->address, sizeof p->address, "10.0.%zu.%llu", p->instance,
             (unsigned long long)(chance_percent(s, 20) ? 1 : p->serial));
    /* Names that several have, and names that tell nothing, where an own session is what counts. */
    bool plain = !s->calm && (p->habit == HABIT_KEEPS || p->habit == HABIT_COMES);
    if (plain && chance_percent(s, 30))
        snprintf(p->application_name, sizeof p->application_name, "i%zu", p->instance);
    else if (!plain || chance_percent(s, 60))
        snprintf(p->application_name, sizeof p->application_name, "x%llu", (unsigned long long)p->serial);
}

void sessions_start(struct sim *s, size_t process)
{
    struct process *p = &s->processes[process];
    if (!role_is_barred(s, p->role) && p->database_cut_until <= s->now &&
        (p->habit == HABIT_KEEPS || chance_percent(s, 60)))
        open_own(s, process);
    queue_add(s, s->now + chance_between(s, 200, 3000), use, numbered(s, process));
}

void sessions_leave(struct sim *s, const struct process *p)
{
    for (size_t i = 0; i < BACKENDS; i++) {
        struct backend *session = &s->backends[i];
        if (!backend_is_of(session, p) || session->left)
            continue;
        if (!s->calm && chance_percent(s, 30))
            abandon(s, session, 90000);
        else
            end_session(session);
    }
}

/* ---- the servers' faults ---- */

void sessions_end_on(struct sim *s, size_t server)
{
    for (size_t i = 0; i < BACKENDS; i++)
        if (s->backends[i].pid && s->backends[i].server == server)
            end_session(&s->backends[i]);
}

void sessions_fail_over(struct sim *s)
{
    for (size_t i = 0; i < BACKENDS; i++) {
        struct backend *session = &s->backends[i];
        if (!session->pid || session->server != SERVER_PRIMARY)
            continue;
        if (chance_percent(s, 60)) {
            end_session(session);
            continue;
        }
        session->server = SERVER_OLD; /* where it may go on for a while */
        queue_add(s, s->now + chance_between(s, 1, 30000), end_by_pid, (void *)(intptr_t)session->pid);
    }
}

/* ---- nobody's ---- */

static struct version_range some_range(struct sim *s)
{
    size_t count = s->blueprint_count;
    int64_t a = count ? s->blueprints[chance_between(s, 0, (int64_t)count - 1)].version : 0;
    int64_t b = count ? s->blueprints[count - 1].version : 0;
    return (struct version_range){chance_percent(s, 50) ? 0 : a, chance_percent(s, 50) ? a : b};
}

static void stray(struct sim *s, void *context)
{
    (void)context;
    if (s->over || s->calm)
        return;
    struct backend *session = s->server.down_until > s->now
                                  ? NULL
                                  : add(s, some_server(s), (size_t)chance_between(s, 0, ROLES - 1), "script",
                                        "10.7.7.7");
    if (session) {
        struct version_range range = some_range(s);
        if (chance_percent(s, 50))
            begin_pin(s, session, range, range.max);
        queue_add(s, s->now + chance_between(s, 100, 15000), end_by_pid, (void *)(intptr_t)session->pid);
    }
    queue_add(s, s->now + chance_between(s, 1, 2 * s->rules.stray_every), stray, NULL);
}

/* ---- roles that may not log in any more ---- */

/* A login that was let through just before. */
static void let_in(struct sim *s, void *context)
{
    size_t process;
    const struct process *p = still(s, context, &process);
    if (p && p->database_cut_until <= s->now && p->habit != HABIT_POOLED)
        open_own(s, process);
}

static bool is_used(const struct sim *s, size_t role)
{
    for (size_t i = 0; i < PROCESSES; i++)
        if (s->processes[i].state != PROCESS_DEAD && s->processes[i].role == role)
            return true;
    return false;
}

static void bar(struct sim *s, void *context)
{
    (void)context;
    if (s->over || s->calm)
        return;
    if (s->server.barred && !is_used(s, (size_t)s->server.barred - 1)) {
        s->server.barred = 0;
    } else if (!s->server.barred && chance_percent(s, 30)) {
        s->server.barred = (int)chance_between(s, 1, ROLES);
        sim_trace(s, "an operator: %s may not log in", role_names[s->server.barred - 1]);
        for (size_t i = 0; i < PROCESSES; i++)
            if (s->processes[i].state == PROCESS_RUNNING && role_is_barred(s, s->processes[i].role) &&
                chance_percent(s, 30))
                queue_add(s, s->now + chance_between(s, 1, 8000), let_in, numbered(s, i));
    }
    queue_add(s, s->now + chance_between(s, 1, 20000), bar, NULL);
}

/* ---- what is configured, and what begins with it ---- */

void sessions_begin(struct sim *s)
{
    static const char *const policies[] = {"block", "block", "warn", "ignore"};

    s->rules.strays = policies[chance_between(s, 0, 3)];
    s->rules.trust_seconds = chance_percent(s, 40) ? chance_between(s, 5, 30) : 0;
    s->rules.assume_seconds = chance_percent(s, 10) ? chance_between(s, 10, 60) : 0;
    s->rules.require_pins = chance_percent(s, 10);
    s->rules.app_roles = chance_percent(s, 50);
    s->rules.witness_seconds = chance_between(s, 1, 10);
    s->rules.standbys = chance_percent(s, 40) ? chance_between(s, 1, STANDBYS) : 0;
    s->rules.stray_every = chance_percent(s, 40) ? chance_between(s, 2000, 30000) : 0;
    if (s->rules.stray_every)
        queue_add(s, s->now + chance_between(s, 1, s->rules.stray_every), stray, NULL);
    if (chance_percent(s, 30))
        queue_add(s, s->now + chance_between(s, 1, 20000), bar, NULL);
    standbys_begin(s);
}

void sessions_calm(struct sim *s)
{
    for (size_t i = 0; i < PROCESSES; i++)
        s->processes[i].database_cut_until = 0;
    for (size_t i = 0; i < BACKENDS; i++)
        if (s->backends[i].pid && s->backends[i].serial == 0)
            end_session(&s->backends[i]);
    standbys_calm(s);
}
