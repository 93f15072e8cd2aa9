/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Memory that runs out: the linker puts these functions in the place of libc's
 * in tests whose names end in _memory_test. OpenSSL's own allocations go there
 * if the test sets CRYPTO_set_mem_functions() to call them.
 */
#ifndef TEST_OUT_OF_MEMORY_H
#define TEST_OUT_OF_MEMORY_H

#include <stddef.h>

struct out_of_memory {
    int armed; /* whether allocations are counted, and may fail */
    unsigned int counted;
    unsigned int fail_from, fail_count; /* these fail; the first is 1 */
};

extern struct out_of_memory memory;

/* What neither counts nor fails. */
void *memory_malloc(size_t size);
void *memory_realloc(void *p, size_t size);

#endif
