/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "core_suite.h"

#include <stdlib.h>

int core_run(const char *name, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *all = tcase_create(name);
    SRunner *runner;
    int failed;

    for (size_t i = 0; i < count; i++)
        tcase_add_test(all, tests[i]);
    tcase_set_timeout(all, 120);
    suite_add_tcase(suite, all);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

uint64_t core_seed(uint64_t otherwise)
{
    const char *seed = getenv("MTLS_SEED");

    return seed != NULL ? strtoull(seed, NULL, 0) : otherwise;
}

struct core_random core_random_of(uint64_t seed)
{
    struct core_random random = {(seed + 1) * UINT64_C(0x9e3779b97f4a7c15)};

    if (random.state == 0)
        random.state = 1;
    return random;
}

uint64_t core_next(struct core_random *random)
{
    random->state ^= random->state >> 12;
    random->state ^= random->state << 25;
    random->state ^= random->state >> 27;
    return random->state * UINT64_C(0x2545f4914f6cdd1d);
}

uint32_t core_below(struct core_random *random, uint32_t bound)
{
    return (uint32_t)((core_next(random) >> 32) * bound >> 32);
}

int core_chance(struct core_random *random, uint32_t one_in)
{
    return core_below(random, one_in) == 0;
}
