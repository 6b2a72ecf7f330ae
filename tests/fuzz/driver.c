/* Mutates the files of a corpus at random and feeds them to a target, under the sanitizers:
 *   TARGET SECONDS SEED LAST FILE…
 * LAST is a file that always holds the input under test, so that it is there after a crash; to run it
 * again, give it as the only FILE with 0 seconds. The same seed makes the same inputs. */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { INPUT_MAX = 4096, MUTATIONS_MAX = 8 };

struct input {
    size_t length;
    unsigned char bytes[INPUT_MAX];
};

struct corpus {
    struct input *inputs;
    size_t count;
    uint64_t random;
    size_t words;
};

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* xorshift64*: good enough to be unforeseen, and the same everywhere. */
static size_t below(struct corpus *corpus, size_t bound)
{
    corpus->random ^= corpus->random >> 12;
    corpus->random ^= corpus->random << 25;
    corpus->random ^= corpus->random >> 27;
    return (size_t)((corpus->random * UINT64_C(2685821657736338717)) >> 33) % bound;
}

/* Puts bytes at `at`, moving what is behind; what does not fit is left out. */
static void insert(struct input *input, size_t at, const void *bytes, size_t length)
{
    if (length > INPUT_MAX - input->length)
        length = INPUT_MAX - input->length;
    memmove(input->bytes + at + length, input->bytes + at, input->length - at);
    memcpy(input->bytes + at, bytes, length);
    input->length += length;
}

static void mutate_byte(struct corpus *corpus, struct input *input)
{
    if (input->length > 0)
        input->bytes[below(corpus, input->length)] = (unsigned char)below(corpus, 256);
}

static void mutate_remove(struct corpus *corpus, struct input *input)
{
    size_t at = below(corpus, input->length + 1), length = below(corpus, input->length - at + 1);

    memmove(input->bytes + at, input->bytes + at + length, input->length - at - length);
    input->length -= length;
}

static void mutate_truncate(struct corpus *corpus, struct input *input)
{
    input->length = below(corpus, input->length + 1);
}

static void mutate_splice(struct corpus *corpus, struct input *input)
{
    const struct input *other = &corpus->inputs[below(corpus, corpus->count)];
    size_t from = below(corpus, other->length + 1);

    insert(input, below(corpus, input->length + 1), other->bytes + from,
           below(corpus, other->length - from + 1));
}

static void mutate_word(struct corpus *corpus, struct input *input)
{
    const char *word = fuzz_words[below(corpus, corpus->words)];

    insert(input, below(corpus, input->length + 1), word, strlen(word));
}

static void (*const mutations[])(struct corpus *corpus, struct input *input) = {
    mutate_byte, mutate_remove, mutate_truncate, mutate_splice, mutate_word, mutate_word,
};

static void mutate(struct corpus *corpus, struct input *input)
{
    *input = corpus->inputs[below(corpus, corpus->count)];
    for (size_t left = 1 + below(corpus, MUTATIONS_MAX); left > 0; left--)
        mutations[below(corpus, sizeof(mutations) / sizeof(mutations[0]))](corpus, input);
}

static struct corpus read_corpus(char **files, int count, uint64_t seed)
{
    struct corpus corpus = {.count = (size_t)count, .random = seed * 2 + 1};

    corpus.inputs = calloc(corpus.count, sizeof(*corpus.inputs));
    if (corpus.inputs == NULL)
        fail("corpus");
    for (int i = 0; i < count; i++) {
        FILE *file = fopen(files[i], "re");

        if (file == NULL)
            fail(files[i]);
        corpus.inputs[i].length = fread(corpus.inputs[i].bytes, 1, INPUT_MAX, file);
        fclose(file);
    }
    while (fuzz_words[corpus.words] != NULL)
        corpus.words++;
    return corpus;
}

/* Runs the target on a copy of exactly the input's size, so that reading beyond it is noticed. */
static void run(const struct input *input, unsigned char *last, int last_file)
{
    unsigned char *copy = malloc(input->length);

    if (input->length > 0 && copy == NULL)
        fail("input");
    if (ftruncate(last_file, (off_t)input->length) < 0)
        fail("last input");
    if (input->length > 0) {
        memcpy(last, input->bytes, input->length);
        memcpy(copy, input->bytes, input->length);
    }
    LLVMFuzzerTestOneInput(copy, input->length);
    free(copy);
}

int main(int argc, char **argv)
{
    struct corpus corpus;
    struct input input;
    unsigned long runs = 0;
    unsigned char *last;
    int last_file;
    time_t end;

    if (argc < 5) {
        fprintf(stderr, "usage: %s SECONDS SEED LAST FILE...\n", argv[0]);
        return EXIT_FAILURE;
    }
    corpus = read_corpus(argv + 4, argc - 4, strtoull(argv[2], NULL, 10));
    last_file = open(argv[3], O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    last = mmap(NULL, INPUT_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, last_file, 0);
    if (last == MAP_FAILED)
        fail(argv[3]);
    for (size_t i = 0; i < corpus.count; i++)
        run(&corpus.inputs[i], last, last_file);
    for (end = time(NULL) + atol(argv[1]); time(NULL) < end; runs++) {
        mutate(&corpus, &input);
        run(&input, last, last_file);
    }
    printf("%s: %zu files and %lu mutations of them, seed %s\n", argv[0], corpus.count, runs, argv[2]);
    munmap(last, INPUT_MAX);
    close(last_file);
    free(corpus.inputs);
    return EXIT_SUCCESS;
}
