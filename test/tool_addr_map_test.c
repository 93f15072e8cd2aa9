/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Whose a datagram is: addresses are found while the table grows and shrinks.
 */
#include "addr_map.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define MANY 5000

static struct addr_map map;

/* The |i|th of many addresses: of both families, several with one port. */
static union addr address(unsigned i)
{
    union addr a;

    memset(&a, 0, sizeof(a));
    if (i % 2 == 0) {
        a.v4.sin_family = AF_INET;
        a.v4.sin_addr.s_addr = htonl(0x7f000000U + i / 64);
    } else {
        a.v6.sin6_family = AF_INET6;
        a.v6.sin6_addr.s6_addr[15] = (uint8_t)(i / 64);
        a.v6.sin6_addr.s6_addr[0] = (uint8_t)(i / 64 / 256);
    }
    addr_set_port(&a, (uint16_t)(1000 + i % 64));
    return a;
}

static struct addr_node *found(unsigned i)
{
    union addr a = address(i);

    return addr_map_find(&map, &a);
}

static void begin(void)
{
    ck_assert(addr_map_init(&map));
}

static void end(void)
{
    addr_map_cleanup(&map);
}

START_TEST(each_is_found)
{
    struct addr_node *nodes = calloc(MANY, sizeof(*nodes));

    ck_assert_ptr_nonnull(nodes);
    for (unsigned i = 0; i < MANY; i++) {
        ck_assert_ptr_null(found(i));
        nodes[i].addr = address(i);
        addr_map_add(&map, &nodes[i]);
        ck_assert_ptr_eq(found(i), &nodes[i]);
    }
    ck_assert_uint_eq(map.n, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        ck_assert_ptr_eq(found(i), &nodes[i]);
        ck_assert_ptr_null(addr_map_next(&nodes[i]));
    }
    for (unsigned i = 0; i < MANY; i += 3)
        addr_map_remove(&map, &nodes[i]);
    for (unsigned i = 0; i < MANY; i++)
        ck_assert_ptr_eq(found(i), i % 3 == 0 ? NULL : &nodes[i]);
    free(nodes);
}
END_TEST

/* Of two at one address the newer one comes first, also when the table has
 * grown since, and the other is found behind it. */
START_TEST(the_newest_comes_first)
{
    struct addr_node twice[2], *others = calloc(MANY, sizeof(*others));

    ck_assert_ptr_nonnull(others);
    for (unsigned i = 0; i < 2; i++) {
        twice[i].addr = address(MANY);
        addr_map_add(&map, &twice[i]);
    }
    for (unsigned i = 0; i < MANY; i++) {
        others[i].addr = address(i);
        addr_map_add(&map, &others[i]);
        ck_assert_ptr_eq(found(MANY), &twice[1]);
        ck_assert_ptr_eq(addr_map_next(&twice[1]), &twice[0]);
        ck_assert_ptr_null(addr_map_next(&twice[0]));
    }
    addr_map_remove(&map, &twice[1]);
    ck_assert_ptr_eq(found(MANY), &twice[0]);
    free(others);
}
END_TEST

/* Family, address, port and interface: each makes another one. */
START_TEST(what_differs_is_not_found)
{
    struct addr_node node;
    union addr a;

    memset(&node, 0, sizeof(node));
    node.addr.v6.sin6_family = AF_INET6;
    node.addr.v6.sin6_addr.s6_addr[0] = 0xfe;
    node.addr.v6.sin6_addr.s6_addr[1] = 0x80;
    node.addr.v6.sin6_scope_id = 2;
    addr_set_port(&node.addr, 53);
    addr_map_add(&map, &node);
    a = node.addr;
    ck_assert_ptr_eq(addr_map_find(&map, &a), &node);
    a.v6.sin6_scope_id = 3;
    ck_assert_ptr_null(addr_map_find(&map, &a));
    a = node.addr;
    addr_set_port(&a, 54);
    ck_assert_ptr_null(addr_map_find(&map, &a));
    a = node.addr;
    a.v6.sin6_addr.s6_addr[15] = 1;
    ck_assert_ptr_null(addr_map_find(&map, &a));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tool_addr_map");
    TCase *tc = tcase_create("addresses");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, begin, end);
    tcase_add_test(tc, each_is_found);
    tcase_add_test(tc, the_newest_comes_first);
    tcase_add_test(tc, what_differs_is_not_found);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
