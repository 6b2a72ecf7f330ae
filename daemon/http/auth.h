/* Who calls, and whether that role may (docs/http.md, roles). */
#ifndef HTTP_AUTH_H
#define HTTP_AUTH_H

#include "request.h"

/* Finds out who calls and compares with the route's roles. False: answered with 401 or 403. */
bool auth_check(struct request *r);

/* True if this caller may speak for the replicas of an application. */
bool auth_allows_app(const struct caller *caller, const char *app);

/* The token in an Authorization header: of "Bearer …", or the password of "Basic …" (browsers ask for one).
 * Writes it to `token` and returns its length, 0 where there is none. */
size_t auth_token(const char *authorization, char *token, size_t size);

#endif
