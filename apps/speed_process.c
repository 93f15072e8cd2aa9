/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "speed_process.h"

#include "report.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t speed_fork(int *fd)
{
    pid_t parent = getpid();
    pid_t pid = -1;
    int ends[2] = {-1, -1};

    fflush(stdout); /* or the child would have it too */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0)
        pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(EXIT_FAILURE);
        close(ends[0]);
        *fd = ends[1];
        return 0;
    }
    if (pid < 0) {
        report_error("no process: %s", strerror(errno));
        close(ends[0]);
    }
    close(ends[1]);
    *fd = ends[0];
    return pid;
}

void speed_join(pid_t *pid, int *fd)
{
    if (*pid <= 0)
        return;
    close(*fd);
    kill(*pid, SIGKILL);
    while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *pid = 0;
}

int speed_get(int fd, void *out, size_t len)
{
    char *p = out;

    while (len > 0) {
        ssize_t n = read(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0;
        p += n;
        len -= (size_t)n;
    }
    return 1;
}

int speed_put(int fd, const void *in, size_t len)
{
    /* Less than a socket holds: it goes as a whole, or not at all. */
    return write(fd, in, len) == (ssize_t)len;
}

cpu_set_t speed_processors(void)
{
    cpu_set_t allowed;

    CPU_ZERO(&allowed);
    sched_getaffinity(0, sizeof(allowed), &allowed);
    return allowed;
}

void speed_pin(const cpu_set_t *allowed, int n)
{
    int count = CPU_COUNT(allowed);
    cpu_set_t one;

    if (count < 2)
        return;
    n %= count;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, allowed) && n-- == 0) {
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof(one), &one);
            return;
        }
    }
}
