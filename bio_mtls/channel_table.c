/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "channel_table.h"

#include <stdlib.h>
#include <string.h>

#define SET_PAGE_BITS 1024

int mtls_half_set_has(const struct mtls_half_set *set, uint16_t half)
{
    const uint64_t *page = set->pages[half / SET_PAGE_BITS];
    unsigned int bit = half % SET_PAGE_BITS;

    return page != NULL && (page[bit / 64] >> bit % 64 & 1) != 0;
}

int mtls_half_set_add(struct mtls_half_set *set, uint16_t half)
{
    uint64_t **page = &set->pages[half / SET_PAGE_BITS];
    unsigned int bit = half % SET_PAGE_BITS;

    if (*page == NULL)
        *page = calloc(SET_PAGE_BITS / 64, sizeof(**page));
    if (*page == NULL)
        return 0;
    (*page)[bit / 64] |= UINT64_C(1) << bit % 64;
    return 1;
}

void mtls_half_set_remove(struct mtls_half_set *set, uint16_t half)
{
    uint64_t *page = set->pages[half / SET_PAGE_BITS];
    unsigned int bit = half % SET_PAGE_BITS;

    if (page != NULL)
        page[bit / 64] &= ~(UINT64_C(1) << bit % 64);
}

void mtls_half_set_cleanup(struct mtls_half_set *set)
{
    for (size_t i = 0; i < sizeof(set->pages) / sizeof(set->pages[0]); i++)
        free(set->pages[i]);
}

void mtls_channel_table_cleanup(struct mtls_channel_table *table)
{
    for (size_t i = 0; i < sizeof(table->pages) / sizeof(table->pages[0]); i++)
        free(table->pages[i]);
    mtls_half_set_cleanup(&table->peer_initiator);
    mtls_half_set_cleanup(&table->peer_acceptor);
    memset(table, 0, sizeof(*table));
}

/* 1 put, -1 out of memory. */
static int put(struct mtls_channel_table *table, uint16_t half,
               struct mtls_channel *channel)
{
    struct mtls_channel ***page = &table->pages[half / MTLS_TABLE_PAGE];

    if (*page == NULL) {
        void *fresh = calloc(MTLS_TABLE_PAGE, sizeof(**page));

        if (fresh == NULL)
            return -1;
        *page = fresh;
    }
    (*page)[half % MTLS_TABLE_PAGE] = channel;
    return 1;
}

/*
 * Halves are handed out in turn, so that one just released is the last to be
 * used again, and the search is short unless nearly all are in use.
 */
int mtls_channel_table_reserve(struct mtls_channel_table *table,
                               struct mtls_channel *channel, int parity,
                               int initiator, uint16_t *own_half)
{
    uint16_t half = (uint16_t)(table->next_half[parity] | parity);

    if (table->in_use[parity] == MTLS_HALVES / 2)
        return 0;
    for (unsigned int i = 0; i < MTLS_HALVES / 2; i++) {
        if (mtls_channel_table_at(table, half) == NULL &&
            !(initiator && mtls_half_set_has(&table->peer_initiator, half))) {
            if (put(table, half, channel) < 0)
                return -1;
            table->in_use[parity]++;
            table->next_half[parity] = (uint16_t)(half + 2);
            *own_half = half;
            return 1;
        }
        half = (uint16_t)(half + 2);
    }
    return 0;
}

void mtls_channel_table_release(struct mtls_channel_table *table,
                                uint16_t own_half)
{
    table->pages[own_half / MTLS_TABLE_PAGE][own_half % MTLS_TABLE_PAGE] = NULL;
    table->in_use[own_half & 1]--;
}
