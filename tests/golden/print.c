/* Prints one of the program's tables for the golden files (golden.sh): print NAME */
#include <schemagate/core/machine.h>
#include <schemagate/core/replica.h>
#include <schemagate/http/server.h>

#include <stdio.h>
#include <string.h>

static void print_diagram(FILE *out)
{
    fputs("```mermaid\n", out);
    machine_print_diagram(out);
    fputs("```\n", out);
}

static const struct {
    const char *name;
    void (*print)(FILE *out);
} tables[] = {
    {"machine", machine_print_table},
    {"replica", replica_print_table},
    {"routes", http_print_routes},
    {"diagram", print_diagram},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (strcmp(tables[i].name, argv[1]) == 0) {
            tables[i].print(stdout);
            return 0;
        }
    }
    fprintf(stderr, "usage: %s machine|replica|routes|diagram\n", argv[0]);
    return 2;
}
