/* Roles that applications use: those whose sessions were seen to belong to replicas. They are remembered
 * across terms and restarts; a session of such a role that belongs to nobody is a stray (docs/design.md
 * §4). */
#ifndef COORDINATOR_ROLES_H
#define COORDINATOR_ROLES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

struct coordinator;
struct registry;
struct replica;

/* The bit that all share beyond the first 63: of those nothing is ever concluded. */
#define ROLE_OTHERS 63

struct role {
    UT_hash_handle hh; /* key: name */
    unsigned place;    /* its bit in sets of roles */
    bool stored;       /* in PostgreSQL */
    int64_t barred_since_boot; /* since when every look found that it may not log in; 0: it may */
    char name[];
};

/* NULL: no replica was ever seen with it. */
struct role *roles_find(const struct registry *registry, const char *name);
/* Finds or makes it. */
struct role *roles_add(struct registry *registry, const char *name);
uint64_t role_bit(const struct role *role);
void roles_free(struct registry *registry);

/* What only `known` has seen is not forgotten where `registry` takes its place. */
void roles_carry(struct registry *registry, const struct registry *known);

/* Writes down those that are not stored yet, as soon as may be. */
void roles_store(struct coordinator *c);

/* What is known of a replica's sessions, as columns of its row. */
void roles_note(const struct registry *registry, const struct replica *r, json_t *row);
void roles_read(struct registry *registry, struct replica *r, const json_t *row);

/* Since when none of the roles that the replica was seen with may log in; 0: one of them may, or none is
 * known. */
int64_t roles_barred_since(const struct registry *registry, const struct replica *r);

#endif
