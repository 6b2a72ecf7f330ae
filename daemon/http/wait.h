/* Long polls: requests that are held until what they wait for has come, or their time is up. */
#ifndef HTTP_WAIT_H
#define HTTP_WAIT_H

#include "request.h"

#define WAIT_SECONDS_MAX 300

/* From now on calls look(r, false) whenever something has changed, and look(r, true) at the deadline or when
 * the daemon stops. look answers if what it waits for is there, and always where the second argument says
 * that it is the last time; an answer ends the wait, and so does wait_forget. If it is begun again for the
 * same request, the deadline stays. False: too many wait already. */
bool wait_begin(struct request *r, int64_t seconds, void (*look)(struct request *r, bool last));

/* Every waiter looks again. */
void wait_look(struct http_server *server, bool last);

void wait_forget(struct request *r);

#endif
