/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The main() of a Check program in one line; and a repeatable random source. */
#ifndef MTLS_CORE_SUITE_H
#define MTLS_CORE_SUITE_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>

#define core_count(array) (sizeof(array) / sizeof((array)[0]))

/* For inner loops: ck_assert() writes to a pipe, even when all is well. */
#define core_must(what)                \
    do {                               \
        if (!(what))                   \
            ck_abort_msg("%s", #what); \
    } while (0)

/* core_run runs a suite of one case with these tests; what main() returns. */
int core_run(const char *name, const TTest *const *tests, size_t count);

/* xorshift64*: the same seed, the same schedule. */
struct core_random {
    uint64_t state;
};

/* core_random_of starts a sequence; any seed will do. */
struct core_random core_random_of(uint64_t seed);
uint64_t core_next(struct core_random *random);

/* core_below returns 0 to |bound| - 1; core_chance is 1 in |one_in| times. */
uint32_t core_below(struct core_random *random, uint32_t bound);
int core_chance(struct core_random *random, uint32_t one_in);

/* core_seed returns MTLS_SEED, or |otherwise|. */
uint64_t core_seed(uint64_t otherwise);

#endif
