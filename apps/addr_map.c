/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "addr_map.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 64 /* doubled as need be: a power of two */

/* The odd multiplier and the last step are those of splitmix64. */
static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * UINT64_C(0xbf58476d1ce4e5b9);
    return h ^ (h >> 29);
}

static size_t bucket(const struct addr_map *m, const union addr *a)
{
    uint64_t h = mix(m->key, addr_port(a));
    uint64_t words[2];

    if (a->sa.sa_family == AF_INET) {
        h = mix(h, a->v4.sin_addr.s_addr);
    } else {
        memcpy(words, &a->v6.sin6_addr, sizeof(words));
        h = mix(mix(h, words[0]), words[1]);
    }
    return (size_t)(h >> 32) & (m->n_buckets - 1);
}

int addr_map_init(struct addr_map *m)
{
    memset(m, 0, sizeof(*m));
    m->buckets = calloc(FIRST_BUCKETS, sizeof(*m->buckets));
    m->n_buckets = FIRST_BUCKETS;
    return m->buckets != NULL &&
           RAND_bytes((unsigned char *)&m->key, sizeof(m->key)) == 1;
}

void addr_map_cleanup(struct addr_map *m)
{
    free(m->buckets);
    memset(m, 0, sizeof(*m));
}

/* Without memory it stays as it is, and gets slower. */
static void grow(struct addr_map *m)
{
    struct addr_map larger = *m;

    larger.n_buckets *= 2;
    larger.buckets = calloc(larger.n_buckets, sizeof(*larger.buckets));
    if (larger.buckets == NULL)
        return;
    for (size_t i = 0; i < m->n_buckets; i++) {
        struct addr_node **end_of[2] = {&larger.buckets[i],
                                        &larger.buckets[i + m->n_buckets]};
        struct addr_node *node = m->buckets[i];

        for (; node != NULL; node = node->next) { /* their order remains */
            int half = bucket(&larger, &node->addr) != i;

            *end_of[half] = node;
            end_of[half] = &node->next;
        }
        *end_of[0] = *end_of[1] = NULL;
    }
    free(m->buckets);
    *m = larger;
}

void addr_map_add(struct addr_map *m, struct addr_node *node)
{
    struct addr_node **at;

    if (m->n >= m->n_buckets)
        grow(m);
    at = &m->buckets[bucket(m, &node->addr)];
    node->next = *at;
    *at = node;
    m->n++;
}

void addr_map_remove(struct addr_map *m, struct addr_node *node)
{
    struct addr_node **at = &m->buckets[bucket(m, &node->addr)];

    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    m->n--;
}

static struct addr_node *first_of(struct addr_node *node, const union addr *a)
{
    while (node != NULL && !addr_same(&node->addr, a))
        node = node->next;
    return node;
}

struct addr_node *addr_map_find(const struct addr_map *m, const union addr *a)
{
    return first_of(m->buckets[bucket(m, a)], a);
}

struct addr_node *addr_map_next(const struct addr_node *node)
{
    return first_of(node->next, &node->addr);
}
