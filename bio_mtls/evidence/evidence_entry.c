/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "evidence_entry.h"

#include "octets.h"

static const unsigned char header_magic[16] = "TLS Sign log 1\n";
static const unsigned char entry_magic[4] = {'T', 'S', 'E', '1'};

static void put_uint64(struct mtls_writer *w, uint64_t v)
{
    mtls_put_uint(w, 4, (uint32_t)(v >> 32));
    mtls_put_uint(w, 4, (uint32_t)(v & 0xffffffffu));
}

static uint64_t get_uint64(struct mtls_reader *r)
{
    uint64_t high = mtls_get_uint(r, 4);

    return high << 32 | mtls_get_uint(r, 4);
}

static void get_copy(struct mtls_reader *r, unsigned char *out, size_t n)
{
    const unsigned char *p = mtls_get_octets(r, n);

    if (p != NULL)
        memcpy(out, p, n);
}

/* --- the header ----------------------------------------------------------- */

size_t mtls_evidence_put_header(unsigned char out[MTLS_EVIDENCE_HEADER],
                                const unsigned char id[MTLS_EVIDENCE_ID])
{
    memcpy(out, header_magic, sizeof(header_magic));
    memcpy(out + sizeof(header_magic), id, MTLS_EVIDENCE_ID);
    return sizeof(header_magic) + MTLS_EVIDENCE_ID;
}

enum mtls_evidence_answer mtls_evidence_get_header(const unsigned char *in,
                                                   size_t len,
                                                   const unsigned char **id,
                                                   const unsigned char **digest)
{
    size_t n = len < sizeof(header_magic) ? len : sizeof(header_magic);

    if (n != 0 && memcmp(in, header_magic, n) != 0)
        return MTLS_EVIDENCE_BAD;
    if (len < MTLS_EVIDENCE_HEADER)
        return MTLS_EVIDENCE_MORE;
    *id = in + sizeof(header_magic);
    *digest = *id + MTLS_EVIDENCE_ID;
    return MTLS_EVIDENCE_DONE;
}

/* --- an entry ------------------------------------------------------------- */

/* What is fixed of its values, so that each entry has one form alone. */
static int is_valid(const struct mtls_evidence *e)
{
    return e->kind >= MTLS_EVIDENCE_MESSAGE_SENT &&
           e->kind <= MTLS_EVIDENCE_TORN && e->format <= 2 &&
           e->direction <= MTLS_EVIDENCE_FROM_SERVER &&
           (e->flags & ~MTLS_EVIDENCE_WANTS_RECEIPT) == 0 && e->number != 0;
}

size_t mtls_evidence_size(const struct mtls_evidence *e)
{
    size_t left = MTLS_EVIDENCE_SIZE_MAX - MTLS_EVIDENCE_FIXED;

    if (e->peer_len > UINT16_MAX)
        return 0;
    left -= e->peer_len;
    if (e->certs_len > left || e->object_len > left - e->certs_len)
        return 0;
    return MTLS_EVIDENCE_FIXED + e->peer_len + e->certs_len + e->object_len;
}

size_t mtls_evidence_put(unsigned char *out, size_t room,
                         const struct mtls_evidence *e)
{
    struct mtls_writer w = mtls_writer_of(out, room);
    size_t size = mtls_evidence_size(e);

    if (size == 0 || !is_valid(e))
        return 0;
    mtls_put_octets(&w, entry_magic, sizeof(entry_magic));
    mtls_put_uint(&w, 4, (uint32_t)size);
    mtls_put_octets(&w, e->id, sizeof(e->id));
    put_uint64(&w, e->number);
    mtls_put_octets(&w, e->previous, sizeof(e->previous));
    put_uint64(&w, e->time);
    mtls_put_uint(&w, 1, e->kind);
    mtls_put_uint(&w, 1, e->format);
    mtls_put_uint(&w, 1, e->direction);
    mtls_put_uint(&w, 1, e->flags);
    put_uint64(&w, e->sequence);
    mtls_put_octets(&w, e->binding, sizeof(e->binding));
    mtls_put_uint(&w, 2, (uint32_t)e->peer_len);
    mtls_put_octets(&w, e->peer, e->peer_len);
    mtls_put_uint(&w, 4, (uint32_t)e->certs_len);
    mtls_put_octets(&w, e->certs, e->certs_len);
    mtls_put_uint(&w, 4, (uint32_t)e->object_len);
    mtls_put_octets(&w, e->object, e->object_len);
    return w.ok ? size - MTLS_EVIDENCE_DIGEST : 0;
}

enum mtls_evidence_answer mtls_evidence_start(const unsigned char *in,
                                              size_t len, size_t *size)
{
    size_t n = len < sizeof(entry_magic) ? len : sizeof(entry_magic);
    struct mtls_reader r = mtls_reader_of(in, len);

    if (n != 0 && memcmp(in, entry_magic, n) != 0)
        return MTLS_EVIDENCE_BAD;
    mtls_get_octets(&r, sizeof(entry_magic));
    *size = mtls_get_uint(&r, 4);
    if (!r.ok)
        return MTLS_EVIDENCE_MORE;
    if (*size < MTLS_EVIDENCE_FIXED || *size > MTLS_EVIDENCE_SIZE_MAX)
        return MTLS_EVIDENCE_BAD;
    return MTLS_EVIDENCE_DONE;
}

int mtls_evidence_get(const unsigned char *in, size_t size,
                      struct mtls_evidence *e)
{
    struct mtls_reader r;
    size_t said;

    if (mtls_evidence_start(in, size, &said) != MTLS_EVIDENCE_DONE ||
        said != size)
        return 0;
    r = mtls_reader_of(in, size - MTLS_EVIDENCE_DIGEST);
    mtls_get_octets(&r, MTLS_EVIDENCE_START);
    get_copy(&r, e->id, sizeof(e->id));
    e->number = get_uint64(&r);
    get_copy(&r, e->previous, sizeof(e->previous));
    e->time = get_uint64(&r);
    e->kind = (uint8_t)mtls_get_uint(&r, 1);
    e->format = (uint8_t)mtls_get_uint(&r, 1);
    e->direction = (uint8_t)mtls_get_uint(&r, 1);
    e->flags = (uint8_t)mtls_get_uint(&r, 1);
    e->sequence = get_uint64(&r);
    get_copy(&r, e->binding, sizeof(e->binding));
    e->peer_len = mtls_get_uint(&r, 2);
    e->peer = (const char *)mtls_get_octets(&r, e->peer_len);
    e->certs_len = mtls_get_uint(&r, 4);
    e->certs = mtls_get_octets(&r, e->certs_len);
    e->object_len = mtls_get_uint(&r, 4);
    e->object = mtls_get_octets(&r, e->object_len);
    return r.ok && r.left == 0 && is_valid(e);
}
