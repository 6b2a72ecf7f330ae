/* The true shape of the database, whatever anybody has written down: which statements have had their
 * effects. And the one invariant: every process that may run finds a version served that it works with. */
#include "sim.h"

#include <schemagate/base/digest.h>

#include <stdio.h>
#include <string.h>

struct blueprint *truth_find(struct sim *s, int64_t version)
{
    for (size_t i = 0; i < s->blueprint_count; i++)
        if (s->blueprints[i].version == version)
            return &s->blueprints[i];
    return NULL;
}

void truth_plan_keep(struct blueprint *b)
{
    bool hides = b->keep && b->statements[PLAN_CONTRACT] > 0;

    b->statements[PLAN_PURGE] = hides ? b->statements[PLAN_CONTRACT] : -1;
    b->statements[PLAN_RESTORE] = hides ? b->statements[PLAN_CONTRACT] + 1 : -1;
    if (hides) /* the functions that hide run in transactions */
        b->alone &= ~(1u << PLAN_CONTRACT | 1u << PLAN_RESTORE);
}

/* The file: the simulated planner (daemon.c) reads it again. */
void truth_write_text(struct blueprint *b)
{
    snprintf(b->text, sizeof b->text, "%lld %u %d %d %d %d %u %d %d %lld %lld %d %d", (long long)b->version,
             b->revision, b->statements[PLAN_EXPAND], b->statements[PLAN_BACKFILL],
             b->statements[PLAN_CONTRACT], b->statements[PLAN_UNDO], b->alone, b->together, b->manual,
             (long long)b->soak_seconds, (long long)b->requires, b->keep, b->batched);
    digest_migration_text(b->text, strlen(b->text), b->checksum);
    memset(b->executed, 0, sizeof b->executed);
    b->undone = b->hours_passed = false;
    b->filled = 0;
    truth_plan_keep(b);
}

bool truth_read_statement(const char *sql, struct statement *statement)
{
    long long version;
    int section, alone;
    if (sscanf(sql, "%lld %d %d/%d %d", &version, &section, &statement->number, &statement->of,
               &alone) != 5)
        return false;
    statement->version = version;
    statement->section = (enum plan_section)section;
    statement->alone = alone;
    return true;
}

static unsigned all(int statements)
{
    return statements > 0 ? (1u << statements) - 1 : 0;
}

static bool is_expanded(const struct blueprint *b)
{
    return b->executed[PLAN_EXPAND] == all(b->statements[PLAN_EXPAND]) &&
           b->executed[PLAN_BACKFILL] == all(b->statements[PLAN_BACKFILL]);
}

bool truth_serves(const struct sim *s, int64_t version)
{
    int64_t baseline = rows_number(s->rows.window, "baseline");
    bool there = version == baseline;
    for (size_t i = 0; i < s->blueprint_count; i++) {
        const struct blueprint *b = &s->blueprints[i];
        if (b->executed[PLAN_CONTRACT] && b->version > version)
            return false;
        if (b->version == version && version > baseline) /* below it nothing runs */
            there = b->submitted && is_expanded(b) && !b->executed[PLAN_UNDO] && !b->undone;
    }
    return there;
}

/* A release that lists what it ships claims more than it knows: contracts that it does not know break it. */
static bool is_broken(const struct sim *s, const struct process *p)
{
    for (size_t i = 0; p->lists && i < s->blueprint_count; i++)
        if (s->blueprints[i].executed[PLAN_CONTRACT] && s->blueprints[i].version > p->true_max)
            return true;
    return false;
}

bool truth_serves_some(const struct sim *s, struct version_range range)
{
    int64_t baseline = rows_number(s->rows.window, "baseline");

    if (version_in(range, baseline) && truth_serves(s, baseline))
        return true;
    for (size_t i = 0; i < s->blueprint_count; i++)
        if (version_in(range, s->blueprints[i].version) && truth_serves(s, s->blueprints[i].version))
            return true;
    return false;
}

bool truth_works(const struct sim *s, const struct process *p)
{
    int64_t max = p->lists ? p->range.max : p->true_max;
    return !is_broken(s, p) && truth_serves_some(s, (struct version_range){p->range.min, max});
}

void truth_check(struct sim *s)
{
    evidence_check_pins(s);
    for (size_t i = 0; i < PROCESSES; i++) {
        const struct process *p = &s->processes[i];
        if (p->state == PROCESS_RUNNING && !p->given_up && !truth_works(s, p))
            sim_fail(s, "%s/i%zu (%s), running %lld..%lld, has no version left that it works with",
                     app_names[p->app], p->instance, p->incarnation, (long long)p->range.min,
                     (long long)p->true_max);
    }
}

