/* What a fuzz target offers to the driver (driver.c). The entry point is that of libFuzzer, so that a
 * target can be linked with either. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* Words of the target's language, which mutations strew in; ends with NULL. */
extern const char *const fuzz_words[];

#endif
