/* Prints one of the program's tables for the golden files (golden.sh): print NAME
 * or what the planner makes of a migration: print plan FILE */
#include "../../daemon/service/planner_catalog.h"

#include <schemagate/core/machine.h>
#include <schemagate/core/replica.h>
#include <schemagate/http/server.h>
#include <schemagate/plan/plan.h>
#include <schemagate/plan/rule.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print_diagram(FILE *out)
{
    fputs("```mermaid\n", out);
    machine_print_diagram(out);
    fputs("```\n", out);
}

static const struct {
    enum plan_rule_id first;
    const char *heading;
} groups[] = {
    {RULE_UNREADABLE, "The text"},
    {RULE_MALFORMED_DIRECTIVE, "The directives"},
    {RULE_TRANSACTION_CONTROL, "What no migration may contain"},
    {RULE_POSTPONED, "Contracts that can be restored"},
    {RULE_NO_SAFE_FORM, "Files without markers"},
    {RULE_UNPARSED, "What the grammar does not read"},
    {RULE_DROP_TABLE, "The running release breaks: what it names is gone"},
    {RULE_ADD_COLUMN_NOT_NULL, "The running release breaks: what it writes is refused"},
    {RULE_INDEX_NOT_CONCURRENT, "The application waits for a lock"},
    {RULE_DROP_NOT_NULL, "What somebody should know"},
    {RULE_PUBLISHED_TABLE, "What the catalog of the database adds"},
    {RULE_STYLE_CHAR, "Style, where it is asked for"},
};

/* Of docs/findings.md: every rule of the table. */
static void print_rules(FILE *out)
{
    for (size_t i = 0; i < PLAN_RULES; i++) {
        const struct plan_rule *rule = &plan_rules[i];

        for (size_t at = 0; at < sizeof(groups) / sizeof(groups[0]); at++)
            if (groups[at].first == i)
                fprintf(out, "## %s\n\n", groups[at].heading);
        fprintf(out, "### `%s`\n\n%s%s\n\n", rule->id, plan_severity_name(rule->severity),
                rule->allowable ? "; can be allowed" : "");
        if (rule->why != NULL)
            fprintf(out, "%s\n\n", rule->why);
        fprintf(out, "*What to do:* %s\n\n", rule->fix);
    }
}

static const struct {
    const char *name;
    void (*print)(FILE *out);
} tables[] = {
    {"machine", machine_print_table},
    {"replica", replica_print_table},
    {"routes", http_print_routes},
    {"diagram", print_diagram},
    {"rules", print_rules},
};

static char *read_file(const char *name, size_t *length)
{
    enum { SIZE_MAX_BYTES = 1 << 20 };
    FILE *file = fopen(name, "r");
    char *text = malloc(SIZE_MAX_BYTES);

    if (file == NULL || text == NULL) {
        perror(name);
        exit(1);
    }
    *length = fread(text, 1, SIZE_MAX_BYTES, file);
    fclose(file);
    return text;
}

/* The findings as the command line shows them, but for the reasons that the rules give (docs/findings.md).
 * */
static void print_findings(const struct plan *plan)
{
    for (size_t i = 0; i < plan->finding_count; i++) {
        const struct plan_finding *finding = &plan->findings[i];

        printf("%u:%u %s %s", finding->line, finding->column, plan_severity_name(finding->severity),
               finding->id);
        printf("%s%s\n", finding->object == NULL ? "" : " ", finding->object == NULL ? "" : finding->object);
        if (finding->allowed)
            printf("    allowed: %s\n", finding->allow_reason);
        printf("    %s\n    fix: %s\n", finding->message, finding->fix);
    }
}

static void print_operations(const struct plan *plan)
{
    for (size_t i = 0; i < plan->operation_count; i++) {
        const struct plan_operation *operation = &plan->operations[i];

        printf("%u:%u %s: %s %s", operation->line, operation->column, operation->class, operation->kind,
               operation->object);
        if (operation->lock != LOCK_NONE)
            printf(", %s", plan_lock_name(operation->lock));
        printf("%s%s%s\n", operation->rewrites ? ", rewrites" : "", operation->scans ? ", scans" : "",
               operation->on_new ? ", new" : "");
    }
}

static void print_statement(const struct plan_statement *statement)
{
    printf("%u %s%u %s", statement->number, statement->transactional ? "transaction " : "alone ",
           statement->transaction, plan_kind_name(statement->work.kind));
    for (size_t i = 0; i < statement->work.lock_count; i++)
        printf("%s %s %s", i == 0 ? ":" : ",", statement->work.locks[i].relation,
               plan_lock_name(statement->work.locks[i].mode));
    if (statement->work.cost.effort != EFFORT_MOMENT)
        printf("%s %s %s", statement->work.lock_count == 0 ? ":" : ";",
               plan_effort_name(statement->work.cost.effort),
               statement->work.cost.table == NULL ? "" : statement->work.cost.table);
    printf("\n%s;\n", statement->sql);
    if (statement->work.note != NULL)
        printf("-- %s\n", statement->work.note);
}

/* What a database would say stands beside the case, as db/sql/catalog.sql answers: case.json for case.sql.
 * */
static struct catalog *read_facts(const char *name)
{
    char facts[4096];
    struct catalog *catalog = NULL;

    snprintf(facts, sizeof(facts), "%.*s.json", (int)(strlen(name) - strlen(".sql")), name);
    if (access(facts, R_OK) == 0) {
        size_t length = 0;
        char *document = read_file(facts, &length);

        catalog = planner_catalog_read(document, length);
        if (catalog == NULL) {
            fprintf(stderr, "%s: this is no document of facts\n", facts);
            exit(1);
        }
        free(document);
    }
    return catalog;
}

static int print_plan(const char *name)
{
    size_t length = 0;
    char *text = read_file(name, &length);
    struct catalog *catalog = read_facts(name);
    struct plan *plan =
        plan_read(text, length, catalog == NULL ? NULL : &(struct plan_options){.catalog = catalog,
                                                            .version = 42});

    printf("%s\n", plan_is_refused(plan) ? "refused" : "accepted");
    print_findings(plan);
    printf("\n== operations\n");
    print_operations(plan);
    for (size_t i = 0; i < plan->statement_count; i++) {
        if (i == 0 || plan->statements[i].section != plan->statements[i - 1].section)
            printf("\n== %s\n", plan_section_name(plan->statements[i].section));
        print_statement(&plan->statements[i]);
    }
    plan_free(plan);
    catalog_free(catalog);
    free(text);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "plan") == 0)
        return print_plan(argv[2]);
    for (size_t i = 0; argc == 2 && i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (strcmp(tables[i].name, argv[1]) == 0) {
            tables[i].print(stdout);
            return 0;
        }
    }
    fprintf(stderr, "usage: %s machine|replica|routes|diagram|rules\n       %s plan FILE\n", argv[0],
            argv[0]);
    return 2;
}
