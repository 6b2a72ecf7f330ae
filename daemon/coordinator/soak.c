/* Soaking: how long no replica below a version has been there. What must survive a restart is stored as
 * elapsed time; gaps lengthen it, never shorten it (docs/design.md §3). */
#include "record.h"
#include "state.h"

#include <schemagate/base/memory.h>

/* Elapsed time is stored so often while it counts: a restart costs at most so much soak. */
#define STORE_EVERY_MS 10000
#define STORE_KEPT_EVERY_MS 60000 /* of the hours in which a restore is possible */

struct soak_intent {
    struct intent intent;
    int64_t version, elapsed_ms;
};

static bool decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    const struct soak_intent *s = (const struct soak_intent *)intent;
    const struct migration *m = migrations_find(c, s->version);
    bool begun_anew = m && s->elapsed_ms > 0 && m->soak_from_boot == 0;
    if (!m || begun_anew)
        return false;
    changes_row(changes, "migrations", record_soak(s->version, s->elapsed_ms));
    return true;
}

static void apply(struct coordinator *c, struct intent *intent)
{
    const struct soak_intent *s = (const struct soak_intent *)intent;
    struct migration *m = migrations_find(c, s->version);
    if (m)
        m->soak_written_ms = s->elapsed_ms;
}

static const struct intent_kind soak_kind = {.exclusive = true, .decide = decide, .apply = apply};

static void store(struct coordinator *c, const struct migration *m, int64_t elapsed_ms)
{
    struct soak_intent *s = memory_new(sizeof *s);
    s->intent.kind = &soak_kind;
    s->version = m->version;
    s->elapsed_ms = elapsed_ms;
    journal_add(c, &s->intent);
}

static int64_t store_every_ms(const struct migration *m)
{
    return migration_is_kept(m) ? STORE_KEPT_EVERY_MS : STORE_EVERY_MS;
}

void soak_follow(struct coordinator *c, struct migration *m, const struct gate_facts *facts)
{
    int64_t now = coordinator_now(c).boot_ms;

    if (gate_behind(facts) > 0 && !facts->kept) {
        if (m->soak_stored_ms > 0 || m->soak_written_ms > 0)
            store(c, m, 0);
        m->soak_from_boot = m->soak_stored_ms = m->soak_written_ms = 0;
        return;
    }
    if (m->soak_from_boot == 0)
        m->soak_from_boot = now;
    int64_t elapsed = m->soak_stored_ms + now - m->soak_from_boot;
    if (elapsed < facts->soak_ms && elapsed >= m->soak_written_ms + store_every_ms(m)) {
        m->soak_written_ms = elapsed;
        store(c, m, elapsed);
    }
}

void soak_forget(const struct coordinator *c, const struct gate_cohort *cohort,
                 struct change_set *changes)
{
    for (const struct migration *m = c->migrations; m; m = m->by_version.next) {
        const struct gate_facts facts = {
            .kind = GATE_CONTRACT, .version = m->version, .checksum = m->checksum};
        bool stored = m->phase == PHASE_EXPANDED && (m->soak_stored_ms > 0 || m->soak_written_ms > 0);
        if (stored && gate_cohort_holds(&facts, cohort))
            changes_row(changes, "migrations", record_soak(m->version, 0));
    }
}

int64_t soak_end_boot(const struct migration *m, const struct gate_facts *facts)
{
    if (m->soak_from_boot == 0 || facts->soak_elapsed_ms >= facts->soak_ms)
        return 0;
    int64_t end = m->soak_from_boot + facts->soak_ms - m->soak_stored_ms;
    int64_t next_store = m->soak_from_boot + m->soak_written_ms - m->soak_stored_ms + store_every_ms(m);
    return next_store < end ? next_store : end;
}
