/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "speed_tcp.h"

#include "report.h"
#include "speed_process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- sockets ---------------------------------------------------------------
 */

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET};

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons((uint16_t)port);
    return a;
}

static int tcp_socket(void)
{
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int no_delay(int fd)
{
    int on = 1;

    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

int speed_tcp_listen(int *port)
{
    struct sockaddr_in a = loopback(0);
    socklen_t len = sizeof(a);
    int fd = tcp_socket();

    if (fd >= 0 && (bind(fd, (struct sockaddr *)&a, len) != 0 ||
                    listen(fd, SPEED_TCP_MAX) != 0 ||
                    getsockname(fd, (struct sockaddr *)&a, &len) != 0)) {
        close(fd);
        fd = -1;
    }
    *port = ntohs(a.sin_port);
    return fd;
}

int speed_tcp_connect(int port)
{
    struct sockaddr_in a = loopback(port);
    int fd = tcp_socket();

    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        close(fd);
        fd = -1;
    }
    return no_delay(fd);
}

int speed_tcp_accept(int listener)
{
    return no_delay(accept(listener, NULL, NULL));
}

/* --- the two processes -----------------------------------------------------
 */

static int connect_all(struct speed_tcp *t, int n, int port)
{
    int ok = 1;

    for (; ok && t->n < n; t->n += ok)
        ok = (t->fd[t->n] = speed_tcp_connect(port)) >= 0;
    if (!ok)
        report_error("can't connect on loopback: %s", strerror(errno));
    return ok;
}

static int accept_all(struct speed_tcp *t, int n, int listener)
{
    int ok = 1;

    for (; ok && t->n < n; t->n += ok)
        ok = (t->fd[t->n] = speed_tcp_accept(listener)) >= 0;
    close(listener);
    return ok;
}

int speed_tcp_start(struct speed_tcp *t, int n, int (*between)(int port),
                    int (*serve)(struct speed_tcp *t, void *state), void *state)
{
    cpu_set_t allowed = speed_processors();
    int port;
    int listener = speed_tcp_listen(&port);
    pid_t pid;

    t->n = 0;
    if (listener < 0) {
        report_error("can't listen on loopback: %s", strerror(errno));
        return 0;
    }
    pid = speed_fork(&t->control);
    if (pid == 0) {
        speed_pin(&allowed, 2 * speed_worker() + 1);
        _exit(accept_all(t, n, listener) && serve(t, state) ? EXIT_SUCCESS
                                                            : EXIT_FAILURE);
    }
    close(listener);
    if (between != NULL && pid > 0)
        port = between(port);
    speed_pin(&allowed, 2 * speed_worker());
    return pid > 0 && port > 0 && connect_all(t, n, port);
}

BIO *speed_tcp_bio(struct speed_tcp *t, int i, const struct speed *s,
                   enum speed_side side, int server)
{
    BIO *socket = BIO_new_socket(t->fd[i], BIO_CLOSE);
    BIO *bio = speed_tls_bio(s, side, server, socket);

    if (bio != NULL && BIO_do_handshake(bio) <= 0) {
        report_error("the handshake failed");
        BIO_free_all(bio);
        bio = NULL;
    }
    return bio;
}
