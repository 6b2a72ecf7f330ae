/* One look of the witness: read from JSON, its sessions matched to replicas (DESIGN.md sections 3 and 5). */
#ifndef COORDINATOR_SIGHT_H
#define COORDINATOR_SIGHT_H

#include "registry.h"

#include <schemagate/base/clock.h>
#include <schemagate/base/config.h>

/* Roles whose sessions were seen to belong to replicas. */
struct seen_role {
    UT_hash_handle hh; /* key: name */
    char name[];
};

/* look: as struct witness_ops says; asked: when it was asked for. */
struct sight *sight_read(const json_t *look, struct instant asked);
void sight_free(struct sight *sight);

/* Says to whom each session belongs, by the registry as it is now, and groups them for the gate. */
void sight_match(struct sight *sight, const struct config *config, const struct registry *registry,
                 const struct seen_role *roles);
/* After a fresh look: remembers which identities, replicas and roles were seen. */
void sight_witness(const struct sight *sight, const struct registry *registry, struct seen_role **roles);

void seen_roles_free(struct seen_role **roles);

#endif
