/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "lossy_bio.h"

#include <string.h>

static BIO_METHOD *method;

static int chance(struct lossy *l, unsigned int percent)
{
    l->random ^= l->random >> 12;
    l->random ^= l->random << 25;
    l->random ^= l->random >> 27;
    return (l->random * 0x2545f4914f6cdd1du >> 33) % 100 < percent;
}

static void send_changed(BIO *next, struct lossy *l, const char *data, int len)
{
    char copy[sizeof(l->kept)];

    if (len > (int)sizeof(copy) || len < 2 ||
        (!chance(l, l->corrupt) && !chance(l, l->truncate))) {
        BIO_write(next, data, len);
        return;
    }
    memcpy(copy, data, (size_t)len);
    if (chance(l, 50))
        copy[len / 2] ^= 0x10;
    else
        len /= 2;
    BIO_write(next, copy, len);
}

static int lossy_write(BIO *b, const char *data, int len)
{
    struct lossy *l = BIO_get_data(b);
    BIO *next = BIO_next(b);

    BIO_clear_retry_flags(b);
    if (chance(l, l->full)) {
        BIO_set_retry_write(b);
        return -1;
    }
    l->written++;
    if (l->clock != NULL)
        l->last = ++*l->clock;
    if (chance(l, l->lose)) {
        l->lost++;
        return len;
    }
    if (l->kept_len == 0 && len <= (int)sizeof(l->kept) && chance(l, l->late)) {
        memcpy(l->kept, data, (size_t)len);
        l->kept_len = len;
        return len;
    }
    send_changed(next, l, data, len);
    if (chance(l, l->twice))
        BIO_write(next, data, len);
    if (l->kept_len != 0 && chance(l, 50)) {
        BIO_write(next, l->kept, l->kept_len);
        l->kept_len = 0;
    }
    return len;
}

/* Application data of epoch 1, that nobody has encrypted. */
static int flood(struct lossy *l, char *data, int len)
{
    static const char record[64] = {23, (char)0xfe, (char)0xfd, 0,  1, 0, 0,
                                    1,  0,          0,          99, 0, 51};

    if (len < (int)sizeof(record))
        return -1;
    l->flood--;
    memcpy(data, record, sizeof(record));
    return sizeof(record);
}

static int lossy_read(BIO *b, char *data, int len)
{
    struct lossy *l = BIO_get_data(b);
    int n;

    if (l->on_read != NULL)
        l->on_read();
    BIO_clear_retry_flags(b);
    if (l->flood != 0)
        return flood(l, data, len);
    n = BIO_read(BIO_next(b), data, len);
    BIO_copy_next_retry(b);
    return n;
}

static long lossy_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    struct lossy *l = BIO_get_data(b);

    l->ctrls++;
    return BIO_next(b) == NULL ? 0 : BIO_ctrl(BIO_next(b), cmd, num, ptr);
}

BIO *lossy_new(struct lossy *lossy)
{
    BIO *b;

    if (method == NULL) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_FILTER, "lossy");
        BIO_meth_set_write(method, lossy_write);
        BIO_meth_set_read(method, lossy_read);
        BIO_meth_set_ctrl(method, lossy_ctrl);
    }
    b = BIO_new(method);
    BIO_set_data(b, lossy);
    BIO_set_init(b, 1);
    if (lossy->random == 0)
        lossy->random = 1;
    return b;
}
