/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "evidence_log.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

const char *evidence_folder(void)
{
    snprintf(folder, sizeof(folder), "/tmp/mtls-evidence-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    return folder;
}

const char *evidence_memory_folder(void)
{
    snprintf(folder, sizeof(folder), "/dev/shm/mtls-evidence-XXXXXX");
    return mkdtemp(folder) != NULL ? folder : evidence_folder();
}

void evidence_remove(void)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir)) != NULL)
        unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    ck_assert_int_eq(rmdir(folder), 0);
}

const char *evidence_file(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

unsigned char *evidence_read(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    unsigned char *octets;
    long size;

    ck_assert_msg(f != NULL, "%s is there", path);
    ck_assert_int_eq(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    ck_assert_int_ge(size, 0);
    rewind(f);
    octets = calloc((size_t)size + 1, 1);
    ck_assert_ptr_nonnull(octets);
    *len = fread(octets, 1, (size_t)size, f);
    ck_assert_uint_eq(*len, (size_t)size);
    fclose(f);
    return octets;
}

/* Not emptied first: file systems wait for the disk then. */
void evidence_write(const char *path, const void *octets, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);

    ck_assert_msg(fd >= 0, "%s can be written", path);
    ck_assert_int_eq(write(fd, octets, len), (ssize_t)len);
    ck_assert_int_eq(ftruncate(fd, (off_t)len), 0);
    close(fd);
}

struct mtls_evidence evidence_sample(const char *text)
{
    struct mtls_evidence e = {.kind = MTLS_EVIDENCE_MESSAGE_SENT,
                              .direction = MTLS_EVIDENCE_FROM_CLIENT,
                              .sequence = 7,
                              .binding = "the session",
                              .time = 1700000000000,
                              .peer = "localhost:4433",
                              .peer_len = 14,
                              .object = (const unsigned char *)text,
                              .object_len = strlen(text)};

    return e;
}

static void same_digest(const unsigned char *in, size_t len,
                        const unsigned char digest[MTLS_EVIDENCE_DIGEST])
{
    unsigned char computed[MTLS_EVIDENCE_DIGEST];

    ck_assert(EVP_Digest(in, len, computed, NULL, EVP_sha256(), NULL));
    ck_assert_mem_eq(computed, digest, sizeof(computed));
}

uint64_t evidence_walk(const char *path,
                       void (*each)(const struct mtls_evidence *e, void *arg),
                       void *arg)
{
    size_t len, size;
    unsigned char *octets = evidence_read(path, &len);
    const unsigned char *at = octets, *end = octets + len, *id, *digest;
    struct mtls_evidence e;
    uint64_t number = 0;

    ck_assert_int_eq(mtls_evidence_get_header(at, len, &id, &digest),
                     MTLS_EVIDENCE_DONE);
    same_digest(at, (size_t)(digest - at), digest);
    for (at += MTLS_EVIDENCE_HEADER; at < end; at += size) {
        ck_assert_int_eq(mtls_evidence_start(at, (size_t)(end - at), &size),
                         MTLS_EVIDENCE_DONE);
        ck_assert_uint_le(size, (size_t)(end - at));
        ck_assert(mtls_evidence_get(at, size, &e));
        ck_assert_uint_eq(e.number, ++number);
        ck_assert_mem_eq(e.id, id, sizeof(e.id));
        ck_assert_mem_eq(e.previous, digest, sizeof(e.previous));
        digest = at + size - MTLS_EVIDENCE_DIGEST;
        same_digest(at, size - MTLS_EVIDENCE_DIGEST, digest);
        if (each != NULL)
            each(&e, arg);
    }
    free(octets);
    return number;
}
