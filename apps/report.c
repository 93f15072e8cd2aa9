/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "report.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The longest sentence; peers' texts in it are cut to fit. */
#define SENTENCE 4096

static const char *speaker = "mtls";
static enum report_style style = REPORT_LINES;
static int events_fd = STDERR_FILENO;

void report_init(const char *command, enum report_style chosen)
{
    speaker = command;
    style = chosen;
}

void report_events_on_stdout(void)
{
    events_fd = STDOUT_FILENO;
}

enum report_style report_style(void)
{
    return style;
}

static size_t escape_octet(char out[5], unsigned char c)
{
    if (c >= 0x20 && c <= 0x7e) {
        out[0] = (char)c;
        out[1] = '\0';
        return 1;
    }
    return (size_t)snprintf(out, 5, "\\x%02x", c);
}

char *report_escape(char *out, size_t size, const char *text)
{
    char piece[5];
    size_t used = 0;

    for (; *text != '\0'; text++) {
        size_t n = escape_octet(piece, (unsigned char)*text);

        if (used + n >= size)
            break;
        memcpy(out + used, piece, n);
        used += n;
    }
    out[used] = '\0';
    return out;
}

static void put_escaped(BIO *to, const char *text, int json)
{
    char piece[5];

    for (; *text != '\0'; text++) {
        size_t n = escape_octet(piece, (unsigned char)*text);

        for (size_t i = 0; i < n; i++) {
            if (json && (piece[i] == '"' || piece[i] == '\\'))
                BIO_write(to, "\\", 1);
            BIO_write(to, piece + i, 1);
        }
    }
}

/* One write() a line, so that lines of several processes do not mix. */
static void emit(BIO *b, int fd)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);

    while (n > 0) {
        ssize_t done = write(fd, p, (size_t)n);

        if (done <= 0)
            break;
        p += done;
        n -= done;
    }
    BIO_free(b);
}

void event_begin(struct event *e, const char *name)
{
    e->json = NULL;
    e->line = NULL;
    if (style == REPORT_JSON) {
        e->json = BIO_new(BIO_s_mem());
        if (e->json != NULL)
            BIO_printf(e->json, "{\"event\":\"%s\"", name);
    } else if (style != REPORT_QUIET) {
        e->line = BIO_new(BIO_s_mem());
    }
}

void event_text(struct event *e, const char *key, const char *value)
{
    if (e->json == NULL || value == NULL)
        return;
    BIO_printf(e->json, ",\"%s\":\"", key);
    put_escaped(e->json, value, 1);
    BIO_write(e->json, "\"", 1);
}

void event_number(struct event *e, const char *key, uint64_t value)
{
    if (e->json != NULL)
        BIO_printf(e->json, ",\"%s\":%llu", key, (unsigned long long)value);
}

void event_flag(struct event *e, const char *key, int value)
{
    if (e->json != NULL)
        BIO_printf(e->json, ",\"%s\":%s", key, value ? "true" : "false");
}

static void put_sentence(BIO *to, int json, const char *format, va_list args)
{
    char text[SENTENCE];

    vsnprintf(text, sizeof(text), format, args);
    put_escaped(to, text, json);
}

void event_line(struct event *e, const char *format, ...)
{
    va_list args;

    if (e->line == NULL)
        return;
    va_start(args, format);
    put_sentence(e->line, 0, format, args);
    va_end(args);
    BIO_write(e->line, "\n", 1);
}

void event_end(struct event *e)
{
    if (e->json != NULL) {
        BIO_write(e->json, "}\n", 2);
        emit(e->json, events_fd);
    }
    if (e->line != NULL)
        emit(e->line, events_fd);
}

/* Empties OpenSSL's queue into |to|, oldest first. */
static void put_queue(BIO *to, int json)
{
    unsigned long code;
    const char *data;
    int flags;
    int first = 1;

    while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
        const char *reason = ERR_reason_error_string(code);
        char number[32];

        if (reason == NULL) {
            snprintf(number, sizeof(number), "error %08lx", code);
            reason = number;
        }
        BIO_puts(to, json ? (first ? "\"" : ",\"") : "    ");
        put_escaped(to, reason, json);
        if ((flags & ERR_TXT_STRING) != 0 && data != NULL && *data != '\0') {
            BIO_puts(to, ": ");
            put_escaped(to, data, json);
        }
        BIO_puts(to, json ? "\"" : "\n");
        first = 0;
    }
}

void report_error(const char *format, ...)
{
    BIO *b = BIO_new(BIO_s_mem());
    va_list args;

    if (b == NULL) {
        ERR_clear_error();
        return;
    }
    va_start(args, format);
    if (style == REPORT_JSON) {
        BIO_puts(b, "{\"event\":\"error\",\"text\":\"");
        put_sentence(b, 1, format, args);
        BIO_puts(b, "\",\"openssl\":[");
        put_queue(b, 1);
        BIO_puts(b, "]}\n");
    } else {
        BIO_printf(b, "mtls %s: ", speaker);
        put_sentence(b, 0, format, args);
        BIO_puts(b, "\n");
        put_queue(b, 0);
    }
    va_end(args);
    emit(b, STDERR_FILENO);
}

void report_note(const char *format, ...)
{
    char text[SENTENCE];
    struct event e;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    event_begin(&e, "note");
    event_text(&e, "text", text);
    event_line(&e, "mtls %s: %s", speaker, text);
    event_end(&e);
}
