/* Time and chance: a heap of what will happen, and the numbers that follow from the seed. */
#include "sim.h"

#include <schemagate/base/memory.h>

static bool before(const struct happening *a, const struct happening *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void queue_add(struct sim *s, int64_t at, happen *what, void *context)
{
    struct queue *q = &s->queue;
    struct happening fresh = {at > s->now ? at : s->now, q->order++, what, context};
    size_t place = q->count++;

    if (q->count > q->capacity) {
        q->capacity = q->capacity ? 2 * q->capacity : 256;
        q->heap = memory_grow(q->heap, q->capacity, sizeof *q->heap);
    }
    for (; place > 0 && before(&fresh, &q->heap[(place - 1) / 2]); place = (place - 1) / 2)
        q->heap[place] = q->heap[(place - 1) / 2];
    q->heap[place] = fresh;
}

bool queue_next(struct sim *s, struct happening *next)
{
    struct queue *q = &s->queue;
    size_t place = 0, child;

    if (q->count == 0)
        return false;
    *next = q->heap[0];
    const struct happening *last = &q->heap[--q->count];
    for (; (child = 2 * place + 1) < q->count; place = child) {
        if (child + 1 < q->count && before(&q->heap[child + 1], &q->heap[child]))
            child++;
        if (!before(&q->heap[child], last))
            break;
        q->heap[place] = q->heap[child];
    }
    q->heap[place] = *last;
    return true;
}

/* splitmix64 */
uint64_t chance_next(struct sim *s)
{
    uint64_t z = (s->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int64_t chance_between(struct sim *s, int64_t low, int64_t high)
{
    return low + (int64_t)(chance_next(s) % (uint64_t)(high - low + 1));
}

bool chance_percent(struct sim *s, int64_t percent)
{
    return chance_between(s, 0, 99) < percent;
}

bool chance_one_in(struct sim *s, int64_t n)
{
    return n > 0 && chance_between(s, 1, n) == 1;
}

int64_t chance_delay(struct sim *s, int64_t usual)
{
    if (!s->calm && chance_one_in(s, 40))
        return chance_between(s, usual, usual * 200 + 1);
    return chance_between(s, 1, usual + 1);
}
