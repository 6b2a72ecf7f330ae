/* The record of why a gate opened. */
#ifndef COORDINATOR_PROOF_H
#define COORDINATOR_PROOF_H

#include <schemagate/coordinator/coordinator.h>

/* The facts in memory behind m's gate, bounded in size. */
json_t *proof_record(const struct coordinator *c, const struct migration *m);

#endif
