/* Named places at which a test can stop or kill the program. They exist only in the test build
 * (-DSCHEMAGATE_FAILPOINTS); elsewhere they compile to nothing.
 *
 * SCHEMAGATE_FAILPOINT="name=kill" raises SIGKILL when the place is reached, "name=stop" SIGSTOP (once).
 * Nobody else kills the process so: its wait status proves that the place was reached. A count says at
 * which arrival: "name=kill:3". SCHEMAGATE_FAILPOINT_FILE names a file whose first line says the same; when
 * it changes (more words may follow), arrivals count from there. SCHEMAGATE_FAILPOINT_TRACE names a file to
 * which each arrival is appended, a line each. */
#ifndef SCHEMAGATE_BASE_FAILPOINT_H
#define SCHEMAGATE_BASE_FAILPOINT_H

#ifdef SCHEMAGATE_FAILPOINTS
/* All of them; ends with NULL. One that is not listed here ends the program: tests go by the list. */
extern const char *const failpoint_names[];

void failpoint(const char *name);
#else
#define failpoint(name) ((void)0)
#endif

#endif
