/* The scripted world's witness and planner: what the coordinator asks them becomes calls. Part of
 * coordinator_world.h, and of no use without it. */
#ifndef TESTS_UNIT_COORDINATOR_SENSES_H
#define TESTS_UNIT_COORDINATOR_SENSES_H

static inline void witness_ops_look(void *world, void (*done)(void *context, const json_t *sight),
                                    void *context)
{
    assert_null(world_find(world, CALL_LOOK)); /* one at a time */
    new_call(world, CALL_LOOK, context)->done.verify = done;
}

static inline void witness_ops_reach(void *world, json_t *drops, json_t *roles,
                                     void (*done)(void *context, const json_t *reach), void *context)
{
    json_decref(drops);
    json_decref(roles);
    new_call(world, CALL_REACH, context)->done.verify = done;
}

static inline void witness_ops_terminate(void *world, const struct witness_target *target,
                                         void (*done)(void *context, bool ended, const char *error),
                                         void *context)
{
    struct call *call = new_call(world, CALL_TERMINATE, context);
    call->pid = target->pid;
    ((struct world *)world)->idle_only = target->idle_only;
    call->done.terminate = done;
}

static inline void witness_ops_watch(void *world, const struct watch_request *request,
                                     void (*done)(void *context, const json_t *seen), void *context)
{
    for (size_t i = 0; i < request->lock_count; i++)
        assert_true(request->locks[i].mode >= LOCK_SHARE_UPDATE_EXCLUSIVE);
    new_call(world, CALL_WATCH, context)->done.verify = done;
}

static inline void witness_ops_statements(void *world, json_t *roles, json_t *wanted,
                                          void (*done)(void *context, const json_t *read), void *context)
{
    assert_null(world_find(world, CALL_STATEMENTS)); /* one at a time */
    json_decref(roles);
    json_decref(wanted);
    new_call(world, CALL_STATEMENTS, context)->done.verify = done;
}

static inline void planner_find_uses(void *world, const struct plan_question *question,
                                     void (*done)(void *context, const struct plan_used *uses),
                                     void *context)
{
    struct world *w = world;
    struct call *call = new_call(w, CALL_USES, context);
    assert_true(question->text_count > 0 && question->drop_count > 0);
    if (!w->unreadable)
        call->uses = memory_new(question->text_count * sizeof *call->uses);
    for (size_t i = 0; call->uses && i < question->text_count; i++)
        call->uses[i] = plan_uses(question->texts[i], question->drops, question->drop_count);
    call->done.uses = done;
}

static inline void planner_read(void *world, const char *sql, size_t length,
                                const struct plan_options *options,
                                void (*done)(void *context, struct plan *plan), void *context)
{
    struct call *call = new_call(world, CALL_PLAN, context);
    call->plan = plan_read(sql, length, options);
    call->plan->checksum = memory_new(DIGEST_TAGGED_SIZE);
    call->plan->plan_checksum = memory_new(DIGEST_TAGGED_SIZE);
    digest_migration_text(sql, length, call->plan->checksum);
    digest_sha256_tagged(sql, length, call->plan->plan_checksum);
    call->done.plan = done;
}

#endif
