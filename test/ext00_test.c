/*
 * Copyright 2026 The MTLS for OpenSSL authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/* data_multiplexing, octets <-> applications; and what a server answers. */
#include "core_suite.h"
#include "ext00.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char room[MTLS_EXT00_MAX];

/* extension_data as text again: "http:80,ALL:0". */
static const char *text_of(const unsigned char *in, size_t len)
{
    static char text[300];
    struct mtls_reader r = mtls_ext00_begin(in, len);
    struct mtls_ext00_app app;
    size_t used = 0;

    ck_assert_int_ge(mtls_ext00_count(in, len), 0);
    text[0] = '\0';
    while (mtls_ext00_next(&r, &app))
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.*s:%u",
                                 used == 0 ? "" : ",", app.name_len,
                                 (const char *)app.name, app.port);
    return text;
}

/* --- text and octets --- */

#define OCTETS(literal) (literal), sizeof(literal) - 1

static const struct {
    const char *text, *octets;
    size_t size;
} lists[] = {
    {"http:80", OCTETS("\x00\x00\x07\x04http\x00\x50")},
    {"http:80,redis:6379",
     OCTETS("\x00\x00\x0f\x04http\x00\x50\x05redis\x18\xeb")},
    {"ALL", OCTETS("\x00\x00\x06\x03"
                   "ALL\x00\x00")},
    {"a:1,ALL,b:65535", OCTETS("\x00\x00\x0e\x01"
                               "a\x00\x01\x03"
                               "ALL\x00\x00\x01"
                               "b\xff\xff")},
    {"sixteen-octets-x:8", OCTETS("\x00\x00\x13\x10sixteen-octets-x\x00\x08")}};

START_TEST(text_becomes_the_octets_of_the_draft)
{
    for (size_t i = 0; i < core_count(lists); i++) {
        size_t n = mtls_ext00_parse(room, sizeof(room), lists[i].text);

        ck_assert_uint_eq(n, lists[i].size);
        ck_assert_mem_eq(room, lists[i].octets, n);
        ck_assert_uint_eq(mtls_ext00_parse(room, lists[i].size, lists[i].text),
                          lists[i].size);
        ck_assert_uint_eq(
            mtls_ext00_parse(room, lists[i].size - 1, lists[i].text), 0);
    }
}
END_TEST

START_TEST(what_is_no_list_is_refused)
{
    static const char *const bad[] = {"",
                                      "http",
                                      "http:",
                                      "http:0",
                                      "http:65536",
                                      ":80",
                                      "http:80,",
                                      ",http:80",
                                      "http:80,,a:1",
                                      "http: 80",
                                      "ht tp:80",
                                      "http:80:80",
                                      "all",
                                      "ALL:0",
                                      "http:+80",
                                      "http:000080",
                                      "seventeen-octets-:8",
                                      "caf\xc3\xa9:80",
                                      "a\tb:1"};

    for (size_t i = 0; i < core_count(bad); i++) {
        if (mtls_ext00_parse(room, sizeof(room), bad[i]) != 0)
            ck_abort_msg("\"%s\" was taken", bad[i]);
    }
}
END_TEST

START_TEST(octets_cut_anywhere_are_malformed)
{
    for (size_t i = 0; i < core_count(lists); i++) {
        const unsigned char *in = (const unsigned char *)lists[i].octets;

        for (size_t n = 0; n < lists[i].size; n++) {
            unsigned char *exact = malloc(n + 1); /* for sanitizers */

            memcpy(exact, in, n);
            ck_assert_int_eq(mtls_ext00_count(exact, n), -1);
            free(exact);
        }
        memcpy(room, in, lists[i].size);
        ck_assert_int_gt(mtls_ext00_count(room, lists[i].size), 0);
        ck_assert_int_eq(mtls_ext00_count(room, lists[i].size + 1), -1);
    }
}
END_TEST

/* The list's length is right, what is in it is not. */
START_TEST(applications_that_do_not_fill_the_list_are_malformed)
{
    static const struct {
        const char *octets;
        size_t size;
    } bad[] = {{OCTETS("\x00\x00\x01\x01")},
               {OCTETS("\x00\x00\x03\x01"
                       "a\x00")},
               {OCTETS("\x00\x00\x05\x01"
                       "a\x00\x01\x01")},
               {OCTETS("\x00\x00\x03\x00\x00\x50")}, /* apn<1..16> */
               {OCTETS("\x00\x00\x14\x11seventeen-octets-\x00\x08")},
               {OCTETS("\x00\x00\x04\xff"
                       "a\x00\x01")},
               {OCTETS("\x00\x00\x04\x01"
                       "a\x00\x01\x01"
                       "b\x00\x02")}, /* beyond the list */
               {OCTETS("\x10\x00\x04\x01"
                       "a\x00\x01")}};

    for (size_t i = 0; i < core_count(bad); i++) {
        if (mtls_ext00_count((const unsigned char *)bad[i].octets,
                             bad[i].size) != -1)
            ck_abort_msg("row %zu was taken", i);
    }
    ck_assert_int_eq(mtls_ext00_count((const unsigned char *)"\0\0\0", 3), 0);
}
END_TEST

