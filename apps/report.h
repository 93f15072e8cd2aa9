/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/*
 * What the tool says on standard error: a line an event, or with -json one
 * JSON object a line. Texts may come from the peer: whatever is not printable
 * ASCII is shown as \xHH. Standard output belongs to channel data.
 */
#ifndef MTLS_APPS_REPORT_H
#define MTLS_APPS_REPORT_H

#include <openssl/bio.h>
#include <stddef.h>
#include <stdint.h>

enum report_style {
    REPORT_LINES,
    REPORT_BRIEF,
    REPORT_QUIET,
    REPORT_JSON
};

/* report_init says who speaks ("s_client") and how, from then on. */
void report_init(const char *command, enum report_style chosen);

/* report_events_on_stdout: where a report is what the command is for. */
void report_events_on_stdout(void);

enum report_style report_style(void);

/* One event under construction. A failed allocation loses it, no more. */
struct event {
    BIO *json; /* NULL unless -json */
    BIO *line; /* NULL with -json or -quiet */
};

/* event_begin starts the event |name|, which a line of text will show too. */
void event_begin(struct event *e, const char *name);

/* These add a member to the JSON object; lines do not show it. */
void event_text(struct event *e, const char *key, const char *value);
void event_number(struct event *e, const char *key, uint64_t value);
void event_flag(struct event *e, const char *key, int value);

/* event_line adds a line of text, escaped once it is put together. */
__attribute__((format(printf, 2, 3))) void event_line(struct event *e,
                                                      const char *format, ...);

/* event_end writes the event in one piece. */
void event_end(struct event *e);

/*
 * report_error says one sentence, and with it everything on OpenSSL's error
 * queue, which is empty afterwards. -quiet does not silence it.
 */
__attribute__((format(printf, 1, 2))) void report_error(const char *format,
                                                        ...);

/* report_note says one sentence unless -quiet. */
__attribute__((format(printf, 1, 2))) void report_note(const char *format, ...);

/* report_escape writes |text| printable to |out|, cut to |size| with its 0. */
char *report_escape(char *out, size_t size, const char *text);

#endif
