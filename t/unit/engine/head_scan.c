/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a request head: the same wherever the bytes are cut, limits, HTTP/0.9, blank lines, bare LF. */
#include "../pool_case.h"

#include <stdio.h>
#include <string.h>

#include "engine/head_scan.h"

static const rp_head_limits_t wide = {8190, 8190, 100};

typedef struct row_t {
    const char *name, *head, *rest; /* the head ends in front of rest; rest NULL: it has not ended */
} row_t;

static const row_t rows[] = {
    {"no field", "GET / HTTP/1.1\r\n\r\n", "GET"},
    {"fields", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n", "body\r\n\r\n"},
    {"bare LF", "GET / HTTP/1.1\nHost: a\n\n", "x"},
    {"CRLF and LF mixed", "GET / HTTP/1.1\r\nHost: a\n\r\n", "\r\n"},
    {"LF, then CRLF", "GET / HTTP/1.1\nHost: a\r\n\n", "\n"},
    {"blank lines before", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "y"},
    {"bare LFs before", "\n\n\nGET / HTTP/1.1\r\n\r\n", "y"},
    {"HTTP/0.9", "GET /old\r\n", "more"},
    {"HTTP/0.9, bare LF", "GET /old\n", "more"},
    {"one word", "NONSENSE\r\n", "more"},
    {"blanks at the end are no word", "GET /old  \r\n", "more"},
    {"four words", "GET / a HTTP/1.1\r\nA: b\r\n\r\n", "z"},
    {"tab between words", "GET\t/\tHTTP/1.1\r\nA: b\r\n\r\n", "z"},
    {"CR in a field", "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", "z"},
    {"CR CR LF is no blank line", "GET / HTTP/1.1\r\n\r\r\n\r\n", "z"},
    {"folded field", "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "z"},
    {"nothing behind", "GET / HTTP/1.1\r\nA: b\r\n\r\n", ""},
    {"request line alone", "GET / HTTP/1.1\r\n", NULL},
    {"request line without its LF", "GET / HTTP/1.1\r", NULL},
    {"field without its blank line", "GET / HTTP/1.1\r\nA: b\r\n\r", NULL},
    {"blank line alone", "\r\n", NULL},
    {"NUL would be a byte", "GET /\x01 HTTP/1.1\r\n\r\n", "z"},
};

/* Feed head and rest in pieces of the given sizes: up to a, up to b, all. The bytes that belonged to the head. */
static size_t feed(rp_head_scan_t *s, const rp_head_limits_t *limits, const char *text, size_t n, size_t a, size_t b)
{
    size_t cut[4] = {0, a, b, n}, taken = 0;
    int i;

    rp_head_scan_reset(s);
    for (i = 0; i < 3 && !s->done; i++) {
        size_t got = rp_head_scan(s, limits, text + cut[i], cut[i + 1] - cut[i]);

        ck_assert(s->done || got == cut[i + 1] - cut[i]);
        taken += got;
    }
    ck_assert_uint_eq(taken, s->bytes);
    return taken;
}

START_TEST(head_ends_where_it_does_whatever_the_pieces)
{
    const row_t *row = &rows[_i];
    char text[256];
    size_t n = (size_t)snprintf(text, sizeof(text), "%s%s", row->head, row->rest ? row->rest : "");
    size_t a, b;

    for (a = 0; a <= n; a++) {
        for (b = a; b <= n; b++) {
            rp_head_scan_t s;
            size_t taken = feed(&s, &wide, text, n, a, b);

            ck_assert_msg(s.done == (row->rest != NULL), "%s cut at %zu, %zu: done %d", row->name, a, b, s.done);
            ck_assert_msg(taken == strlen(row->head), "%s cut at %zu, %zu: %zu bytes", row->name, a, b, taken);
        }
    }
}
END_TEST

START_TEST(done_takes_no_more)
{
    rp_head_scan_t s;

    (void)feed(&s, &wide, "GET / HTTP/1.1\r\n\r\n", 18, 3, 9);
    ck_assert_int_eq(s.done, 1);
    ck_assert_uint_eq(rp_head_scan(&s, &wide, "GET", 3), 0);
}
END_TEST

/* Done although no line end is there: httpd refuses it, nobody waits for more. */
static size_t done_after(const rp_head_limits_t *limits, const char *start, char fill, size_t most)
{
    rp_head_scan_t s;
    size_t n = 0;

    rp_head_scan_reset(&s);
    (void)rp_head_scan(&s, limits, start, strlen(start));
    while (!s.done && n < most) {
        (void)rp_head_scan(&s, limits, &fill, 1);
        n++;
    }
    return n;
}

START_TEST(line_over_its_limit_is_given_up)
{
    rp_head_limits_t small = {20, 10, 100};

    ck_assert_uint_eq(done_after(&small, "", 'a', 100), 21);
    ck_assert_uint_eq(done_after(&small, "GET / HTTP/1.1\r\n", 'a', 100), 11);
    ck_assert_uint_eq(done_after(&small, "GET / HTTP/1.1\r\nA: b\r\n", 'a', 100), 11);
}
END_TEST

START_TEST(line_at_its_limit_is_fine)
{
    rp_head_limits_t small = {14, 4, 100};
    rp_head_scan_t s;
    const char *head = "GET / HTTP/1.1\r\nA: b\r\n\r\n";
    size_t a;

    for (a = 0; a <= strlen(head); a++) {
        ck_assert_uint_eq(feed(&s, &small, head, strlen(head), a, a), strlen(head));
    }
}
END_TEST

START_TEST(crs_count_for_the_limit)
{
    rp_head_limits_t small = {20, 10, 100};
    size_t n = done_after(&small, "GET / HTTP/1.1\r\n", '\r', 100);

    ck_assert_uint_ge(n, 11);
    ck_assert_uint_le(n, 12); /* the last one may still be a line end's */
}
END_TEST

START_TEST(fields_over_their_limit_are_given_up)
{
    rp_head_limits_t three = {100, 100, 3};
    rp_head_scan_t s;
    const char *line = "GET / HTTP/1.1\r\n";
    int i;

    rp_head_scan_reset(&s);
    (void)rp_head_scan(&s, &three, line, strlen(line));
    for (i = 0; i < 3; i++) {
        (void)rp_head_scan(&s, &three, "A: b\r\n", 6);
        ck_assert_int_eq(s.done, 0);
    }
    (void)rp_head_scan(&s, &three, "A: b\r\n", 6);
    ck_assert_int_eq(s.done, 1);
}
END_TEST

START_TEST(no_limit_of_fields)
{
    rp_head_limits_t any = {100, 100, 0};
    rp_head_scan_t s;
    int i;

    rp_head_scan_reset(&s);
    (void)rp_head_scan(&s, &any, "GET / HTTP/1.1\r\n", 16);
    for (i = 0; i < 5000; i++) {
        (void)rp_head_scan(&s, &any, "A: b\r\n", 6);
    }
    ck_assert_int_eq(s.done, 0);
}
END_TEST

START_TEST(blank_lines_without_end_are_given_up)
{
    ck_assert_uint_lt(done_after(&wide, "", '\n', 1000), 100);
    ck_assert_uint_gt(done_after(&wide, "", '\n', 1000), 10);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("head_scan");
    TCase *tc = case_new(s, "head_scan");

    tcase_add_loop_test(tc, head_ends_where_it_does_whatever_the_pieces, 0, ROWS(rows));
    tcase_add_test(tc, done_takes_no_more);
    tcase_add_test(tc, line_over_its_limit_is_given_up);
    tcase_add_test(tc, line_at_its_limit_is_fine);
    tcase_add_test(tc, crs_count_for_the_limit);
    tcase_add_test(tc, fields_over_their_limit_are_given_up);
    tcase_add_test(tc, no_limit_of_fields);
    tcase_add_test(tc, blank_lines_without_end_are_given_up);
    return suite_main(s);
}
