/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "record.h"

#include <stdlib.h>

struct mtls_record *mtls_records_take(struct mtls_records *records)
{
    struct mtls_record *record = records->spare;

    records->spare = NULL;
    if (record == NULL)
        record = malloc(sizeof(*record));
    if (record == NULL)
        return NULL;
    record->next = NULL;
    record->start = record->end = record->sealed = 0;
    return record;
}

void mtls_records_give_back(struct mtls_records *records,
                            struct mtls_record *record)
{
    if (records->spare == NULL)
        records->spare = record;
    else
        free(record);
}

void mtls_records_add(struct mtls_records *records, struct mtls_record *record)
{
    if (records->tail == NULL)
        records->head = record;
    else
        records->tail->next = record;
    records->tail = record;
    records->count++;
    records->queued += record->end - record->start;
}

static void drop_head(struct mtls_records *records)
{
    struct mtls_record *record = records->head;

    records->head = record->next;
    if (records->head == NULL)
        records->tail = NULL;
    records->count--;
    mtls_records_give_back(records, record);
}

void mtls_records_cleanup(struct mtls_records *records)
{
    while (records->head != NULL)
        drop_head(records);
    free(records->spare);
    records->spare = NULL;
}

int mtls_records_has_room(const struct mtls_records *records, size_t least,
                          unsigned int limit)
{
    return records->count < limit ||
           (records->count == limit && mtls_records_tail_fits(records, least));
}

unsigned char *mtls_records_new_room(struct mtls_records *records,
                                     unsigned int limit, size_t *room)
{
    struct mtls_record *record;

    if (records->count >= limit ||
        (record = mtls_records_take(records)) == NULL)
        return NULL;
    mtls_records_add(records, record);
    *room = MTLS_RECORD_SIZE;
    return record->data;
}

const unsigned char *mtls_records_peek(struct mtls_records *records,
                                       size_t *len)
{
    struct mtls_record *head = records->head;

    if (head == NULL || head->start == head->end) {
        *len = 0;
        return NULL;
    }
    head->sealed = 1;
    *len = head->end - head->start;
    return head->data + head->start;
}

void mtls_records_sent(struct mtls_records *records, size_t n)
{
    struct mtls_record *head = records->head;

    head->start += (uint32_t)n;
    records->sent += n;
    if (head->start == head->end)
        drop_head(records);
}
