/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* What a crash left unfinished at the end of a log: kept, noted, cut off. */
#include "evidence_local.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

/* At most so many; who has more of them has another trouble. */
#define TORN_FILES_MAX 9999

/* A new file FILE.torn.N; its path is in *path. -1: an error. */
static int create_beside(const struct mtls_evidence_file *f, char **path)
{
    size_t size = strlen(f->path) + sizeof(".torn.9999");
    int fd = -1;

    *path = OPENSSL_malloc(size);
    if (*path == NULL)
        return -1;
    errno = EEXIST;
    for (int i = 1; fd < 0 && errno == EEXIST && i <= TORN_FILES_MAX; i++) {
        BIO_snprintf(*path, size, "%s.torn.%d", f->path, i);
        fd = open(*path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    }
    if (fd < 0) {
        MTLS_raise_data(MTLS_R_EVIDENCE_IO, "%s: %s", *path, strerror(errno));
        OPENSSL_free(*path);
        *path = NULL;
    }
    return fd;
}

static int write_all(int fd, const unsigned char *in, size_t len)
{
    while (len != 0) {
        ssize_t n = write(fd, in, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return 0;
        in += n;
        len -= (size_t)n;
    }
    return 1;
}

/* Copies what is after the end to |fd|, and takes its digest. */
static int copy_torn(const struct mtls_evidence_file *f, uint64_t size, int fd,
                     const char *path, EVP_MD_CTX *md)
{
    unsigned char block[16384];

    for (uint64_t at = f->end; at < size;) {
        size_t n =
            size - at < sizeof(block) ? (size_t)(size - at) : sizeof(block);

        if (!mtls_evidence_file_read(f, at, block, n) ||
            !EVP_DigestUpdate(md, block, n))
            return 0;
        if (!write_all(fd, block, n))
            goto failed;
        at += n;
    }
    if (fsync(fd) == 0)
        return 1;
failed:
    MTLS_raise_data(MTLS_R_EVIDENCE_IO, "%s: %s", path, strerror(errno));
    return 0;
}

static int keep_copy(const struct mtls_evidence_file *f, uint64_t size,
                     char **path, unsigned char digest[MTLS_EVIDENCE_DIGEST])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int fd = -1;
    int ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) &&
             (fd = create_beside(f, path)) >= 0 &&
             copy_torn(f, size, fd, *path, md) &&
             EVP_DigestFinal_ex(md, digest, NULL);

    if (fd >= 0)
        close(fd);
    EVP_MD_CTX_free(md);
    return ok && mtls_evidence_sync_folder(f);
}

int mtls_evidence_torn_aside(struct mtls_evidence_file *f, uint64_t size)
{
    unsigned char digest[MTLS_EVIDENCE_DIGEST];
    struct mtls_evidence note = {.kind = MTLS_EVIDENCE_TORN,
                                 .sequence = size - f->end,
                                 .object = digest,
                                 .object_len = sizeof(digest)};
    char *path = NULL, *slash;

    if (!keep_copy(f, size, &path, digest)) {
        OPENSSL_free(path);
        return 0;
    }
    OPENSSL_free(f->torn);
    f->torn = path;
    f->torn_octets = size - f->end;
    if (ftruncate(f->fd, (off_t)f->end) != 0)
        return mtls_evidence_raise_system(f);
    slash = strrchr(path, '/');
    note.peer = slash == NULL ? path : slash + 1;
    note.peer_len = strlen(note.peer);
    return mtls_evidence_file_append(f, &note);
}
