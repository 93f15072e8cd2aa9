/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "ext00.h"

#include <stdlib.h>

static const unsigned char all[] = {'A', 'L', 'L'};

/* --- decoding --- */

int mtls_ext00_next(struct mtls_reader *r, struct mtls_ext00_app *app)
{
    if (r->left == 0)
        return 0;
    app->name_len = (uint8_t)mtls_get_uint(r, 1);
    if (app->name_len == 0 || app->name_len > MTLS_EXT00_NAME_MAX)
        r->ok = 0;
    app->name = mtls_get_octets(r, app->name_len);
    app->port = (uint16_t)mtls_get_uint(r, 2);
    return r->ok;
}

struct mtls_reader mtls_ext00_begin(const unsigned char *in, size_t len)
{
    struct mtls_reader r = mtls_reader_of(in, len);
    uint32_t list = mtls_get_uint(&r, 1) << 16;

    list |= mtls_get_uint(&r, 2);
    if (r.left != list)
        r.ok = 0;
    return r;
}

long mtls_ext00_count(const unsigned char *in, size_t len)
{
    struct mtls_reader r = mtls_ext00_begin(in, len);
    struct mtls_ext00_app app;
    long n = 0;

    while (r.ok && mtls_ext00_next(&r, &app))
        n++;
    return r.ok ? n : -1;
}

int mtls_ext00_is_all(const struct mtls_ext00_app *app)
{
    return app->port == 0 && app->name_len == sizeof(all) &&
           memcmp(app->name, all, sizeof(all)) == 0;
}

int mtls_ext00_has_all(const unsigned char *in, size_t len)
{
    struct mtls_reader r = mtls_ext00_begin(in, len);
    struct mtls_ext00_app app;

    while (mtls_ext00_next(&r, &app)) {
        if (mtls_ext00_is_all(&app))
            return 1;
    }
    return 0;
}

/* --- encoding --- */

/* The list goes behind the room for its length, which end_list() fills. */
static struct mtls_writer begin_list(unsigned char *out, size_t room)
{
    struct mtls_writer w =
        mtls_writer_of(out, room < MTLS_EXT00_MAX ? room : MTLS_EXT00_MAX);

    mtls_put_uint(&w, MTLS_EXT00_LIST, 0);
    return w;
}

/* 0, and nothing put, when it does not fit. */
static int put_app(struct mtls_writer *w, const struct mtls_ext00_app *app)
{
    if (w->left < 3u + app->name_len)
        return 0;
    mtls_put_uint(w, 1, app->name_len);
    mtls_put_octets(w, app->name, app->name_len);
    mtls_put_uint(w, 2, app->port);
    return w->ok;
}

static size_t end_list(const struct mtls_writer *w, unsigned char *out)
{
    size_t size = w->ok ? (size_t)(w->at - out) : 0;
    struct mtls_writer head = mtls_writer_of(out, MTLS_EXT00_LIST);

    if (size <= MTLS_EXT00_LIST)
        return 0;
    mtls_put_uint(&head, MTLS_EXT00_LIST, (uint32_t)(size - MTLS_EXT00_LIST));
    return size;
}

size_t mtls_ext00_put(unsigned char *out, size_t room,
                      const struct mtls_ext00_app *apps, size_t n)
{
    struct mtls_writer w = begin_list(out, room);

    for (size_t i = 0; i < n && put_app(&w, &apps[i]); i++)
        continue;
    return end_list(&w, out);
}

/* --- text --- */

/* A name in text is printable, so that it can be shown and written again. */
static int parse_name(const char *text, size_t len, struct mtls_ext00_app *app)
{
    if (len == 0 || len > MTLS_EXT00_NAME_MAX)
        return 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~' || text[i] == ':')
            return 0;
    }
    app->name = (const unsigned char *)text;
    app->name_len = (uint8_t)len;
    return 1;
}

static int parse_port(const char *text, size_t len, uint16_t *port)
{
    unsigned int n = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || i == 5)
            return 0;
        n = n * 10 + (unsigned int)(text[i] - '0');
    }
    *port = (uint16_t)n;
    return n >= 1 && n <= 65535;
}

static int parse_app(const char *text, size_t len, struct mtls_ext00_app *app)
{
    const char *colon = memchr(text, ':', len);
    size_t name = colon == NULL ? len : (size_t)(colon - text);

    app->port = 0;
    if (!parse_name(text, name, app))
        return 0;
    if (colon == NULL)
        return mtls_ext00_is_all(app);
    return parse_port(colon + 1, len - name - 1, &app->port);
}

size_t mtls_ext00_parse(unsigned char *out, size_t room, const char *text)
{
    struct mtls_writer w = begin_list(out, room);
    struct mtls_ext00_app app;

    for (;;) {
        size_t len = strcspn(text, ",");

        if (!parse_app(text, len, &app) || !put_app(&w, &app))
            return 0;
        if (text[len] == '\0')
            return end_list(&w, out);
        text += len + 1;
    }
}

/* --- answering --- */

static int compare(const void *left, const void *right)
{
    const struct mtls_ext00_app *a = left, *b = right;

    if (a->port != b->port)
        return a->port < b->port ? -1 : 1;
    if (a->name_len != b->name_len)
        return a->name_len < b->name_len ? -1 : 1;
    return memcmp(a->name, b->name, a->name_len);
}

void mtls_ext00_sort(struct mtls_ext00_app *apps, size_t n)
{
    qsort(apps, n, sizeof(*apps), compare);
}

/* In the client's order, which may be one of preference. */
static size_t put_common(const struct mtls_ext00_app *apps, size_t n,
                         const unsigned char *offer, size_t len,
                         unsigned char *out, size_t room)
{
    struct mtls_reader r = mtls_ext00_begin(offer, len);
    struct mtls_writer w = begin_list(out, room);
    struct mtls_ext00_app app;

    while (mtls_ext00_next(&r, &app)) {
        if (bsearch(&app, apps, n, sizeof(*apps), compare) != NULL &&
            !put_app(&w, &app))
            break;
    }
    return end_list(&w, out);
}

/* Of a client that names applications, to a server that allows any. */
static size_t put_offered(const unsigned char *offer, size_t len,
                          unsigned char *out, size_t room)
{
    struct mtls_reader r = mtls_ext00_begin(offer, len);
    struct mtls_writer w = begin_list(out, room);
    struct mtls_ext00_app app;

    while (mtls_ext00_next(&r, &app) && put_app(&w, &app))
        continue;
    return end_list(&w, out);
}

size_t mtls_ext00_answer(const struct mtls_ext00_app *apps, size_t n,
                         enum mtls_ext00_policy policy,
                         const unsigned char *offer, size_t len,
                         unsigned char *out, size_t room)
{
    const struct mtls_ext00_app everything = {all, sizeof(all), 0};
    size_t size;

    if (policy == MTLS_EXT00_ALL)
        return mtls_ext00_has_all(offer, len)
                   ? mtls_ext00_put(out, room, &everything, 1)
                   : put_offered(offer, len, out, room);
    if (mtls_ext00_has_all(offer, len))
        return mtls_ext00_put(out, room, apps, n);
    size = put_common(apps, n, offer, len, out, room);
    if (size != 0 && policy == MTLS_EXT00_EVERYTHING)
        size = mtls_ext00_put(out, room, apps, n);
    return size;
}
