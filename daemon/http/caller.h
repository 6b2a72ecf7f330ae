/* Who calls: a role and a name (docs/http.md, roles). */
#ifndef HTTP_CALLER_H
#define HTTP_CALLER_H

#include <stdbool.h>
#include <stddef.h>

enum caller_role {
    CALLER_VIEWER,   /* reads */
    CALLER_OPERATOR, /* everything */
    CALLER_APP,      /* the replicas of one application */
    CALLER_AGENT,    /* renews and attests for any application */
    CALLER_DEPLOYER, /* submits, declares, reads */
    CALLER_ROLES
};

#define CALLER_NAME_SIZE 65
#define CALLER_APP_SIZE 41
#define CALLER_ACTOR_SIZE (CALLER_NAME_SIZE + 10)

struct caller {
    enum caller_role role;
    char name[CALLER_NAME_SIZE];
    char app[CALLER_APP_SIZE]; /* CALLER_APP: whose replicas; else "" */
};

const char *caller_role_name(enum caller_role role); /* "viewer" */
bool caller_role_parse(const char *name, size_t length, enum caller_role *role);

/* "operator:alice", as it stands in the audit trail. */
char *caller_actor(const struct caller *caller, char actor[CALLER_ACTOR_SIZE]);

#endif
