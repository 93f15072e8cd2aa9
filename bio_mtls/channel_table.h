/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Which channel an id names (D2), and which halves are in use. Two probes of
 * arrays that grow by pages, no hash; pages stay until the table goes.
 */
#ifndef MTLS_CHANNEL_TABLE_H
#define MTLS_CHANNEL_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define MTLS_HALVES 65536
#define MTLS_TABLE_PAGE 256

struct mtls_channel;

/* A set of halves. */
struct mtls_half_set {
    uint64_t *pages[64]; /* of 1,024 bits */
};

int mtls_half_set_has(const struct mtls_half_set *set, uint16_t half);
int mtls_half_set_add(struct mtls_half_set *set, uint16_t half);
void mtls_half_set_remove(struct mtls_half_set *set, uint16_t half);
void mtls_half_set_cleanup(struct mtls_half_set *set);

struct mtls_channel_table {
    struct mtls_channel **pages[MTLS_HALVES / MTLS_TABLE_PAGE]; /* own half */
    struct mtls_half_set peer_initiator; /* halves of the peer's in use */
    struct mtls_half_set peer_acceptor;
    uint32_t in_use[2];    /* own halves in use, by parity */
    uint16_t next_half[2]; /* where to look for a free one, by parity */
};

void mtls_channel_table_cleanup(struct mtls_channel_table *table);

/* mtls_channel_table_at is the channel that has this half of ours, or NULL. */
static inline struct mtls_channel *
mtls_channel_table_at(const struct mtls_channel_table *table, uint16_t own_half)
{
    struct mtls_channel *const *page = table->pages[own_half / MTLS_TABLE_PAGE];

    return page == NULL ? NULL : page[own_half % MTLS_TABLE_PAGE];
}

/*
 * mtls_channel_table_reserve finds a free half of that parity for |channel|:
 * 1, 0 when all are in use, -1 when out of memory. An initiator's half is also
 * not one that the peer uses as an initiator, lest their ids be mixed up (D3).
 */
int mtls_channel_table_reserve(struct mtls_channel_table *table,
                               struct mtls_channel *channel, int parity,
                               int initiator, uint16_t *own_half);
void mtls_channel_table_release(struct mtls_channel_table *table,
                                uint16_t own_half);

#endif
