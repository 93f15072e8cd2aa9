/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What belongs to an address and its port: a hash table, drawn anew for each
 * process, since others choose the addresses. */
#ifndef MTLS_APPS_ADDR_MAP_H
#define MTLS_APPS_ADDR_MAP_H

#include "addr.h"

/* Embedded in what is to be found. */
struct addr_node {
    struct addr_node *next;
    union addr addr;
};

struct addr_map {
    struct addr_node **buckets;
    size_t n_buckets, n;
    uint64_t key;
};

/* addr_map_init: 0 when memory is short. addr_map_cleanup frees no node. */
int addr_map_init(struct addr_map *m);
void addr_map_cleanup(struct addr_map *m);

/* addr_map_add: |node|'s address is set. Of several with the same one, the
 * last that was added is found. */
void addr_map_add(struct addr_map *m, struct addr_node *node);
void addr_map_remove(struct addr_map *m, struct addr_node *node);

/* addr_map_find: NULL when there is none. addr_map_next: another one with the
 * same address, added before. */
struct addr_node *addr_map_find(const struct addr_map *m, const union addr *a);
struct addr_node *addr_map_next(const struct addr_node *node);

#endif
