/* What a server lacks of that which later ones have, said in sentences. */
#ifndef SCHEMAGATE_DB_LIMITS_H
#define SCHEMAGATE_DB_LIMITS_H

#include <schemagate/coordinator/model.h>

/* Writes the limits of a server of this version (as PQserverVersion has it). may_hurry: this role may set
 * deadlock_timeout. */
void limits_describe(int server_version, bool may_hurry, const char *limits[TERM_LIMITS]);

#endif
