/* A binary heap of the replicas' deadlines, in the registry. */
#ifndef COORDINATOR_DEADLINES_H
#define COORDINATOR_DEADLINES_H

#include "registry.h"

#define DEADLINES_NOWHERE UINT32_MAX

/* By deadline_boot, which must not change while it is in the heap. */
void deadlines_add(struct registry *registry, struct replica *replica);
/* Does nothing where it is not in it. */
void deadlines_remove(struct registry *registry, struct replica *replica);

#endif
