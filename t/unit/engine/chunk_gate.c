/* SPDX-License-Identifier: Apache-2.0 */
/* What of a chunked body may be served: the same wherever the bytes are cut, never into a last chunk that is not whole. */
#include "../pool_case.h"

#include <stdio.h>
#include <string.h>

#include "engine/chunk_gate.h"

typedef struct row_t {
    const char *name;
    const char *front;     /* chunks */
    const char *last;      /* last chunk with trailers, whole; NULL: it never comes */
    const char *next;      /* the next request */
} row_t;

static const row_t rows[] = {
    {"empty body", "", "0\r\n\r\n", ""},
    {"empty body and next", "", "0\r\n\r\n", "GET / HTTP/1.1\r\n"},
    {"a chunk", "5\r\nhello\r\n", "0\r\n\r\n", "GET"},
    {"two chunks", "5\r\nhello\r\n3\r\nyou\r\n", "0\r\n\r\n", "GET"},
    {"extension", "5;a=\"b\"\r\nhello\r\n", "0;c\r\n\r\n", "x"},
    {"hex digits", "a\r\n0123456789\r\n0B\r\n0123456789a\r\n", "000\r\n\r\n", "x"},
    {"bare LF", "5\nhello\n", "0\n\n", "x"},
    {"trailers", "1\r\na\r\n", "0\r\nA: b\r\nC: 0\r\n\r\n", "0\r\n\r\n"},
    {"data like a last chunk", "5\r\n0\r\n\r\n\r\n", "0\r\n\r\n", "x"},
    {"trailer that is folded", "1\r\na\r\n", "0\r\nA: b\r\n c\r\n\r\n", "x"},
    {"not the end yet", "5\r\nhello\r\n", NULL, ""},
};

typedef struct text_t {
    char p[256];
    apr_off_t front, whole, n;
} text_t;

static void build(text_t *t, const row_t *row)
{
    t->front = (apr_off_t)strlen(row->front);
    t->whole = t->front + (apr_off_t)(row->last ? strlen(row->last) : 0);
    t->n = snprintf(t->p, sizeof(t->p), "%s%s%s", row->front, row->last ? row->last : "", row->next);
}

/* safe never stands between the start of the last chunk and its end. */
static void check_safe(const rp_chunk_gate_t *g, const text_t *t, const char *name)
{
    ck_assert_msg(g->safe <= t->front || g->safe == t->whole, "%s: %ld of %ld may be served: in the last chunk", name, (long)g->safe,
                  (long)g->seen);
    ck_assert(g->safe <= g->seen);
    ck_assert_int_eq(g->seen >= t->whole && t->whole > t->front, g->state == RP_GATE_DONE);
}

START_TEST(last_chunk_is_held_back_whatever_the_pieces)
{
    text_t t;
    apr_off_t a, b;

    build(&t, &rows[_i]);
    for (a = 0; a <= t.n; a++) {
        for (b = a; b <= t.n; b++) {
            apr_off_t cut[4] = {0, a, b, t.n};
            rp_chunk_gate_t g;
            int i;

            rp_chunk_gate_reset(&g);
            for (i = 0; i < 3; i++) {
                rp_chunk_gate(&g, t.p + cut[i], (apr_size_t)(cut[i + 1] - cut[i]));
                ck_assert(g.seen == cut[i + 1]);
                check_safe(&g, &t, rows[_i].name);
            }
            ck_assert(g.safe == t.whole);
        }
    }
}
END_TEST

START_TEST(data_is_served_as_it_comes)
{
    rp_chunk_gate_t g;

    rp_chunk_gate_reset(&g);
    rp_chunk_gate(&g, "5\r\n", 3);
    ck_assert(g.safe == 3);
    rp_chunk_gate(&g, "he", 2);
    ck_assert(g.safe == 5);
    rp_chunk_gate(&g, "llo\r\n", 5);
    ck_assert(g.safe == 10);
    rp_chunk_gate(&g, "2", 1); /* might be a last chunk's digit for all we know of the next */
    ck_assert(g.safe == 10);
}
END_TEST

