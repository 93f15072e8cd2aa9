/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* The end of an evidence log: found, mended, written to. */
#include "evidence_local.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int mtls_evidence_raise_system(const struct mtls_evidence_file *f)
{
    MTLS_raise_data(MTLS_R_EVIDENCE_IO, "%s: %s", f->path, strerror(errno));
    return 0;
}

static int raise_damaged(const struct mtls_evidence_file *f, uint64_t number)
{
    MTLS_raise_data(MTLS_R_EVIDENCE_DAMAGED, "%s: entry %llu", f->path,
                    (unsigned long long)number);
    return 0;
}

int mtls_evidence_digest(const void *in, size_t len,
                         unsigned char out[MTLS_EVIDENCE_DIGEST])
{
    return EVP_Digest(in, len, out, NULL, EVP_sha256(), NULL);
}

/* --- the file ------------------------------------------------------------- */

/* The folder that is worked in may be another one when it is opened again. */
static int make_absolute(struct mtls_evidence_file *f)
{
    char *whole = realpath(f->path, NULL);

    if (whole == NULL)
        return mtls_evidence_raise_system(f);
    OPENSSL_free(f->path);
    f->path = OPENSSL_strdup(whole);
    free(whole);
    return f->path != NULL;
}

int mtls_evidence_file_open(struct mtls_evidence_file *f, int again)
{
    const int flags = O_RDWR | O_CLOEXEC | O_NONBLOCK;
    struct stat st;

    f->fd = open(f->path, again ? flags : flags | O_CREAT, 0600);
    if (f->fd < 0 || fstat(f->fd, &st) != 0)
        return mtls_evidence_raise_system(f);
    if (!S_ISREG(st.st_mode)) {
        MTLS_raise_data(MTLS_R_EVIDENCE_NOT_A_LOG, "%s", f->path);
        return 0;
    }
    return again || make_absolute(f);
}

int mtls_evidence_sync_folder(const struct mtls_evidence_file *f)
{
    char *path = OPENSSL_strdup(f->path);
    int ok, fd = -1;

    if (path == NULL)
        return 0;
    fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        mtls_evidence_raise_system(f);
    if (fd >= 0)
        close(fd);
    OPENSSL_free(path);
    return ok;
}

