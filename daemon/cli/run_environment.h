/* The environment of the command: what it was, the facts of its registration, and no token. */
#ifndef SCHEMAGATE_CLI_RUN_ENVIRONMENT_H
#define SCHEMAGATE_CLI_RUN_ENVIRONMENT_H

/* A variable; value NULL: it is taken away. */
struct run_variable {
    const char *name, *value;
};

/* `old` with the variables set or taken away, as one list that ends with NULL. The table ends with
 * a NULL name. Free with run_environment_free. */
char **run_environment_make(char *const old[], const struct run_variable *variables);
void run_environment_free(char **environment);

#endif
