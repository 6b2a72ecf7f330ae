/* The plan as a value: names, release, the verdict, and the file that submitted parts stand for. */
#include <schemagate/plan/plan.h>

#include "allocate.h"

#include <schemagate/plan/rule.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *plan_section_name(enum plan_section section)
{
    static const char *const names[PLAN_SECTIONS] = {
        [PLAN_EXPAND] = "expand",
        [PLAN_BACKFILL] = "backfill",
        [PLAN_CONTRACT] = "contract",
        [PLAN_UNDO] = "undo",
        [PLAN_PURGE] = "purge",
        [PLAN_RESTORE] = "restore",
    };

    return names[section];
}

const char *plan_severity_name(enum plan_severity severity)
{
    static const char *const names[] = {
        [PLAN_NOTE] = "note",
        [PLAN_WARNING] = "warning",
        [PLAN_ERROR] = "error",
    };

    return names[severity];
}

void plan_free(struct plan *plan)
{
    if (plan == NULL)
        return;
    for (size_t i = 0; i < plan->statement_count; i++) {
        free(plan->statements[i].sql);
        plan_work_release(&plan->statements[i].work);
    }
    for (size_t i = 0; i < plan->finding_count; i++) {
        free(plan->findings[i].object);
        free(plan->findings[i].message);
        free(plan->findings[i].fix);
        free(plan->findings[i].allow_reason);
    }
    for (size_t i = 0; i < plan->need_count; i++) {
        free(plan->needs[i].schema);
        free(plan->needs[i].name);
    }
    for (size_t i = 0; i < plan->operation_count; i++)
        free(plan->operations[i].object);
    free(plan->operations);
    free(plan->statements);
    free(plan->findings);
    free(plan->needs);
    free(plan->name);
    free(plan->approval);
    free(plan->checksum);
    free(plan->plan_checksum);
    free(plan);
}

void plan_report(struct plan *plan, enum plan_rule_id id, unsigned line, unsigned column,
                 const char *object, const char *message)
{
    const struct plan_rule *rule = &plan_rules[id];

    plan->findings = allocate(plan->findings, plan->finding_count + 1, sizeof(*plan->findings));
    plan->findings[plan->finding_count++] = (struct plan_finding){
        .id = rule->id,
        .severity = rule->severity,
        .line = line,
        .column = column,
        .object = object == NULL ? NULL : allocate_text("%s", object),
        .message = allocate_text("%s", message),
        .why = rule->why,
        .fix = allocate_text("%s", rule->fix),
    };
}

void plan_note_no_facts(struct plan *plan, const char *reason)
{
    char *message;

    if (plan->need_count == 0)
        return;
    message = allocate_text("planned without the facts of the database: %s", reason);
    plan_report(plan, RULE_NO_FACTS, 0, 0, NULL, message);
    free(message);
}

bool plan_is_refused(const struct plan *plan)
{
    for (size_t i = 0; i < plan->finding_count; i++)
        if (plan->findings[i].severity == PLAN_ERROR && !plan->findings[i].allowed)
            return true;
    return false;
}

char *plan_join_parts(const char *const parts[PLAN_WRITTEN_SECTIONS])
{
    static const char marker[] = "-- schemagate: ";
    size_t size = 1, length = 0;
    char *file;

    for (size_t i = 0; i < PLAN_WRITTEN_SECTIONS; i++)
        if (parts[i] != NULL)
            size += sizeof(marker) + strlen(plan_section_name((enum plan_section)i)) + strlen(parts[i])
                    + sizeof("\n\n");
    file = allocate(NULL, size, 1);
    file[0] = '\0';
    for (size_t i = 0; i < PLAN_WRITTEN_SECTIONS; i++) {
        if (parts[i] == NULL)
            continue;
        length += (size_t)snprintf(file + length, size - length, "%s%s\n%s", marker,
                                   plan_section_name((enum plan_section)i), parts[i]);
        if (file[length - 1] != '\n')
            length += (size_t)snprintf(file + length, size - length, "\n");
    }
    return file;
}