static void check_order(struct sim *s, const struct statement *st, const struct blueprint *b)
{
    unsigned earlier = (1u << (st->number - 1)) - 1;

    if ((b->executed[st->section] & earlier) != earlier)
        sim_fail(s, "%lld: %s %d runs before the one that it follows", (long long)st->version,
                 plan_section_name(st->section), st->number);
    if (st->section == PLAN_CONTRACT && !is_expanded(b))
        sim_fail(s, "contract %lld runs, and its expand is not done", (long long)st->version);
    if (st->section != PLAN_UNDO && b->executed[PLAN_UNDO])
        sim_fail(s, "%lld: %s runs after its undo", (long long)st->version,
                 plan_section_name(st->section));
    for (size_t i = 0; i < s->blueprint_count; i++) {
        const struct blueprint *other = &s->blueprints[i];
        unsigned begun = other->executed[PLAN_CONTRACT];
        bool done = begun == all(other->statements[PLAN_CONTRACT]);
        if (st->section == PLAN_CONTRACT && other->version < b->version && begun && !done)
            sim_fail(s, "contract %lld runs while contract %lld is half done", (long long)b->version,
                     (long long)other->version);
        if (st->section == PLAN_CONTRACT && other->version > b->version && begun)
            sim_fail(s, "contract %lld runs after contract %lld", (long long)b->version,
                     (long long)other->version);
        if (st->section == PLAN_UNDO && other->version > b->version && other->executed[PLAN_EXPAND] &&
            other->executed[PLAN_UNDO] != all(other->statements[PLAN_UNDO]))
            sim_fail(s, "undo %lld runs below %lld", (long long)b->version, (long long)other->version);
    }
}

/* What is hidden is there until its purge begins; a restore takes the contract back when all of it is
 * done. */
static void check_kept(struct sim *s, const struct statement *st, const struct blueprint *b)
{
    bool hidden = b->executed[PLAN_CONTRACT] == all(b->statements[PLAN_CONTRACT]);

    if ((st->section == PLAN_PURGE || st->section == PLAN_RESTORE) && !hidden)
        sim_fail(s, "%lld: %s runs, and nothing is hidden", (long long)b->version,
                 plan_section_name(st->section));
    if (st->section == PLAN_PURGE && b->executed[PLAN_RESTORE])
        sim_fail(s, "%lld is purged while it is restored", (long long)b->version);
    if (st->section == PLAN_RESTORE && b->executed[PLAN_PURGE])
        sim_fail(s, "%lld is restored, and part of it is gone", (long long)b->version);
    for (size_t i = 0; i < s->blueprint_count; i++) {
        const struct blueprint *other = &s->blueprints[i];
        if (st->section == PLAN_RESTORE && other->version > b->version && other->executed[PLAN_CONTRACT])
            sim_fail(s, "%lld is restored below contract %lld", (long long)b->version,
                     (long long)other->version);
        if (st->section == PLAN_CONTRACT && other->version < b->version && other->executed[PLAN_RESTORE])
            sim_fail(s, "contract %lld runs while %lld is restored", (long long)b->version,
                     (long long)other->version);
    }
}

static void follow_kept(struct sim *s, const struct statement *st, struct blueprint *b)
{
    if (st->section == PLAN_CONTRACT)
        b->hours_passed = false;
    if (st->section == PLAN_PURGE)
        s->counts.purges++;
    if (st->section != PLAN_RESTORE || b->executed[PLAN_RESTORE] != all(b->statements[PLAN_RESTORE]))
        return;
    b->executed[PLAN_CONTRACT] = b->executed[PLAN_RESTORE] = 0;
    s->counts.restores++;
}

void truth_execute(struct sim *s, const struct statement *st)
{
    struct blueprint *b = truth_find(s, st->version);
    unsigned bit = 1u << (st->number - 1);

    sim_trace(s, "the database: %lld %s %d/%d", (long long)st->version, plan_section_name(st->section),
              st->number, st->of);
    if (!b || st->of != b->statements[st->section])
        sim_fail(s, "a statement of a text that was replaced runs: %lld", (long long)st->version);
    /* What runs outside of transactions may have run without anybody having been able to say so. */
    if (b->executed[st->section] & bit && !st->alone)
        sim_fail(s, "%lld: %s %d runs twice", (long long)st->version, plan_section_name(st->section),
                 st->number);
    check_order(s, st, b);
    check_kept(s, st, b);
    b->executed[st->section] |= bit;
    if (st->section == PLAN_UNDO && b->executed[PLAN_UNDO] == all(b->statements[PLAN_UNDO]))
        b->undone = true;
    follow_kept(s, st, b);
    s->look = true;
}

int64_t truth_fill(struct sim *s, const struct statement *st, int64_t from, int64_t rows)
{
    struct blueprint *b = truth_find(s, st->version);

    if (!b)
        sim_fail(s, "a backfill of a text that was replaced runs: %lld", (long long)st->version);
    if (b->filled != from)
        sim_fail(s, "%lld: a batch begins behind row %lld, and %lld are filled", (long long)st->version,
                 (long long)from, (long long)b->filled);
    check_order(s, st, b);
    b->filled = from + rows < BACKFILL_ROWS ? from + rows : BACKFILL_ROWS;
    if (rows > 0 && b->filled == BACKFILL_ROWS)
        truth_execute(s, st);
    return b->filled;
}
