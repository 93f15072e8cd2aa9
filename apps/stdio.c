/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * Standard input and output as a local end. They may be pipes, terminals,
 * sockets, files or devices, and are shared with other programs, whose view of
 * them must not change: O_NONBLOCK belongs to the open file, not to us. So
 * reads happen only when poll() has seen something, and output goes to a file
 * description of our own where the system gives us one.
 */
#include "local.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct side {
    uv_poll_t poll;
    uv_idle_t idle; /* in its place for a file, which is always ready */
    int fd;
    int always; /* poll() is not for it: a file, a device */
    int socket; /* MSG_DONTWAIT works */
    int waits;  /* for readiness, now */
    int blocks; /* a write may block: only little at a time, after poll() */
    int ours;   /* |fd| is to be closed */
};

struct local_stdio {
    struct local base;
    struct side in, out;
    int in_ended; /* whatever comes, it is not read */
    int open_handles;
};

static struct side *side_of(struct local_stdio *s, int event)
{
    return event == LOCAL_IN ? &s->in : &s->out;
}

static void on_closed(uv_handle_t *handle)
{
    struct local_stdio *s = handle->data;

    if (--s->open_handles == 0)
        free(s);
}

static void tell(struct local_stdio *s, int event)
{
    if (side_of(s, event)->waits)
        s->base.ready(&s->base, event);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct local_stdio *s = poll->data;
    int event = poll == &s->in.poll ? LOCAL_IN : LOCAL_OUT;

    /* An error shows up when it is read or written. */
    if (status < 0 || events != 0)
        tell(s, event);
}

static void on_idle(uv_idle_t *idle)
{
    struct local_stdio *s = idle->data;

    tell(s, idle == &s->in.idle ? LOCAL_IN : LOCAL_OUT);
}

static int readable_now(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) > 0;
}

static ssize_t stdio_read(struct local *l, void *p, size_t n)
{
    struct side *in = &((struct local_stdio *)l)->in;

    if (((struct local_stdio *)l)->in_ended)
        return 0;
    if (!in->always && !readable_now(in->fd)) {
        errno = EAGAIN;
        return -1;
    }
    return read(in->fd, p, n);
}

static ssize_t stdio_write(struct local *l, const void *p, size_t n, int more)
{
    struct side *out = &((struct local_stdio *)l)->out;
    struct pollfd room = {.fd = out->fd, .events = POLLOUT};

    (void)more;
    if (out->socket)
        return send(out->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (out->blocks) {
        if (poll(&room, 1, 0) <= 0) {
            errno = EAGAIN;
            return -1;
        }
        n = n < PIPE_BUF ? n : PIPE_BUF;
    }
    return write(out->fd, p, n);
}

static ssize_t stdio_writev(struct local *l, struct iovec *v, int n)
{
    (void)n;
    return stdio_write(l, v->iov_base, v->iov_len, 0);
}

void local_stdio_end(struct local *l)
{
    struct local_stdio *s = (struct local_stdio *)l;

    s->in_ended = 1;
    tell(s, LOCAL_IN);
}

static void side_want(struct side *side, int wanted, int uv_event)
{
    if (side->waits == wanted || side->fd < 0)
        return;
    side->waits = wanted;
    if (side->always) {
        if (wanted)
            uv_idle_start(&side->idle, on_idle);
        else
            uv_idle_stop(&side->idle);
    } else if (wanted) {
        uv_poll_start(&side->poll, uv_event, on_poll);
    } else {
        uv_poll_stop(&side->poll);
    }
}

static void stdio_want(struct local *l, int events)
{
    struct local_stdio *s = (struct local_stdio *)l;

    side_want(&s->in, (events & LOCAL_IN) != 0, UV_READABLE);
    side_want(&s->out, (events & LOCAL_OUT) != 0, UV_WRITABLE);
}

/* The reader of our output sees the end, if nobody else writes to it. */
static void stdio_end(struct local *l)
{
    struct local_stdio *s = (struct local_stdio *)l;
    int nothing;

    stdio_want(l, s->in.waits ? LOCAL_IN : 0);
    if (s->out.socket)
        shutdown(s->out.fd, SHUT_WR);
    if (s->out.ours)
        close(s->out.fd);
    s->out.fd = -1;
    nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nothing >= 0) { /* so that no other file becomes standard output */
        dup2(nothing, STDOUT_FILENO);
        close(nothing);
    }
}

static void side_close(struct local_stdio *s, struct side *side)
{
    side->waits = 0;
    s->open_handles++;
    uv_close((uv_handle_t *)&side->idle, on_closed);
    if (!side->always) {
        s->open_handles++;
        uv_close((uv_handle_t *)&side->poll, on_closed);
    }
}

static void stdio_close(struct local *l)
{
    struct local_stdio *s = (struct local_stdio *)l;

    side_close(s, &s->in);
    side_close(s, &s->out);
    if (s->out.ours && s->out.fd >= 0)
        close(s->out.fd);
}

static const struct local_ops stdio_ops = {
    stdio_read, stdio_write, stdio_writev, stdio_want,
    stdio_end,  stdio_close, stdio_close,  stdio_close,
};

/*
 * libuv makes what it polls non-blocking; here the flags go back to what they
 * were, since others see them too.
 */
static void side_init(uv_loop_t *loop, struct local_stdio *s, struct side *side,
                      int fd)
{
    int flags = fcntl(fd, F_GETFL);
    struct stat st;

    side->fd = fd;
    side->poll.data = side->idle.data = s;
    uv_idle_init(loop, &side->idle);
    side->always = fstat(fd, &st) != 0 || S_ISREG(st.st_mode) ||
                   uv_poll_init(loop, &side->poll, fd) != 0;
    side->socket = !side->always && S_ISSOCK(st.st_mode);
    if (!side->ours && flags >= 0)
        fcntl(fd, F_SETFL, flags);
}

/* A pipe or a terminal can be opened once more, with flags of our own. */
static int open_own(int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || (!S_ISFIFO(st.st_mode) && !isatty(fd)))
        return -1;
    return open("/proc/self/fd/1",
                O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

struct local *local_stdio_new(struct app *app)
{
    struct local_stdio *s = calloc(1, sizeof(*s));
    int own;

    if (s == NULL)
        return NULL;
    s->base.ops = &stdio_ops;
    own = open_own(STDOUT_FILENO);
    s->out.ours = own >= 0;
    side_init(&app->loop, s, &s->in, STDIN_FILENO);
    side_init(&app->loop, s, &s->out, own >= 0 ? own : STDOUT_FILENO);
    s->out.blocks = !s->out.ours && !s->out.always && !s->out.socket;
    return &s->base;
}
