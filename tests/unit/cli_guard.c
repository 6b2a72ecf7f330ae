/* The tree that `schemagate run` has started ends whatever becomes of the wrapper: killed, stopped, or left
 * without its guard. The daemon is a fake. */
#include "cli_start.h"

#include <schemagate/cli/cli.h>

/* A command, and a grandchild in a session of its own, deaf to SIGTERM, that notes until when it runs. */
#define TREE                                                                                        \
    "sh", "-c",                                                                                     \
        "echo $PPID >$F/guard; echo $$ >$F/child; "                                                 \
        "setsid sh -c 'trap \"\" TERM; echo $$ >$F/grandchild; "                                   \
        "while read up rest </proc/uptime; do echo $up >>$F/beats; sleep 0.05; done' & "            \
        "trap '' TERM; while :; do sleep 0.05; done"

struct tree_of {
    pid_t wrapper, guard, child, grandchild;
};

static struct tree_of find_tree(const struct fake *fake, pid_t wrapper)
{
    return (struct tree_of){wrapper, read_pid(fake, "guard"), read_pid(fake, "child"),
                            read_pid(fake, "grandchild")};
}

static void wait_tree_dead(const struct tree_of *tree)
{
    process_wait_dead(tree->child);
    process_wait_dead(tree->grandchild);
}

static struct tree_of start_tree(struct fake *fake)
{
    return find_tree(fake, START(fake, "--schema", "1..2", "--", TREE));
}

/* Lease 6 s, kill-after 1 s: renewals every 1.7 s. */
static struct tree_of start_promising(struct fake *fake)
{
    fake_answer(fake, "PUT", "/v1/apps/web/replicas/", 201, FAKE_REPLICA("live", "6", "2"));
    fake_answer(fake, "POST", "/v1/apps/web/replicas/", 200, FAKE_REPLICA("live", "6", "2"));
    pid_t wrapper = START(fake, "--on-lost", "exit", "--lease", "6", "--kill-after", "1", "--schema",
                          "1..2", "--", TREE);
    return find_tree(fake, wrapper);
}

/* By test_now_ms: when the grandchild was at work for the last time. */
static int64_t last_beat(const struct fake *fake)
{
    struct timespec now;
    char *text = fake_read(fake, "beats"), *end = strrchr(text, '\n');
    assert_non_null(end);
    *end = '\0'; /* what follows is half a line */
    const char *start = strrchr(text, '\n');
    double up = strtod(start ? start + 1 : text, NULL);
    free(text);
    clock_gettime(CLOCK_BOOTTIME, &now);
    double ago = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - up;
    return test_now_ms() - (int64_t)(ago * 1000);
}

/* ---- the wrapper dies ---- */

static void a_killed_wrapper_takes_its_whole_tree_along(void **state)
{
    struct fake *fake = *state;
    struct tree_of tree = start_tree(fake);
    kill(tree.wrapper, SIGKILL);
    process_wait(tree.wrapper, PATIENCE_MS);
    wait_tree_dead(&tree);
    process_wait_dead(tree.guard);
    assert_int_equal(fake_count(fake, "DELETE", ""), 0); /* nobody is left who could say it */
    assert_true(fake_says(fake, "errors", "the wrapper has died"));
}

/* Stopped and then killed, as an impatient supervisor does. */
static void a_stopped_wrapper_that_is_killed_takes_it_along(void **state)
{
    struct fake *fake = *state;
    struct tree_of tree = start_tree(fake);
    kill(tree.wrapper, SIGSTOP);
    process_wait_stopped(tree.wrapper);
    kill(tree.wrapper, SIGKILL);
    process_wait(tree.wrapper, PATIENCE_MS);
    wait_tree_dead(&tree);
}

/* ---- the guard dies ---- */

static void a_killed_guard_takes_the_command_along_and_the_wrapper_ends_the_rest(void **state)
{
    struct fake *fake = *state;
    pid_t wrapper = START(fake, "--kill-after", "0.5", "--schema", "1..2", "--", TREE);
    struct tree_of tree = find_tree(fake, wrapper);
    kill(tree.guard, SIGKILL);
    assert_int_equal(process_code(process_wait(wrapper, PATIENCE_MS)), 128 + SIGKILL);
    assert_false(process_is_alive(tree.child));
    assert_false(process_is_alive(tree.grandchild));
    assert_int_equal(fake_count(fake, "DELETE", "/replicas/a"), 1);
    assert_true(fake_says(fake, "errors", "the guard beside the command was killed"));
}

static void a_stopped_guard_is_continued(void **state)
{
    struct fake *fake = *state;
    pid_t wrapper = START(fake, "--schema", "1..2", "--", "sh", "-c",
                          "echo $PPID >$F/guard; while [ ! -e $F/end ]; do sleep 0.05; done; exit 6");
    kill(read_pid(fake, "guard"), SIGSTOP);
    free(scratch_write(&fake->scratch, "end", ""));
    assert_int_equal(process_code(process_wait(wrapper, PATIENCE_MS)), 6);
}

/* ---- --on-lost exit ---- */

static void forget_tree(const struct fake *fake)
{
    static const char *const names[] = {"guard", "child", "grandchild", "beats"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = fake_file(fake, names[i]);
        remove(path);
        free(path);
    }
}

