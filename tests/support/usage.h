/* What a process has used, from /proc. */
#ifndef SUPPORT_USAGE_H
#define SUPPORT_USAGE_H

#include <stdint.h>
#include <sys/types.h>

double usage_cpu_seconds(pid_t pid);    /* user and system time of all its threads */
int64_t usage_anonymous_kb(pid_t pid);  /* RssAnon */

/* Binds a process to one processor, so that a server and its load do not share one. */
void usage_pin(pid_t pid, unsigned processor);

/* Raises our limit of open files as far as it goes. */
void usage_allow_files(void);

#endif
