/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "out_of_memory.h"

struct out_of_memory memory = {.fail_count = 1};

/* NOLINTBEGIN(*-reserved-identifier, cert-dcl37-c, cert-dcl51-cpp) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *text);

static int fails(void)
{
    if (!memory.armed)
        return 0;
    memory.counted++;
    return memory.counted >= memory.fail_from &&
           memory.counted < memory.fail_from + memory.fail_count;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return fails() ? NULL : __real_realloc(p, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

void *memory_malloc(size_t size)
{
    return __real_malloc(size);
}

void *memory_realloc(void *p, size_t size)
{
    return __real_realloc(p, size);
}
/* NOLINTEND(*-reserved-identifier, cert-dcl37-c, cert-dcl51-cpp) */
