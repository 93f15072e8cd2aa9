/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "commands.h"
#include "configured.h"

#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#ifndef MTLS_VERSION_TEXT
#define MTLS_VERSION_TEXT "unknown"
#endif

/* Look-ups block their thread: with libuv's four, four slow names stop all. */
#define LOOKUP_THREADS "64"

static const struct {
    const char *name;
    int (*main)(int argc, char *argv[]);
    const char *help;
} commands[] = {
    {"s_server", s_server_main, "accept sessions, connect their channels"},
    {"s_client", s_client_main, "open a session, forward connections"},
    {"audit", audit_main, "verify an evidence log of TLS Sign"},
    {"speed", speed_main, "measure it against raw TLS"},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int show_usage(FILE *to, int status)
{
    fprintf(to, "Usage: mtls COMMAND [options]\n"
                "Multiplexed TLS: many channels over one TLS session.\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(to, "  %-10s  %s\n", commands[i].name, commands[i].help);
    fprintf(to, "  %-10s  %s\n  %-10s  %s\n", "version", "what this is", "help",
            "this text");
    fprintf(to, "\nmtls COMMAND -help lists the options of a command.\n");
    return status;
}

static int show_version(void)
{
    printf("mtls %s (MTLS-05), %s, libuv %s\n", MTLS_VERSION_TEXT,
           OpenSSL_version(OPENSSL_VERSION), uv_version_string());
    return EXIT_SUCCESS;
}

/* Each forwarded connection takes a descriptor. */
static void raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
        limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    setenv("UV_THREADPOOL_SIZE", LOOKUP_THREADS, 0);
}

/* Lest a socket take the place of a standard descriptor that is closed. */
static int fill_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        return 0;
    close(fd);
    return 1;
}

/*
 * Buffers of 16 KiB come and go with each turn; without this the heap shrinks
 * and grows as often, by system calls and new pages.
 */
static void keep_memory(void)
{
#ifdef __GLIBC__
    mallopt(M_TRIM_THRESHOLD, 4 * 1024 * 1024);
    mallopt(M_TOP_PAD, 256 * 1024);
#endif
}

int main(int argc, char *argv[])
{
    const char *name;

    if (!fill_standard_descriptors() || !configured_init())
        return EXIT_FAILURE;
    if (argc < 2)
        return show_usage(stderr, EXIT_USAGE);
    name = argv[1] + strspn(argv[1], "-");
    if (strcmp(name, "help") == 0)
        return show_usage(stdout, EXIT_SUCCESS);
    if (strcmp(name, "version") == 0)
        return show_version();
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            signal(SIGPIPE, SIG_IGN);
            raise_limits();
            keep_memory();
            return commands[i].main(argc - 2, argv + 2);
        }
    }
    fprintf(stderr, "mtls: %s: unknown command\n", argv[1]);
    return show_usage(stderr, EXIT_USAGE);
}
