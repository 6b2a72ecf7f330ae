/* The operators' page: everything at a glance, without script, refreshed by the browser. */
#ifndef HTTP_PAGE_H
#define HTTP_PAGE_H

#include "server.h"

void page_write(struct buf *out, const struct http_server *server);

/* What Content-Security-Policy says of the style within the page: "'sha256-…'". The caller frees. */
char *page_style_source(void);

#endif