START_TEST(size_of_many_bytes_is_counted)
{
    static char data[65536];
    rp_chunk_gate_t g;
    int i;

    rp_chunk_gate_reset(&g);
    rp_chunk_gate(&g, "100000\r\n", 8); /* 1 MB: more than may be held back */
    for (i = 0; i < 16; i++) {
        ck_assert_int_eq(g.state, RP_GATE_DATA);
        rp_chunk_gate(&g, data, sizeof(data));
        ck_assert(g.safe == g.seen);
    }
    ck_assert_int_eq(g.state, RP_GATE_DATA_END);
    rp_chunk_gate(&g, "\r\n0\r\n", 5);
    ck_assert(g.safe == g.seen - 3);
    rp_chunk_gate(&g, "\r\n", 2);
    ck_assert_int_eq(g.state, RP_GATE_DONE);
}
END_TEST

static const char *const bad[] = {"x\r\n",        "\r\n",       "-1\r\n",           " 5\r\nhello\r\n",
                                  "11111111111111111\r\n", "5\r\nhellox\r\n", "5\r\nhello5\r\nhello", "5\r\nhello\r\n;\r\n"};

START_TEST(malformed_passes_to_be_refused)
{
    apr_size_t n = strlen(bad[_i]), a;

    for (a = 0; a <= n; a++) {
        rp_chunk_gate_t g;

        rp_chunk_gate_reset(&g);
        rp_chunk_gate(&g, bad[_i], a);
        rp_chunk_gate(&g, bad[_i] + a, n - a);
        ck_assert_msg(g.state == RP_GATE_BAD, "%s cut at %d", bad[_i], (int)a);
        ck_assert(g.safe == g.seen);
        rp_chunk_gate(&g, "more", 4);
        ck_assert(g.safe == g.seen);
    }
}
END_TEST

/* How many bytes are held back before it is given up. */
static apr_off_t most_held(const char *start, const char *fill)
{
    apr_off_t most = 0;
    rp_chunk_gate_t g;
    int i;

    rp_chunk_gate_reset(&g);
    rp_chunk_gate(&g, start, strlen(start));
    for (i = 0; i < 100000 && g.state != RP_GATE_BAD; i++) {
        rp_chunk_gate(&g, fill, strlen(fill));
        most = g.seen - g.safe > most ? g.seen - g.safe : most;
    }
    ck_assert_int_eq(g.state, RP_GATE_BAD);
    ck_assert(g.safe == g.seen);
    return most;
}

START_TEST(what_is_held_back_is_bounded)
{
    static const char *const start[] = {"0\r\n", "0\r\n", "5;", "5\r\nhello\r\n0;", "5\r\nhello\r\n0\r\nA: b\r\n"};
    static const char *const fill[] = {"a", "A: b\r\n", "ext", "e", "A: b\r\n"};
    int i;

    for (i = 0; i < ROWS(start); i++) {
        apr_off_t held = most_held(start[i], fill[i]);

        ck_assert_msg(held <= RP_GATE_HELD_MAX + 16 && held > RP_GATE_HELD_MAX / 2, "%s: %ld", start[i], (long)held);
    }
}
END_TEST

/* The limit is for what is held back, not for the body. */
START_TEST(many_small_chunks_are_no_matter)
{
    rp_chunk_gate_t g;
    int i;

    rp_chunk_gate_reset(&g);
    for (i = 0; i < 50000; i++) {
        rp_chunk_gate(&g, "1\r\na\r\n", 6);
    }
    ck_assert(g.safe == g.seen);
    rp_chunk_gate(&g, "0\r\n\r\n", 5);
    ck_assert_int_eq(g.state, RP_GATE_DONE);
}
END_TEST

START_TEST(zeros_in_front_of_a_size_are_bounded)
{
    rp_chunk_gate_t g;
    int i;

    rp_chunk_gate_reset(&g);
    for (i = 0; i < 16; i++) {
        rp_chunk_gate(&g, "0", 1);
        ck_assert_int_eq(g.state, RP_GATE_SIZE);
        ck_assert(g.safe == 0);
    }
    rp_chunk_gate(&g, "0", 1);
    ck_assert_int_eq(g.state, RP_GATE_BAD);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("chunk_gate");
    TCase *tc = case_new(s, "chunk_gate");

    tcase_add_loop_test(tc, last_chunk_is_held_back_whatever_the_pieces, 0, ROWS(rows));
    tcase_add_test(tc, data_is_served_as_it_comes);
    tcase_add_test(tc, size_of_many_bytes_is_counted);
    tcase_add_loop_test(tc, malformed_passes_to_be_refused, 0, ROWS(bad));
    tcase_add_test(tc, what_is_held_back_is_bounded);
    tcase_add_test(tc, many_small_chunks_are_no_matter);
    tcase_add_test(tc, zeros_in_front_of_a_size_are_bounded);
    return suite_main(s);
}
