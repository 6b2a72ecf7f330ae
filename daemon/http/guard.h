/* Browsers as unwitting helpers: a page of another site must not reach a daemon on the loopback through a
 * host name of its own (DNS rebinding), nor change anything with its visitor's credentials. */
#ifndef HTTP_GUARD_H
#define HTTP_GUARD_H

#include "request.h"

/* Each returns false once it has answered. */
bool guard_check_host(struct request *r);
bool guard_check_site(struct request *r);

/* True for localhost, loopback addresses, and hosts that [http] listen names. `host` with or without port. */
bool guard_host_is_local(const char *host, const struct config_list *listen);

/* True if a browser's Origin ("https://host:port") names the host that was asked. */
bool guard_origin_matches(const char *origin, const char *host);

#endif
