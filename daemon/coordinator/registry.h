/* The registry in memory: applications, cohorts, replicas, and a heap of deadlines. No decisions are
 * made here; counts are kept so that nothing has to be counted. */
#ifndef COORDINATOR_REGISTRY_H
#define COORDINATOR_REGISTRY_H

#include "roles.h"

#include <schemagate/coordinator/model.h>

/* Replicas that name the same application_name, or that registered from the same address: what sessions
 * are matched by. */
struct identity {
    UT_hash_handle hh; /* key: the text */
    size_t count;
    uintptr_t members; /* their addresses, xored: of the only one where count is 1 */
    int64_t seen_boot; /* when a session of any of them was seen last; 0: never in this term */
    char text[];
};

struct registry {
    struct identity *names, *addresses;
    struct role *roles; /* in the order in which they were seen first */
    uint64_t changes; /* rises whenever sessions may have to be matched anew */
    struct application *apps;          /* uthash by_name */
    struct replica *replicas;          /* uthash by_key: the newest incarnations */
    const struct gate_app **gate_apps; /* owned: all apps that are not retired */
    size_t gate_app_count;
    struct replica **heap; /* owned: by deadline_boot, the earliest first */
    size_t heap_count, heap_capacity;
    size_t settling; /* live replicas that have not renewed since the term began */
};

void registry_free(struct registry *registry);

/* Finds or makes the app. */
struct application *registry_app(struct registry *registry, const char *name);
struct application *registry_find_app(const struct registry *registry, const char *name);
void registry_retire(struct registry *registry, struct application *app);
/* What an operator recorded for a release; 0: nothing. */
int64_t registry_compatible_max(const struct application *app, const char *release);
void registry_set_compatible(struct application *app, const char *release, int64_t max,
                             const char *reason, const char *actor);

/* What tells cohorts apart. */
struct cohort_key {
    struct version_range range;
    const char *release;            /* "" none */
    const struct gate_knows *knows; /* ascending by version */
    size_t knows_count;
};

bool registry_is_cohort(const struct cohort *cohort, const struct cohort_key *key);

/* Adds an incarnation; the instance's present ones become `older`. `superseded` rows that are loaded are
 * put behind the newest by the caller's order. Strings are copied. The replica has no deadline yet. */
struct replica *registry_add(struct registry *registry, struct application *app,
                             const struct cohort_key *key, const char *instance,
                             const char *incarnation, const char *application_name,
                             const char *address, enum replica_state state);

struct replica *registry_find(const struct registry *registry, const char *app, const char *instance);
/* Among the newest and its older ones. */
struct replica *registry_find_incarnation(struct replica *newest, const char *incarnation);

/* Keeps the counts; state is not REPLICA_GONE. */
void registry_set_state(struct registry *registry, struct replica *replica, enum replica_state state);
void registry_set_cohort(struct replica *replica, const struct cohort_key *key);
void registry_set_settled(struct registry *registry, struct replica *replica, bool settled);

void registry_set_witnessed(struct replica *replica);
/* It names another application_name from now on: what was seen of its sessions under the old one says nothing
 * about those that it has now. */
void registry_rename(struct registry *registry, struct replica *replica, const char *application_name);

/* NULL where no replica has it; text "" is nobody's. */
struct identity *registry_find_identity(struct identity *identities, const char *text);
/* NULL where it is not the only one's. */
struct replica *identity_owner(const struct identity *identity);
/* When a session that may be the replica's was seen last; 0: never in this term. */
int64_t registry_seen_boot(const struct registry *registry, const struct replica *replica);

/* What its members have reported. */
void registry_add_health(struct replica *replica, uint32_t requests, uint32_t errors);

/* deadline_boot 0: none. */
void registry_set_deadline(struct registry *registry, struct replica *replica, int64_t deadline_boot);
struct replica *registry_earliest(const struct registry *registry);

/* Takes it out and frees it. */
void registry_remove(struct registry *registry, struct replica *replica);

#endif
