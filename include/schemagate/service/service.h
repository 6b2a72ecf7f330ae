/* The daemon's life: `schemagate daemon [-c FILE]`. */
#ifndef SCHEMAGATE_SERVICE_SERVICE_H
#define SCHEMAGATE_SERVICE_SERVICE_H

/* Reads the configuration, binds, runs until SIGTERM. Returns an exit code of cli/cli.h: 0 after a clean
 * end, 2 for a configuration that is wrong, 1 otherwise. */
int service_main(int argc, char **argv);

/* `schemagate check-config [-c FILE] [--sample|--reference]`. */
int service_check_config(int argc, char **argv);

#endif
