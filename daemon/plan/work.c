/* Names, locks and release of a statement's work. */
#include <schemagate/plan/work.h>

#include "allocate.h"

#include <stdlib.h>
#include <string.h>

static const char *const kinds[WORK_KINDS] = {
    [WORK_STATEMENT] = "statement",
    [WORK_BATCHED] = "batched",
    [WORK_INDEX] = "index",
    [WORK_RUNNER] = "runner",
    [WORK_INDEX_DROP] = "index-drop",
    [WORK_REINDEX] = "reindex",
    [WORK_DETACH] = "detach",
};

static const char *const locks[PLAN_LOCKS] = {
    [LOCK_NONE] = "",
    [LOCK_ACCESS_SHARE] = "ACCESS SHARE",
    [LOCK_ROW_SHARE] = "ROW SHARE",
    [LOCK_ROW_EXCLUSIVE] = "ROW EXCLUSIVE",
    [LOCK_SHARE_UPDATE_EXCLUSIVE] = "SHARE UPDATE EXCLUSIVE",
    [LOCK_SHARE] = "SHARE",
    [LOCK_SHARE_ROW_EXCLUSIVE] = "SHARE ROW EXCLUSIVE",
    [LOCK_EXCLUSIVE] = "EXCLUSIVE",
    [LOCK_ACCESS_EXCLUSIVE] = "ACCESS EXCLUSIVE",
};

static const char *const efforts[PLAN_EFFORTS] = {
    [EFFORT_MOMENT] = "moment", [EFFORT_UNKNOWN] = "unknown", [EFFORT_SCAN] = "scan",
    [EFFORT_INDEX] = "index",   [EFFORT_ROWS] = "rows",       [EFFORT_REWRITE] = "rewrite",
};

/* The place of `name`; `count` where it is not there. */
static size_t find(const char *const names[], size_t count, const char *name)
{
    size_t i = 0;

    while (i < count && strcmp(names[i], name) != 0)
        i++;
    return i;
}

const char *plan_kind_name(enum plan_kind kind)
{
    return kinds[kind];
}

const char *plan_effort_name(enum plan_effort effort)
{
    return efforts[effort];
}

const char *plan_lock_name(enum plan_lock lock)
{
    return locks[lock];
}

bool plan_kind_parse(const char *name, enum plan_kind *kind)
{
    size_t place = find(kinds, WORK_KINDS, name);

    if (place == WORK_KINDS)
        return false;
    *kind = (enum plan_kind)place;
    return true;
}

bool plan_lock_parse(const char *name, enum plan_lock *lock)
{
    size_t place = find(locks, PLAN_LOCKS, name);

    if (place == PLAN_LOCKS)
        return false;
    *lock = (enum plan_lock)place;
    return true;
}

void plan_work_lock(struct plan_work *work, const char *relation, enum plan_lock mode)
{
    for (size_t i = 0; i < work->lock_count; i++) {
        struct plan_relation_lock *lock = &work->locks[i];

        if (strcmp(lock->relation, relation) != 0)
            continue;
        if (lock->mode < mode)
            lock->mode = mode;
        return;
    }
    work->locks = allocate_one_more(work->locks, work->lock_count, sizeof(*work->locks));
    work->locks[work->lock_count++] =
        (struct plan_relation_lock){.relation = allocate_text("%s", relation), .mode = mode};
}

void plan_work_lock_as(struct plan_work *work, const struct plan_relation_lock *lock)
{
    plan_work_lock(work, lock->relation, lock->mode);
    for (size_t i = 0; lock->parents && i < work->lock_count; i++)
        work->locks[i].parents |= strcmp(work->locks[i].relation, lock->relation) == 0;
}

void plan_work_release(struct plan_work *work)
{
    for (size_t i = 0; i < work->lock_count; i++)
        free(work->locks[i].relation);
    for (size_t i = 0; i < work->drop_count; i++) {
        free(work->drops[i].schema);
        free(work->drops[i].table);
        free(work->drops[i].column);
    }
    free(work->drops);
    free(work->locks);
    free(work->object);
    free(work->shape);
    free(work->batch.relation);
    free(work->batch.alias);
    free(work->batch.head);
    free(work->batch.body);
    free(work->batch.tail);
    free(work->batch.condition);
    free(work->batch.into);
    free(work->batch.conflict);
    free(work->batch.taken);
    free(work->batch.assigned);
    free(work->batch.calls);
    free(work->batch.wide_calls);
    free(work->cost.table);
    free(work->note);
    *work = (struct plan_work){0};
}
