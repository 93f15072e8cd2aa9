/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* mtls speed: processes that measure together. */
#ifndef MTLS_APPS_SPEED_PROCESS_H
#define MTLS_APPS_SPEED_PROCESS_H

#include <sched.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * speed_fork is fork(), with a socket between the two in |*fd|. The child does
 * not outlive its parent, so that nobody has to end it, and has to leave by
 * _exit(). -1 with a message.
 */
pid_t speed_fork(int *fd);

/* speed_join ends the child, which has told all, and closes the socket. */
void speed_join(pid_t *pid, int *fd);

/* All of |len| octets; 0 when the other process has gone. */
int speed_get(int fd, void *out, size_t len);
int speed_put(int fd, const void *in, size_t len);

/*
 * speed_pin puts this process on the |n|th of the processors that |allowed|
 * holds, the first again after the last.
 */
void speed_pin(const cpu_set_t *allowed, int n);
cpu_set_t speed_processors(void);

#endif
