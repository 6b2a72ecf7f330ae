/* Entity tags: a hash of plan, phase, status and holds' codes and subjects. Renewals, progress and tries
 * do not change them. */
#ifndef HTTP_ETAG_H
#define HTTP_ETAG_H

#include "request.h"

#define ETAG_SIZE 35 /* 32 digits in quotes */

char *etag_migration(const struct coordinator *c, const struct migration *m, char tag[ETAG_SIZE]);
char *etag_status(const struct http_server *server, char tag[ETAG_SIZE]);

/* Sets the header ETag. True if the client has this version already: answered with 304. */
bool etag_offer(struct request *r, const char *tag);

/* If-Match: false where it names another version (or the thing is not there, tag NULL): answered with 412. */
bool etag_check(struct request *r, const char *tag);

#endif
