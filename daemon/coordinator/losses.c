/* Statements under which sessions end. What is interrupted is begun again by the next term; but what ends its
 * own session each time, or takes the whole server down (memory, a fault there), would do so for ever, and
 * nobody could get a word in. So there are pauses between, and after some losses in a row it has failed. */
#include "state.h"

#include <schemagate/base/log.h>
#include <schemagate/base/memory.h>

#include <stdio.h>
#include <string.h>

enum {
    LOSSES_MAX = 5,
    PAUSES_FROM = 2,       /* the first loss is mostly somebody else's */
    FIRST_PAUSE_MS = 1000, /* each further one is twice as long */
};

static bool is_about(const struct losses *losses, const struct run *run)
{
    return losses->version == run->version && losses->section == run->section &&
           losses->step == (run->step_count > 0 ? run->steps[0].number : 0);
}

void losses_note(struct coordinator *c, const struct run *run)
{
    struct losses *losses = &c->losses;

    if (!is_about(losses, run))
        *losses = (struct losses){.version = run->version,
                                  .section = run->section,
                                  .step = run->step_count > 0 ? run->steps[0].number : 0};
    losses->count++;
    log_warn("the session ended under a migration", LOG_NUMBER("version", run->version),
             LOG_TEXT("section", plan_section_name(run->section)), LOG_NUMBER("step", losses->step),
             LOG_NUMBER("times_in_a_row", losses->count));
}

void losses_forget(struct coordinator *c, const struct run *run)
{
    if (is_about(&c->losses, run))
        c->losses = (struct losses){0};
}

/* What is to be tried again after a pause; NULL: nothing. */
static struct migration *find_paused(const struct coordinator *c)
{
    return c->losses.count >= PAUSES_FROM ? migrations_find(c, c->losses.version) : NULL;
}

void losses_begin_term(struct coordinator *c)
{
    struct migration *m = find_paused(c);

    if (!m || c->losses.count >= LOSSES_MAX) /* what comes next is only said */
        return;
    int64_t pause = (int64_t)FIRST_PAUSE_MS << (c->losses.count - PAUSES_FROM);
    m->next_try_boot = coordinator_now(c).boot_ms + pause;
    m->next_try_wall = coordinator_now(c).wall_ms + pause;
}

char *losses_verdict(const struct coordinator *c, const struct run *run)
{
    return c->losses.count >= LOSSES_MAX && is_about(&c->losses, run)
               ? memory_printf("the session with the database ended %u times in a row while this ran",
                               c->losses.count)
               : NULL;
}

bool losses_summarize(const struct coordinator *c, const struct migration *m, char *text, size_t size)
{
    if (find_paused(c) != m || !m->next_try_boot || m->attempt > 0)
        return false;
    snprintf(text, size, "the session with the database ended %u times in a row under it; after %d it fails",
             c->losses.count, LOSSES_MAX);
    return true;
}