/* 16,383 applications of the shortest name fill an extension. */
START_TEST(a_list_may_be_as_long_as_an_extension)
{
    const unsigned char name[] = {'x'};
    const size_t most = (MTLS_EXT00_MAX - MTLS_EXT00_LIST) / MTLS_EXT00_APP_MIN;
    struct mtls_ext00_app *apps = calloc(most + 1, sizeof(*apps));
    size_t size;

    for (size_t i = 0; i <= most; i++)
        apps[i] = (struct mtls_ext00_app){name, 1, (uint16_t)(i + 1)};
    size = mtls_ext00_put(room, sizeof(room), apps, most + 1);
    ck_assert_uint_eq(size, MTLS_EXT00_LIST + most * MTLS_EXT00_APP_MIN);
    ck_assert_int_eq(mtls_ext00_count(room, size), (long)most);
    free(apps);
}
END_TEST

/* --- answering --- */

static const char *answer_of(const char *support, enum mtls_ext00_policy policy,
                             const char *offer, size_t limit)
{
    static unsigned char have[MTLS_EXT00_MAX], out[MTLS_EXT00_MAX];
    struct mtls_ext00_app apps[10];
    size_t size = 0, n = 0;

    if (support != NULL) {
        size_t len = mtls_ext00_parse(have, sizeof(have), support);
        struct mtls_reader r = mtls_ext00_begin(have, len);

        while (mtls_ext00_next(&r, &apps[n]))
            n++;
        mtls_ext00_sort(apps, n);
    }
    size = *offer == '\0' ? (memset(room, 0, 3), 3)
                          : mtls_ext00_parse(room, sizeof(room), offer);
    ck_assert_uint_ne(size, 0);
    size = mtls_ext00_answer(apps, n, policy, room, size, out, limit);
    return size == 0 ? "" : text_of(out, size);
}

START_TEST(a_server_answers_as_its_policy_has_it)
{
    static const struct {
        const char *support;
        enum mtls_ext00_policy policy;
        const char *offer, *answer;
    } rows[] = {{"b:2,a:1", MTLS_EXT00_COMMON, "a:1", "a:1"},
                {"b:2,a:1", MTLS_EXT00_COMMON, "c:3,b:2,a:1", "b:2,a:1"},
                {"b:2,a:1", MTLS_EXT00_COMMON, "a:2,b:1,B:2,bb:2", ""},
                {"b:2,a:1", MTLS_EXT00_COMMON, "", ""},
                {"b:2,a:1", MTLS_EXT00_COMMON, "ALL", "a:1,b:2"},
                {"b:2,a:1", MTLS_EXT00_COMMON, "c:3,ALL", "a:1,b:2"},
                {"b:2,a:1", MTLS_EXT00_EVERYTHING, "b:2", "a:1,b:2"},
                {"b:2,a:1", MTLS_EXT00_EVERYTHING, "c:3", ""},
                {"b:2,a:1", MTLS_EXT00_EVERYTHING, "ALL", "a:1,b:2"},
                {NULL, MTLS_EXT00_ALL, "ALL", "ALL:0"},
                {NULL, MTLS_EXT00_ALL, "c:3,b:2", "c:3,b:2"},
                {NULL, MTLS_EXT00_ALL, "", ""}};

    for (size_t i = 0; i < core_count(rows); i++) {
        const char *answer = answer_of(rows[i].support, rows[i].policy,
                                       rows[i].offer, MTLS_EXT00_MAX);

        if (strcmp(answer, rows[i].answer) != 0)
            ck_abort_msg("row %zu: \"%s\"", i, answer);
    }
}
END_TEST

/* Text has no port 0 but that of ALL, another program's list may (Q5). */
START_TEST(a_name_with_port_0_is_a_name_like_others)
{
    static const unsigned char offer[] = "\0\0\xb\2al\0\0\3ALL\0\1";
    unsigned char out[20];

    ck_assert_uint_eq(mtls_ext00_answer(NULL, 0, MTLS_EXT00_ALL, offer,
                                        sizeof(offer) - 1, out, sizeof(out)),
                      sizeof(offer) - 1);
    ck_assert_str_eq(text_of(out, sizeof(offer) - 1), "al:0,ALL:1");
}
END_TEST

START_TEST(an_answer_ends_with_the_last_application_that_fits)
{
    ck_assert_str_eq(answer_of("b:2,a:1", MTLS_EXT00_COMMON, "b:2,a:1", 10),
                     "b:2");
    ck_assert_str_eq(answer_of("b:2,a:1", MTLS_EXT00_EVERYTHING, "b:2", 10),
                     "a:1");
    ck_assert_str_eq(answer_of(NULL, MTLS_EXT00_ALL, "c:3,b:2", 7), "c:3");
    ck_assert_str_eq(answer_of(NULL, MTLS_EXT00_ALL, "c:3,b:2", 6), "");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        text_becomes_the_octets_of_the_draft,
        what_is_no_list_is_refused,
        octets_cut_anywhere_are_malformed,
        applications_that_do_not_fill_the_list_are_malformed,
        a_list_may_be_as_long_as_an_extension,
        a_server_answers_as_its_policy_has_it,
        a_name_with_port_0_is_a_name_like_others,
        an_answer_ends_with_the_last_application_that_fits};

    return core_run("ext00", tests, core_count(tests));
}
