/* Roles by name (caller.h). */
#include "caller.h"

#include <stdio.h>
#include <string.h>

static const char *const role_names[CALLER_ROLES] = {
    [CALLER_VIEWER] = "viewer", [CALLER_OPERATOR] = "operator", [CALLER_APP] = "app",
    [CALLER_AGENT] = "agent",   [CALLER_DEPLOYER] = "deployer",
};

const char *caller_role_name(enum caller_role role)
{
    return role_names[role];
}

bool caller_role_parse(const char *name, size_t length, enum caller_role *role)
{
    for (size_t i = 0; i < CALLER_ROLES; i++) {
        if (strlen(role_names[i]) == length && memcmp(role_names[i], name, length) == 0) {
            *role = (enum caller_role)i;
            return true;
        }
    }
    return false;
}

char *caller_actor(const struct caller *caller, char actor[CALLER_ACTOR_SIZE])
{
    snprintf(actor, CALLER_ACTOR_SIZE, "%s:%s", role_names[caller->role], caller->name);
    return actor;
}
