/* Builds the command's environment. */
#include "run_environment.h"

#include <schemagate/base/memory.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_named(const char *entry, const struct run_variable *variables)
{
    size_t length = strcspn(entry, "=");
    for (; variables->name; variables++)
        if (strlen(variables->name) == length && strncmp(variables->name, entry, length) == 0)
            return true;
    return false;
}

char **run_environment_make(char *const old[], const struct run_variable *variables)
{
    size_t most = 1, count = 0;
    for (size_t n = 0; old[n]; n++)
        most++;
    for (size_t n = 0; variables[n].name; n++)
        most++;
    char **made = memory_new(most * sizeof(*made));
    for (size_t n = 0; old[n]; n++)
        if (!is_named(old[n], variables))
            made[count++] = memory_copy(old[n]);
    for (; variables->name; variables++)
        if (variables->value)
            made[count++] = memory_printf("%s=%s", variables->name, variables->value);
    return made;
}

void run_environment_free(char **environment)
{
    for (size_t n = 0; environment && environment[n]; n++)
        free(environment[n]);
    free(environment);
}