int mtls_evidence_file_read(const struct mtls_evidence_file *f, uint64_t at,
                            unsigned char *out, size_t len)
{
    while (len != 0) {
        ssize_t n = pread(f->fd, out, len, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO; /* shorter than it was said to be */
        if (n <= 0)
            return mtls_evidence_raise_system(f);
        out += n;
        at += (size_t)n;
        len -= (size_t)n;
    }
    return 1;
}

/* Puts |in| at the end. What did not get to the disk is taken back. */
static int write_at_end(const struct mtls_evidence_file *f,
                        const unsigned char *in, size_t len)
{
    uint64_t at = f->end;

    while (len != 0) {
        ssize_t n = pwrite(f->fd, in, len, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        in += n;
        at += (size_t)n;
        len -= (size_t)n;
    }
    if (len == 0 && fdatasync(f->fd) == 0)
        return 1;
    mtls_evidence_raise_system(f);
    if (ftruncate(f->fd, (off_t)f->end) != 0)
        mtls_evidence_raise_system(f);
    return 0;
}

/* --- header --------------------------------------------------------------- */

static int write_header(struct mtls_evidence_file *f)
{
    unsigned char header[MTLS_EVIDENCE_HEADER];
    size_t n;

    if (RAND_bytes(f->id, sizeof(f->id)) != 1)
        return 0;
    n = mtls_evidence_put_header(header, f->id);
    if (ftruncate(f->fd, 0) != 0)
        return mtls_evidence_raise_system(f);
    if (!mtls_evidence_digest(header, n, header + n) ||
        !write_at_end(f, header, sizeof(header)) ||
        !mtls_evidence_sync_folder(f))
        return 0;
    memcpy(f->last, header + n, sizeof(f->last));
    f->end = sizeof(header);
    return 1;
}

/* One that was cut when it was written has nothing after it: it is replaced. */
static int read_header(struct mtls_evidence_file *f, uint64_t size)
{
    unsigned char header[MTLS_EVIDENCE_HEADER];
    unsigned char computed[MTLS_EVIDENCE_DIGEST];
    const unsigned char *id, *digest;
    size_t n = size < sizeof(header) ? (size_t)size : sizeof(header);

    if (!mtls_evidence_file_read(f, 0, header, n))
        return 0;
    switch (mtls_evidence_get_header(header, n, &id, &digest)) {
    case MTLS_EVIDENCE_BAD:
        MTLS_raise_data(MTLS_R_EVIDENCE_NOT_A_LOG, "%s", f->path);
        return 0;
    case MTLS_EVIDENCE_MORE:
        return write_header(f);
    default:
        break;
    }
    if (!mtls_evidence_digest(header, (size_t)(digest - header), computed))
        return 0;
    if (memcmp(computed, digest, sizeof(computed)) != 0) {
        MTLS_raise_data(MTLS_R_EVIDENCE_DAMAGED, "%s: header", f->path);
        return 0;
    }
    memcpy(f->id, id, sizeof(f->id));
    memcpy(f->last, digest, sizeof(f->last));
    f->end = sizeof(header);
    return 1;
}

/* --- entries -------------------------------------------------------------- */

/* 1: an entry of this log with a good digest is at |at|; -1: an error. */
static int is_whole(const struct mtls_evidence_file *f, uint64_t at,
                    size_t size, struct mtls_evidence *e,
                    unsigned char digest[MTLS_EVIDENCE_DIGEST])
{
    unsigned char *octets = OPENSSL_malloc(size);
    int answer = -1;

    if (octets != NULL && mtls_evidence_file_read(f, at, octets, size) &&
        mtls_evidence_digest(octets, size - MTLS_EVIDENCE_DIGEST, digest)) {
        answer = mtls_evidence_get(octets, size, e) &&
                 memcmp(digest, octets + size - MTLS_EVIDENCE_DIGEST,
                        MTLS_EVIDENCE_DIGEST) == 0 &&
                 memcmp(e->id, f->id, sizeof(f->id)) == 0;
        e->peer = NULL; /* what it lent is gone */
        e->certs = e->object = NULL;
    }
    OPENSSL_free(octets);
    return answer;
}

/* The size of the entry at |at|, of which |left| octets are there; 0: none. */
static int start_of(const struct mtls_evidence_file *f, uint64_t at,
                    uint64_t left, size_t *size)
{
    unsigned char start[MTLS_EVIDENCE_START];

    *size = 0;
    if (left < MTLS_EVIDENCE_FIXED)
        return 1;
    if (!mtls_evidence_file_read(f, at, start, sizeof(start)))
        return 0;
    if (mtls_evidence_start(start, sizeof(start), size) != MTLS_EVIDENCE_DONE ||
        *size > left)
        *size = 0;
    return 1;
}

/* Its id is looked at first: who sent us an object with entries in it can't
 * make us read and digest the same octets over and over. -1: an error. */
static int is_ours(const struct mtls_evidence_file *f, uint64_t at, size_t size,
                   struct mtls_evidence *e,
                   unsigned char digest[MTLS_EVIDENCE_DIGEST])
{
    unsigned char id[MTLS_EVIDENCE_ID];

    if (!mtls_evidence_file_read(f, at + MTLS_EVIDENCE_START, id, sizeof(id)))
        return -1;
    return memcmp(id, f->id, sizeof(id)) == 0 ? is_whole(f, at, size, e, digest)
                                              : 0;
}

/*
 * Whether a good entry of this log begins after |at|: then what is at |at| was
 * not torn by a crash, which leaves one unfinished entry at the end.
 */
static int entry_follows(const struct mtls_evidence_file *f, uint64_t at,
                         uint64_t size)
{
    unsigned char digest[MTLS_EVIDENCE_DIGEST], block[4096];
    struct mtls_evidence e;

    while (at < size) {
        size_t n =
            size - at < sizeof(block) ? (size_t)(size - at) : sizeof(block);
        const unsigned char *p = block, *magic;

        if (!mtls_evidence_file_read(f, at, block, n))
            return -1;
        for (; (magic = memchr(p, 'T', n - (size_t)(p - block))) != NULL;
             p = magic + 1) {
            uint64_t here = at + (size_t)(magic - block);
            size_t entry;
            int answer;

            if (here == f->end)
                continue;
            if (!start_of(f, here, size - here, &entry))
                return -1;
            if (entry != 0 &&
                (answer = is_ours(f, here, entry, &e, digest)) != 0)
                return answer;
        }
        at += n;
    }
    return 0;
}

/* What is after f->end is no entry, or not a whole one. */
static int mend_end(struct mtls_evidence_file *f, uint64_t size)
{
    int follows = entry_follows(f, f->end, size);

    if (follows < 0)
        return 0;
    if (follows)
        return raise_damaged(f, f->number + 1);
    return mtls_evidence_torn_aside(f, size);
}

/* The last entry that has its size: where it is, and its digest if good. */
static int find_last(struct mtls_evidence_file *f, uint64_t size, uint64_t *at,
                     size_t *entry, uint64_t *passed)
{
    size_t next;

    *at = f->end;
    *entry = 0;
    *passed = 0;
    for (;;) {
        if (!start_of(f, *at + *entry, size - *at - *entry, &next))
            return 0;
        if (next == 0)
            return 1;
        *at += *entry;
        *entry = next;
        ++*passed;
    }
}

/* Of many entries the last alone is read whole: the others tell their sizes. */
static int read_entries(struct mtls_evidence_file *f, uint64_t size)
{
    unsigned char digest[MTLS_EVIDENCE_DIGEST];
    struct mtls_evidence e;
    uint64_t at, passed;
    size_t entry;
    int whole;

    if (!find_last(f, size, &at, &entry, &passed))
        return 0;
    if (entry != 0) {
        whole = is_whole(f, at, entry, &e, digest);
        if (whole < 0)
            return 0;
        if (whole && e.number != f->number + passed)
            return raise_damaged(f, f->number + passed);
        if (whole) {
            at += entry;
            memcpy(f->last, digest, sizeof(f->last));
        } else {
            passed--;
            if (!mtls_evidence_file_read(f, at - sizeof(f->last), f->last,
                                         sizeof(f->last)))
                return 0;
        }
        f->end = at;
        f->number += passed;
    }
    return f->end == size || mend_end(f, size);
}

int mtls_evidence_file_catch_up(struct mtls_evidence_file *f)
{
    struct stat st;
    uint64_t size;

    if (fstat(f->fd, &st) != 0)
        return mtls_evidence_raise_system(f);
    size = (uint64_t)st.st_size;
    if (size < f->end) {
        MTLS_raise_data(MTLS_R_EVIDENCE_DAMAGED, "%s: it was cut short",
                        f->path);
        return 0;
    }
    if (f->end == 0 && !(size == 0 ? write_header(f) : read_header(f, size)))
        return 0;
    return size <= f->end || read_entries(f, size);
}

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int mtls_evidence_file_append(struct mtls_evidence_file *f,
                              const struct mtls_evidence *e)
{
    struct mtls_evidence entry = *e;
    size_t n, size = mtls_evidence_size(e);
    unsigned char *octets = size == 0 ? NULL : OPENSSL_malloc(size);
    int ok;

    memcpy(entry.id, f->id, sizeof(entry.id));
    memcpy(entry.previous, f->last, sizeof(entry.previous));
    entry.number = f->number + 1;
    if (entry.time == 0)
        entry.time = now();
    n = octets == NULL ? 0 : mtls_evidence_put(octets, size, &entry);
    if (n == 0) {
        OPENSSL_free(octets);
        MTLS_raise(size == 0 ? MTLS_R_EVIDENCE_TOO_LARGE
                             : MTLS_R_INVALID_VALUE);
        return 0;
    }
    ok = mtls_evidence_digest(octets, n, octets + n) &&
         write_at_end(f, octets, size);
    if (ok) {
        f->end += size;
        f->number++;
        memcpy(f->last, octets + n, sizeof(f->last));
    }
    OPENSSL_free(octets);
    return ok;
}
