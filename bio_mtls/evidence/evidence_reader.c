/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "evidence_reader.h"

#include "evidence_local.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is read of the file is read by the functions of the writer's. */
static struct mtls_evidence_file as_file(const struct mtls_evidence_reader *r)
{
    struct mtls_evidence_file f = {.fd = r->fd, .path = r->path};

    return f;
}

static int read_at(const struct mtls_evidence_reader *r, uint64_t at,
                   unsigned char *out, size_t len)
{
    struct mtls_evidence_file f = as_file(r);

    return mtls_evidence_file_read(&f, at, out, len);
}

static int fails(const struct mtls_evidence_reader *r)
{
    struct mtls_evidence_file f = as_file(r);

    return mtls_evidence_raise_system(&f);
}

/* The size that it has while nobody appends. */
static int take_size(struct mtls_evidence_reader *r)
{
    struct stat st;
    int answer;

    if (fstat(r->fd, &st) == 0 && !S_ISREG(st.st_mode)) {
        MTLS_raise_data(MTLS_R_EVIDENCE_NOT_A_LOG, "%s", r->path);
        return 0;
    }
    do
        answer = flock(r->fd, LOCK_SH);
    while (answer != 0 && errno == EINTR);
    if (answer != 0 || fstat(r->fd, &st) != 0)
        return fails(r);
    r->size = (uint64_t)st.st_size;
    flock(r->fd, LOCK_UN);
    return 1;
}

static int read_header(struct mtls_evidence_reader *r)
{
    unsigned char header[MTLS_EVIDENCE_HEADER];
    unsigned char computed[MTLS_EVIDENCE_DIGEST];
    const unsigned char *id, *digest;
    size_t n = r->size < sizeof(header) ? (size_t)r->size : sizeof(header);

    if (!read_at(r, 0, header, n))
        return 0;
    if (mtls_evidence_get_header(header, n, &id, &digest) !=
        MTLS_EVIDENCE_DONE) {
        MTLS_raise_data(MTLS_R_EVIDENCE_NOT_A_LOG, "%s", r->path);
        return 0;
    }
    if (!mtls_evidence_digest(header, (size_t)(digest - header), computed))
        return 0;
    memcpy(r->id, id, sizeof(r->id));
    memcpy(r->header, digest, sizeof(r->header));
    r->header_good = memcmp(computed, digest, sizeof(computed)) == 0;
    r->at = sizeof(header);
    return 1;
}

int mtls_evidence_reader_init(struct mtls_evidence_reader *r, const char *path)
{
    memset(r, 0, sizeof(*r));
    r->fd = -1;
    r->path = OPENSSL_strdup(path);
    if (r->path == NULL)
        return 0;
    r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (r->fd < 0)
        return fails(r);
    return take_size(r) && read_header(r);
}

void mtls_evidence_reader_cleanup(struct mtls_evidence_reader *r)
{
    if (r->fd >= 0)
        close(r->fd);
    OPENSSL_free(r->octets);
    OPENSSL_free(r->path);
    r->fd = -1;
    r->octets = NULL;
    r->path = NULL;
}

/* The size of what begins at |at|, if it looks like an entry; 0: no. */
static int size_at(const struct mtls_evidence_reader *r, uint64_t at,
                   size_t *size)
{
    unsigned char start[MTLS_EVIDENCE_START];

    *size = 0;
    if (r->size - at < MTLS_EVIDENCE_FIXED)
        return 1;
    if (!read_at(r, at, start, sizeof(start)))
        return 0;
    if (mtls_evidence_start(start, sizeof(start), size) != MTLS_EVIDENCE_DONE ||
        *size > r->size - at)
        *size = 0;
    return 1;
}

/* Reads what may be an entry: 1, or 0 when its digest differs; -1: an error. */
static int read_entry(struct mtls_evidence_reader *r, uint64_t at, size_t size)
{
    size_t n = size - MTLS_EVIDENCE_DIGEST;

    OPENSSL_free(r->octets);
    r->octets = OPENSSL_malloc(size);
    if (r->octets == NULL || !read_at(r, at, r->octets, size) ||
        !mtls_evidence_digest(r->octets, n, r->computed))
        return -1;
    memcpy(r->stored, r->octets + n, sizeof(r->stored));
    return memcmp(r->stored, r->computed, sizeof(r->stored)) == 0 &&
           mtls_evidence_get(r->octets, size, &r->entry);
}

/*
 * Whether an entry of this log begins at |at|. Its id is looked at first: who
 * sent us an object with entries in it can't have known it, and so can't make
 * us read and digest the same octets over and over.
 */
static int is_ours(struct mtls_evidence_reader *r, uint64_t at)
{
    unsigned char id[MTLS_EVIDENCE_ID];
    size_t size;

    if (!size_at(r, at, &size))
        return -1;
    if (size == 0)
        return 0;
    if (!read_at(r, at + MTLS_EVIDENCE_START, id, sizeof(id)))
        return -1;
    return memcmp(id, r->id, sizeof(id)) == 0 ? read_entry(r, at, size) : 0;
}

/* Where after |at| the next entry of this log begins, or the file ends. */
static int find_next(struct mtls_evidence_reader *r, uint64_t at,
                     uint64_t *found)
{
    unsigned char block[4096];

    for (*found = at + 1; *found < r->size;) {
        size_t n = r->size - *found < sizeof(block) ? (size_t)(r->size - *found)
                                                    : sizeof(block);
        const unsigned char *p = block, *t;

        if (!read_at(r, *found, block, n))
            return 0;
        while ((t = memchr(p, 'T', n - (size_t)(p - block))) != NULL) {
            int ours = is_ours(r, *found + (size_t)(t - block));

            if (ours != 0) {
                *found += (size_t)(t - block);
                return ours > 0;
            }
            p = t + 1;
        }
        *found += n;
    }
    return 1;
}

enum mtls_evidence_item
mtls_evidence_reader_next(struct mtls_evidence_reader *r)
{
    uint64_t next;
    size_t size;
    int good;

    if (r->at >= r->size)
        return MTLS_EVIDENCE_END;
    r->from = r->at;
    if (!size_at(r, r->at, &size))
        return MTLS_EVIDENCE_ERROR;
    good = size == 0 ? 0 : read_entry(r, r->at, size);
    if (good < 0)
        return MTLS_EVIDENCE_ERROR;
    if (good) {
        r->to = r->at = r->from + size;
        return MTLS_EVIDENCE_ENTRY;
    }
    if (!find_next(r, r->from, &next))
        return MTLS_EVIDENCE_ERROR;
    /* is its size good? then nothing of ours begins within it */
    if (size != 0 && next >= r->from + size) {
        if (read_entry(r, r->from, size) < 0)
            return MTLS_EVIDENCE_ERROR;
        r->to = r->at = r->from + size;
        return MTLS_EVIDENCE_SPOILT;
    }
    r->to = r->at = next;
    return next < r->size ? MTLS_EVIDENCE_RUBBISH : MTLS_EVIDENCE_CUT;
}
