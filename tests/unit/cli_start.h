/* Starting `schemagate run` against a fake daemon, and looking at the processes that come of it. */
#ifndef TESTS_UNIT_CLI_START_H
#define TESTS_UNIT_CLI_START_H

#include "cli_fake.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#define WORDS_MAX 40

/* Starts `schemagate run --app web --instance a WORDS…`; output and errors go to files. */
#define START(fake, ...) start(fake, (const char *const[]){__VA_ARGS__, NULL})
#define RUN(fake, ...) process_code(process_wait(START(fake, __VA_ARGS__), PATIENCE_MS))

static inline pid_t start(struct fake *fake, const char *const words[])
{
    char *lock = fake_file(fake, "default-lock");
    const char *arguments[WORDS_MAX] = {
        getenv("SCHEMAGATE_BINARY"), "run", "--app", "web", "--instance", "a", "--lock-file", lock};
    size_t count = 8;
    while (*words && count + 1 < WORDS_MAX)
        arguments[count++] = *words++;
    char *output = fake_file(fake, "output"), *errors = fake_file(fake, "errors"), folder[128];
    snprintf(folder, sizeof(folder), "F=%s", fake->scratch.path);
    pid_t pid = process_start(&(struct process_options){
        .arguments = arguments,
        .output = output,
        .errors = errors,
        .death_signal = SIGTERM,
        .environment = (const char *[]){fake->address, folder, "XDG_RUNTIME_DIR",
                                        "SCHEMAGATE_TOKEN_FILE", "PGAPPNAME", NULL}});
    free(output);
    free(errors);
    free(lock);
    return pid;
}

/* `play` returns how long something lasted, in milliseconds. A busy machine makes it longer, or notes its
 * beginning late: but not each time. */
static inline void expect_within(struct fake *fake, int64_t (*play)(struct fake *fake), int64_t least,
                                 int64_t most)
{
    int64_t lasted = play(fake);
    for (int again = 3; (lasted < least || lasted > most) && again > 0; again--)
        lasted = play(fake);
    assert_in_range(lasted, least, most);
}

static inline pid_t read_pid(const struct fake *fake, const char *name)
{
    fake_wait_says(fake, name, "\n");
    char *text = fake_read(fake, name);
    pid_t pid = (pid_t)atoi(text);
    free(text);
    return pid;
}

#endif
