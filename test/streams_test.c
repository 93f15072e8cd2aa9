/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Pairs of ports -> channels, beside a table that can't be wrong. */
#include "core_suite.h"
#include "streams.h"

#include <stdlib.h>

#define IDS 512

/* What stands for a channel; the table does not look at it. */
static struct mtls_channel *channel_of(uint32_t i)
{
    static char some[IDS];

    return (struct mtls_channel *)(void *)&some[i];
}

/* Ids that are neighbours, and ids that differ in high bits alone. */
static uint32_t id_of(uint32_t i)
{
    return i % 2 == 0 ? i : (i << 16 | 80);
}

static void compare(const struct mtls_streams *streams, const int *state)
{
    uint32_t count = 0, refused = 0;

    for (uint32_t i = 0; i < IDS; i++) {
        const struct mtls_stream *found = mtls_streams_find(streams, id_of(i));

        core_must((found != NULL) == (state[i] != 0));
        if (found == NULL)
            continue;
        core_must(found->id == id_of(i));
        core_must(found->channel == (state[i] == 1 ? channel_of(i) : NULL));
        count++;
        refused += state[i] == 2;
    }
    ck_assert_uint_eq(streams->count, count);
    ck_assert_uint_eq(streams->refused, refused);
}

START_TEST(what_is_added_is_found_until_it_is_removed)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct core_random random = core_random_of(core_seed(seed));
        struct mtls_streams streams;
        int state[IDS] = {0};

        mtls_streams_init(&streams, seed);
        compare(&streams, state);
        for (int i = 0; i < 5000; i++) {
            uint32_t at = core_below(&random, IDS);

            if (state[at] != 0) {
                mtls_streams_remove(&streams, id_of(at));
                state[at] = 0;
            } else {
                state[at] = core_chance(&random, 3) ? 2 : 1;
                core_must(
                    mtls_streams_add(&streams, id_of(at),
                                     state[at] == 1 ? channel_of(at) : NULL));
            }
            if (i % 500 == 0)
                compare(&streams, state);
        }
        compare(&streams, state);
        mtls_streams_cleanup(&streams);
    }
}
END_TEST

START_TEST(removing_what_is_not_there_does_nothing)
{
    struct mtls_streams streams;

    mtls_streams_init(&streams, 7);
    mtls_streams_add(&streams, 1, NULL);
    mtls_streams_remove(&streams, 2);
    ck_assert_uint_eq(streams.count, 1);
    mtls_streams_remove(&streams, 1);
    mtls_streams_remove(&streams, 1);
    ck_assert_uint_eq(streams.count, 0);
    ck_assert_uint_eq(streams.refused, 0);
    mtls_streams_cleanup(&streams);
}
END_TEST

/* All source ports to one destination; and few stand far from their place. */
START_TEST(it_holds_as_many_as_there_are_source_ports)
{
    struct mtls_streams streams;

    mtls_streams_init(&streams, 99);
    for (uint32_t port = 0; port < 65536; port++)
        core_must(mtls_streams_add(&streams, port << 16 | 80, channel_of(0)));
    for (uint32_t port = 0; port < 65536; port++)
        core_must(mtls_streams_find(&streams, port << 16 | 80) != NULL);
    ck_assert_ptr_null(mtls_streams_find(&streams, 81));
    mtls_streams_cleanup(&streams);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {what_is_added_is_found_until_it_is_removed,
                                  removing_what_is_not_there_does_nothing,
                                  it_holds_as_many_as_there_are_source_ports};

    return core_run("streams", tests, core_count(tests));
}
