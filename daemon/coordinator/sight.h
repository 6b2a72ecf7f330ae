/* One look of the witness: read from JSON, its sessions matched to replicas (docs/design.md §3, §5). */
#ifndef COORDINATOR_SIGHT_H
#define COORDINATOR_SIGHT_H

#include "registry.h"

#include <schemagate/base/clock.h>
#include <schemagate/base/config.h>

/* look: as struct witness_ops says; asked: when it was asked for. */
struct sight *sight_read(const json_t *look, struct instant asked);
void sight_free(struct sight *sight);

/* Says to whom each session belongs, by the registry as it is now, and groups them for the gate. */
void sight_match(struct sight *sight, const struct config *config, const struct registry *registry);
/* After a fresh look: remembers which identities, replicas and roles were seen, and which roles may not log
 * in. */
void sight_witness(const struct sight *sight, struct registry *registry);

#endif
