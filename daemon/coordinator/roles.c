/* Roles of applications. */
#include "roles.h"
#include "record.h"
#include "state.h"

#include <schemagate/base/memory.h>

#include <stdlib.h>
#include <string.h>

struct role *roles_find(const struct registry *registry, const char *name)
{
    struct role *role;
    HASH_FIND_STR(registry->roles, name, role);
    return role;
}

struct role *roles_add(struct registry *registry, const char *name)
{
    struct role *role = roles_find(registry, name);
    unsigned count = HASH_COUNT(registry->roles);

    if (role)
        return role;
    role = memory_new(sizeof *role + strlen(name) + 1);
    strcpy(role->name, name);
    role->place = count < ROLE_OTHERS ? count : ROLE_OTHERS;
    HASH_ADD_STR(registry->roles, name, role);
    return role;
}

uint64_t role_bit(const struct role *role)
{
    return (uint64_t)1 << role->place;
}

void roles_free(struct registry *registry)
{
    struct role *role, *next;
    HASH_ITER(hh, registry->roles, role, next)
    {
        HASH_DEL(registry->roles, role);
        free(role);
    }
}

void roles_carry(struct registry *registry, const struct registry *known)
{
    for (const struct role *role = known->roles; role; role = role->hh.next)
        roles_add(registry, role->name);
}

/* ---- in PostgreSQL ---- */

struct role_intent {
    struct intent intent;
    char *name;
};

static bool store_decide(struct coordinator *c, struct intent *intent, struct change_set *changes)
{
    const char *name = ((const struct role_intent *)intent)->name;
    const struct role *role = roles_find(&c->registry, name);

    if (role && role->stored)
        return false;
    changes_row(changes, "roles", json_pack("{s:s}", "role", name));
    return true;
}

static void store_apply(struct coordinator *c, struct intent *intent)
{
    roles_add(&c->registry, ((const struct role_intent *)intent)->name)->stored = true;
}

static void store_release(struct intent *intent)
{
    free(((struct role_intent *)intent)->name);
}

static const struct intent_kind store_kind = {
    .decide = store_decide, .apply = store_apply, .release = store_release};

void roles_store(struct coordinator *c)
{
    for (const struct role *role = c->registry.roles; role; role = role->hh.next) {
        if (role->stored)
            continue;
        struct role_intent *r = memory_new(sizeof *r);
        r->name = memory_copy(role->name);
        r->intent = (struct intent){.kind = &store_kind,
                                    .subject = memory_printf("role %s", role->name)};
        journal_add(c, &r->intent);
    }
}

/* ---- whose they are ---- */

void roles_note(const struct registry *registry, const struct replica *r, json_t *row)
{
    json_t *names = json_array();

    for (const struct role *role = registry->roles; role; role = role->hh.next)
        if (r->roles & role_bit(role))
            json_array_append_new(names, json_string(role->name));
    json_object_set_new(row, "roles", names);
    json_object_set_new(row, "pins", json_boolean(r->pins));
}

void roles_read(struct registry *registry, struct replica *r, const json_t *row)
{
    const json_t *name;
    size_t i;

    r->pins = record_flag(row, "pins");
    json_array_foreach(json_object_get(row, "roles"), i, name)
    {
        r->roles |= role_bit(roles_add(registry, json_string_value(name)));
    }
}

int64_t roles_barred_since(const struct registry *registry, const struct replica *r)
{
    int64_t since = 0;

    for (const struct role *role = registry->roles; role; role = role->hh.next) {
        if (!(r->roles & role_bit(role)))
            continue;
        if (role->barred_since_boot == 0 || role->place == ROLE_OTHERS)
            return 0;
        if (role->barred_since_boot > since)
            since = role->barred_since_boot;
    }
    return since;
}
