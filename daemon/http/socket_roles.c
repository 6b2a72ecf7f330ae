/* Users of unix sockets and their roles (socket_roles.h). */
#include "socket_roles.h"

#include <schemagate/base/memory.h>

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct socket_role {
    uid_t uid;
    struct caller caller;
};

struct socket_roles {
    struct socket_role *items;
    size_t count;
};

/* "uid:1000" or "user:deploy", up to `length`. */
static const char *read_user(const char *text, size_t length, uid_t *uid)
{
    char name[64];
    char *end;

    if (strncmp(text, "uid:", 4) == 0) {
        errno = 0;
        unsigned long number = strtoul(text + 4, &end, 10);
        *uid = (uid_t)number;
        bool good = end == text + length && errno == 0 && text[4] >= '0' && text[4] <= '9' &&
                    number < (uid_t)-1;
        return good ? NULL : "must have a number after uid:";
    }
    if (strncmp(text, "user:", 5) != 0 || length >= sizeof(name) + 5)
        return "must begin with uid:NUMBER= or user:NAME=";
    snprintf(name, sizeof(name), "%.*s", (int)(length - 5), text + 5);
    const struct passwd *user = getpwnam(name);
    if (user == NULL)
        return "names a user who does not exist on this machine";
    *uid = user->pw_uid;
    return NULL;
}

/* "operator" or "app:web" */
static const char *read_role(const char *text, struct caller *caller)
{
    size_t length = strcspn(text, ":");

    if (!caller_role_parse(text, length, &caller->role))
        return "must end with a role: viewer, operator, app:NAME, agent or deployer";
    const char *app = text[length] == ':' ? text + length + 1 : "";
    if ((caller->role == CALLER_APP) != (*app != '\0') || strlen(app) >= CALLER_APP_SIZE)
        return "must name the application of the role app, and only of that: app:NAME";
    memcpy(caller->app, app, strlen(app));
    return NULL;
}

static const char *read_item(const char *item, struct socket_role *role)
{
    size_t length = strcspn(item, "=");

    if (item[length] != '=')
        return "must look like uid:1000=operator or user:deploy=deployer";
    const char *wrong = read_user(item, length, &role->uid);
    snprintf(role->caller.name, sizeof(role->caller.name), "%.*s", (int)length, item);
    return wrong != NULL ? wrong : read_role(item + length + 1, &role->caller);
}

struct socket_roles *socket_roles_parse(const struct config_list *list, struct buf *errors)
{
    struct socket_roles *roles = memory_new(sizeof(*roles));
    size_t before = errors->length;

    roles->items = memory_new(list->count * sizeof(*roles->items));
    for (size_t i = 0; i < list->count; i++) {
        const char *wrong = read_item(list->items[i], &roles->items[roles->count++]);
        if (wrong != NULL)
            buf_printf(errors, "http.socket_roles: \"%s\" %s\n", list->items[i], wrong);
    }
    if (errors->length > before) {
        socket_roles_free(roles);
        return NULL;
    }
    return roles;
}

void socket_roles_free(struct socket_roles *roles)
{
    if (roles != NULL) {
        free(roles->items);
        free(roles);
    }
}

void socket_roles_find(const struct socket_roles *roles, uid_t uid, struct caller *caller)
{
    for (size_t i = 0; i < roles->count; i++) {
        if (roles->items[i].uid == uid) {
            *caller = roles->items[i].caller;
            return;
        }
    }
    *caller = (struct caller){.role = uid == 0 || uid == geteuid() ? CALLER_OPERATOR : CALLER_VIEWER};
    snprintf(caller->name, sizeof(caller->name), "uid:%u", (unsigned)uid);
}

bool socket_roles_configured(const struct socket_roles *roles)
{
    return roles->count > 0;
}
