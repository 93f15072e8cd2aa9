/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "evidence.h"

#include "evidence_local.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

struct mtls_evidence_log {
    struct mtls_evidence_file file;
    pthread_mutex_t mutex;
    atomic_int references;
    pid_t pid; /* flock()'s locks are shared with the children of a fork */
};

static void free_log(struct mtls_evidence_log *log)
{
    if (log->file.fd >= 0)
        close(log->file.fd);
    pthread_mutex_destroy(&log->mutex);
    OPENSSL_free(log->file.torn);
    OPENSSL_free(log->file.path);
    OPENSSL_free(log);
}

static int lock_file(struct mtls_evidence_log *log)
{
    int answer;

    if (log->pid != getpid()) {
        close(log->file.fd);
        if (!mtls_evidence_file_open(&log->file, 1))
            return 0;
        log->file.end = log->file.number = 0; /* read anew */
        log->pid = getpid();
    }
    do
        answer = flock(log->file.fd, LOCK_EX);
    while (answer != 0 && errno == EINTR);
    return answer == 0 || mtls_evidence_raise_system(&log->file);
}

struct mtls_evidence_log *mtls_evidence_open(const char *path)
{
    struct mtls_evidence_log *log = OPENSSL_zalloc(sizeof(*log));
    int ok;

    if (log == NULL)
        return NULL;
    log->file.fd = -1;
    atomic_init(&log->references, 1);
    pthread_mutex_init(&log->mutex, NULL);
    log->file.path = OPENSSL_strdup(path);
    log->pid = getpid();
    ok = log->file.path != NULL && mtls_evidence_file_open(&log->file, 0) &&
         lock_file(log);
    if (ok) {
        ok = mtls_evidence_file_catch_up(&log->file);
        flock(log->file.fd, LOCK_UN);
    }
    if (!ok) {
        free_log(log);
        return NULL;
    }
    return log;
}

void mtls_evidence_up_ref(struct mtls_evidence_log *log)
{
    atomic_fetch_add(&log->references, 1);
}

void mtls_evidence_close(struct mtls_evidence_log *log)
{
    if (log != NULL && atomic_fetch_sub(&log->references, 1) == 1)
        free_log(log);
}

int mtls_evidence_append(struct mtls_evidence_log *log,
                         const struct mtls_evidence *e, uint64_t *number)
{
    int ok;

    pthread_mutex_lock(&log->mutex);
    ok = lock_file(log);
    if (ok) {
        ok = mtls_evidence_file_catch_up(&log->file) &&
             mtls_evidence_file_append(&log->file, e);
        flock(log->file.fd, LOCK_UN);
    }
    if (ok && number != NULL)
        *number = log->file.number;
    pthread_mutex_unlock(&log->mutex);
    return ok;
}

int mtls_evidence_torn(struct mtls_evidence_log *log, char **file,
                       uint64_t *octets)
{
    int r = 0;

    pthread_mutex_lock(&log->mutex);
    if (log->file.torn != NULL) {
        *file = OPENSSL_strdup(log->file.torn);
        *octets = log->file.torn_octets;
        r = *file == NULL ? -1 : 1;
    }
    pthread_mutex_unlock(&log->mutex);
    return r;
}

const char *mtls_evidence_path(const struct mtls_evidence_log *log)
{
    return log->file.path;
}
