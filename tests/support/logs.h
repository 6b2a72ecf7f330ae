/* The logs of the servers and daemons that a test has started: their ends are shown when it fails. */
#ifndef SUPPORT_LOGS_H
#define SUPPORT_LOGS_H

void logs_watch(const char *path);
void logs_forget(const char *path);

/* Prints the last lines of each, between "---- the end of NAME" and "----": tests/run looks for them. */
void logs_show(void);

#endif
