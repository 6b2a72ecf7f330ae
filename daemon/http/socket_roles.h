/* [http] socket_roles: which role a user has who comes over a unix socket. */
#ifndef HTTP_SOCKET_ROLES_H
#define HTTP_SOCKET_ROLES_H

#include "caller.h"

#include <schemagate/base/buf.h>
#include <schemagate/base/config.h>

#include <sys/types.h>

struct socket_roles;

/* Reads items like "uid:1000=operator", "user:deploy=deployer", "uid:33=app:web". NULL with mistakes, which
 * are written to `errors`. Looks up user names, which may take a moment: not for the running loop. */
struct socket_roles *socket_roles_parse(const struct config_list *list, struct buf *errors);
void socket_roles_free(struct socket_roles *roles);

/* Who a user is: as configured; else root and the daemon's own user are operators, all others viewers. */
void socket_roles_find(const struct socket_roles *roles, uid_t uid, struct caller *caller);

bool socket_roles_configured(const struct socket_roles *roles);

#endif
