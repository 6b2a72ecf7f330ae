/* The heap of deadlines. */
#include "deadlines.h"

#include <schemagate/base/memory.h>

static void put(struct registry *registry, size_t place, struct replica *r)
{
    registry->heap[place] = r;
    r->heap_place = (uint32_t)place;
}

static void sift_up(struct registry *registry, size_t place, struct replica *r)
{
    while (place > 0) {
        size_t parent = (place - 1) / 2;
        if (registry->heap[parent]->deadline_boot <= r->deadline_boot)
            break;
        put(registry, place, registry->heap[parent]);
        place = parent;
    }
    put(registry, place, r);
}

static void sift_down(struct registry *registry, size_t place, struct replica *r)
{
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= registry->heap_count)
            break;
        if (child + 1 < registry->heap_count &&
            registry->heap[child + 1]->deadline_boot < registry->heap[child]->deadline_boot)
            child++;
        if (r->deadline_boot <= registry->heap[child]->deadline_boot)
            break;
        put(registry, place, registry->heap[child]);
        place = child;
    }
    put(registry, place, r);
}

void deadlines_add(struct registry *registry, struct replica *r)
{
    if (registry->heap_count == registry->heap_capacity) {
        registry->heap_capacity = registry->heap_capacity ? 2 * registry->heap_capacity : 64;
        registry->heap = memory_grow(registry->heap, registry->heap_capacity, sizeof *registry->heap);
    }
    sift_up(registry, registry->heap_count++, r);
}

void deadlines_remove(struct registry *registry, struct replica *r)
{
    size_t place = r->heap_place;
    if (place == DEADLINES_NOWHERE)
        return;
    r->heap_place = DEADLINES_NOWHERE;
    struct replica *last = registry->heap[--registry->heap_count];
    if (last == r)
        return;
    if (place > 0 && registry->heap[(place - 1) / 2]->deadline_boot > last->deadline_boot)
        sift_up(registry, place, last);
    else
        sift_down(registry, place, last);
}
