/* The data folder of a new cluster, and where the server's programs are. */
#ifndef SUPPORT_INITDB_H
#define SUPPORT_INITDB_H

#include <stdbool.h>

/* The user that servers run as where we are root. */
#define SERVER_USER "postgres"

/* Of a program of the server's. Debian keeps them out of PATH, one folder per major version; PG_BINDIR in the
 * environment names another folder. */
void initdb_program(const char *program, char path[256]);

/* Fills `data`, an empty folder of the server's user. What is said of it goes to `log`.
 *
 * initdb computes for most of a second. Where SCHEMAGATE_TEMPLATES names a folder, it runs once for each
 * version of the server: what it made is kept there, and copied from then on. */
void initdb_fill(const char *data, const char *log);

/* Copies what is in a folder, with owners and times, into another one. False: not all of it. */
bool initdb_copy(const char *from, const char *to, const char *log);

#endif