/* Returns how long the tree lived after the last renewal that was not refused. */
static int64_t play_refused_renewals(struct fake *fake)
{
    size_t goodbyes = fake_count(fake, "DELETE", "/replicas/a");
    struct tree_of tree = start_promising(fake);
    fake_wait(fake, "POST", "/renew", fake_count(fake, "POST", "/renew") + 1);
    fake_answer(fake, "POST", "/v1/apps/web/replicas/", 503, FAKE_PROBLEM("database-unavailable"));
    assert_int_equal(process_code(process_wait(tree.wrapper, PATIENCE_MS)), 128 + SIGKILL);
    int64_t lived = last_beat(fake) - fake_last_renewal(fake);
    assert_false(process_is_alive(tree.grandchild));
    assert_int_equal(fake_count(fake, "DELETE", "/replicas/a"), goodbyes + 1);
    forget_tree(fake);
    return lived;
}

static void a_refused_renewal_ends_the_whole_tree_before_the_lease(void **state)
{
    expect_within(*state, play_refused_renewals, 3000, 6000);
}

/* The guard acts in its place. When it wakes, it does not renew: it says goodbye. Returns how long the tree
 * lived after the last renewal. */
static int64_t play_stopped_wrapper(struct fake *fake)
{
    size_t goodbyes = fake_count(fake, "DELETE", "/replicas/a");
    struct tree_of tree = start_promising(fake);
    fake_wait(fake, "POST", "/renew", fake_count(fake, "POST", "/renew") + 1);
    kill(tree.wrapper, SIGSTOP);
    process_wait_stopped(tree.wrapper);
    wait_tree_dead(&tree);
    int64_t renewed = fake_last_renewal(fake); /* also one that was on its way */
    size_t renewals = fake_count(fake, "POST", "/renew"), hellos = fake_count(fake, "PUT", "");
    int64_t lived = last_beat(fake) - renewed;
    assert_true(fake_says(fake, "errors", "the wrapper has not acted"));
    kill(tree.wrapper, SIGCONT);
    assert_int_equal(process_code(process_wait(tree.wrapper, PATIENCE_MS)), 128 + SIGKILL);
    assert_int_equal(fake_count(fake, "POST", "/renew"), renewals);
    assert_int_equal(fake_count(fake, "PUT", ""), hellos);
    assert_int_equal(fake_count(fake, "DELETE", "/replicas/a"), goodbyes + 1);
    forget_tree(fake);
    return lived;
}

static void a_stopped_wrapper_does_not_outlive_its_lease(void **state)
{
    expect_within(*state, play_stopped_wrapper, 4000, 6000);
}

/* Wrapper and guard stood still, and the tree has gone on. The wrapper wakes first: it ends the tree, and
 * only then speaks. */
static void a_wrapper_that_wakes_too_late_ends_the_tree_first(void **state)
{
    struct fake *fake = *state;
    struct tree_of tree = start_promising(fake);
    fake_wait(fake, "POST", "/renew", 1);
    kill(tree.wrapper, SIGSTOP); /* first: it would continue the guard */
    process_wait_stopped(tree.wrapper);
    kill(tree.guard, SIGSTOP);
    while (test_now_ms() < fake_last_renewal(fake) + 6500)
        test_pause();
    size_t renewals = fake_count(fake, "POST", "/renew");
    assert_true(process_is_alive(tree.grandchild));
    kill(tree.wrapper, SIGCONT);
    assert_int_equal(process_code(process_wait(tree.wrapper, PATIENCE_MS)), 128 + SIGKILL);
    assert_false(process_is_alive(tree.grandchild));
    assert_int_equal(fake_count(fake, "POST", "/renew"), renewals);
    assert_int_equal(fake_count(fake, "DELETE", "/replicas/a"), 1);
}

static void a_lease_that_cannot_hold_three_renewals_is_refused(void **state)
{
    struct fake *fake = *state;
    assert_int_equal(RUN(fake, "--on-lost", "exit", "--lease", "10", "--kill-after", "8", "--schema",
                         "1..2", "--", "true"),
                     CLI_USAGE);
    assert_true(fake_says(fake, "errors", "at least 11 s"));
    fake_answer(fake, "PUT", "/v1/apps/web/replicas/", 201, FAKE_REPLICA("live", "6", "2"));
    assert_int_equal(RUN(fake, "--on-lost", "exit", "--kill-after", "4", "--schema", "1..2", "--", "sh",
                         "-c", "echo 1 >$F/started"),
                     CLI_USAGE);
    assert_true(fake_says(fake, "errors", "--lease 7 or more"));
    assert_false(fake_says(fake, "started", "1"));
}

#define fake_test(function) cmocka_unit_test_setup_teardown(function, fake_open, fake_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fake_test(a_killed_wrapper_takes_its_whole_tree_along),
        fake_test(a_stopped_wrapper_that_is_killed_takes_it_along),
        fake_test(a_killed_guard_takes_the_command_along_and_the_wrapper_ends_the_rest),
        fake_test(a_stopped_guard_is_continued),
        fake_test(a_refused_renewal_ends_the_whole_tree_before_the_lease),
        fake_test(a_stopped_wrapper_does_not_outlive_its_lease),
        fake_test(a_wrapper_that_wakes_too_late_ends_the_tree_first),
        fake_test(a_lease_that_cannot_hold_three_renewals_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
