/* What an attempt at a statement outside of transactions has to run. */
#include "online.h"

#include "answer.h"
#include "sql.h"

#include <stdio.h>
#include <string.h>

bool online_applies(const struct executor_try *try)
{
    static const bool resumable[WORK_KINDS] = {
        [WORK_INDEX] = true, [WORK_INDEX_DROP] = true, [WORK_REINDEX] = true, [WORK_DETACH] = true};
    const struct plan_work *work = try->execution.work;

    return work != NULL && resumable[work->kind] && work->object != NULL;
}

size_t online_begin(const struct executor_try *try, const char *role, struct session_statement *statements)
{
    const struct plan_work *work = try->execution.work;
    const struct database *db = try->db;

    statements[0] = (struct session_statement){
        .sql = sql_read_as, .parameters = {role, db->search_path}, .parameter_count = 2};
    statements[1] = (struct session_statement){
        .sql = sql_online_look,
        .parameters = {work->lock_count > 0 ? work->locks[0].relation : work->object, work->object},
        .parameter_count = 2};
    statements[2] = (struct session_statement){
        .sql = sql_online_begin,
        .parameters = {db->epoch, db->nonce, db->lock_key, try->version, try->execution.phase, try->number,
                       try->lock_timeout},
        .parameter_count = 7};
    return ONLINE_STATEMENTS;
}

static json_t *read_sequence(const struct session_outcome *outcome)
{
    return json_loads(PQgetvalue(outcome->results[ONLINE_STATEMENTS - 1], 0, 1), 0, NULL);
}

void online_take(struct executor_try *try, const struct session_outcome *outcome)
{
    try->sequence = read_sequence(outcome);
}

void online_take_left_over(struct executor_try *try, const struct session_outcome *outcome)
{
    static const bool builds[WORK_KINDS] = {[WORK_INDEX] = true, [WORK_REINDEX] = true};
    bool takes_back = builds[try->execution.work->kind];
    json_t *next = read_sequence(outcome), *left = json_array(), *statement;
    size_t i;

    json_array_append_new(left, json_sprintf("SET lock_timeout = %s", try->lock_timeout));
    try->goes_back = false;
    json_array_foreach(next, i, statement)
    {
        if (json_string_length(statement) == 0)
            try->goes_back = true; /* all of it is still to be done */
        else if (takes_back)
            json_array_append(left, statement);
    }
    json_decref(next);
    json_decref(try->sequence);
    try->sequence = left;
    try->place = 0;
}

void online_tell_left_over(struct executor_try *try)
{
    if (try->goes_back)
        snprintf(try->left, sizeof try->left,
                 "An INVALID index of %s is left, for somebody is in its way. `schemagate retry %s` drops "
                 "it before all else; before you give it up: DROP INDEX CONCURRENTLY.",
                 try->execution.work->object, try->version);
}

bool online_is_unfinished(const struct executor_try *try)
{
    size_t count = try->sequence != NULL ? json_array_size(try->sequence) : 1;

    return try->place < count;
}

static const char *own_statement(const struct executor_try *try)
{
    const char *own = json_string_value(json_array_get(try->sequence, try->place));

    return own != NULL && own[0] != '\0' ? own : NULL;
}

bool online_is_mending(const struct executor_try *try)
{
    return own_statement(try) != NULL;
}

const char *online_next(const struct executor_try *try)
{
    const char *own = own_statement(try);

    return own != NULL ? own : try->execution.statements[0].sql;
}

bool online_met_another(const struct executor_try *try)
{
    return online_applies(try) && try->execution.work->kind == WORK_INDEX && try->error != NULL &&
           strcmp(answer_sqlstate(try->error), "42P07") == 0; /* duplicate_table */
}

struct session_statement online_forget(const struct executor_try *try)
{
    const struct database *db = try->db;

    return (struct session_statement){
        .sql = sql_online_forget,
        .parameters = {db->epoch, db->nonce, try->version, try->execution.phase, try->number},
        .parameter_count = 5,
        .drops_rows = true};
}
