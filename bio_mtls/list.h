/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* Doubly linked lists whose nodes are embedded in what they link. */
#ifndef MTLS_LIST_H
#define MTLS_LIST_H

#include <stddef.h>

struct mtls_list {
    struct mtls_list *prev, *next; /* an unlinked node points to itself */
};

#define mtls_list_item(node, type, member) \
    ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void mtls_list_init(struct mtls_list *list)
{
    list->prev = list->next = list;
}

static inline int mtls_list_empty(const struct mtls_list *list)
{
    return list->next == list;
}

/* mtls_list_linked tells whether |node| is in any list. */
static inline int mtls_list_linked(const struct mtls_list *node)
{
    return node->next != node;
}

static inline void mtls_list_remove(struct mtls_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    mtls_list_init(node);
}

/* mtls_list_append moves |node| to the end of |list|. */
static inline void mtls_list_append(struct mtls_list *list,
                                    struct mtls_list *node)
{
    mtls_list_remove(node);
    node->prev = list->prev;
    node->next = list;
    list->prev->next = node;
    list->prev = node;
}

/* mtls_list_splice moves all of |from| to the end of |list|. */
static inline void mtls_list_splice(struct mtls_list *list,
                                    struct mtls_list *from)
{
    if (mtls_list_empty(from))
        return;
    from->next->prev = list->prev;
    list->prev->next = from->next;
    from->prev->next = list;
    list->prev = from->prev;
    mtls_list_init(from);
}

#endif
