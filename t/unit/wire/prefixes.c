/* SPDX-License-Identifier: Apache-2.0 */
/* Many texts: each is found at its length, in the order in which it was added, and nothing else is. */
#include "wire_unit.h"

#include <apr_strings.h>

#include "wire/prefixes.h"

static void walk(rp_prefix_walk_t *w, const char *text)
{
    rp_prefix_walk_begin(w);
    while (*text) {
        rp_prefix_walk_byte(w, *text++);
    }
}

static void add(rp_prefixes_t *set, const char *text, int id)
{
    rp_prefix_walk_t w;

    walk(&w, text);
    rp_prefixes_add(set, &w, id);
}

static const rp_prefix_t *at(const rp_prefixes_t *set, const char *text)
{
    rp_prefix_walk_t w;

    walk(&w, text);
    return rp_prefixes_at(set, &w);
}

START_TEST(empty_set_has_nothing)
{
    rp_prefixes_t *set = rp_prefixes_make(pool);

    ck_assert_ptr_null(at(set, ""));
    ck_assert_ptr_null(at(set, "a"));
    ck_assert_uint_eq(rp_prefixes_longest(set), 0);
}
END_TEST

START_TEST(equal_texts_in_the_order_of_adding)
{
    rp_prefixes_t *set = rp_prefixes_make(pool);
    const rp_prefix_t *p;
    int i;

    add(set, "", 7);
    for (i = 0; i < 100; i++) { /* grows in between */
        add(set, i % 2 ? "/a" : "/b", i);
    }
    ck_assert_int_eq(at(set, "")->id, 7);
    ck_assert_ptr_null(rp_prefixes_next(at(set, "")));
    for (i = 1, p = at(set, "/a"); p != NULL; p = rp_prefixes_next(p), i += 2) {
        ck_assert_int_eq(p->id, i);
    }
    ck_assert_int_eq(i, 101);
    ck_assert_ptr_null(at(set, "/"));
    ck_assert_ptr_null(at(set, "/c"));
    ck_assert_ptr_null(at(set, "/aa"));
}
END_TEST

START_TEST(thousands_are_found)
{
    rp_prefixes_t *set = rp_prefixes_make(pool);
    int i;

    for (i = 0; i < 5000; i++) {
        add(set, apr_psprintf(pool, "/app%d/", i), i);
    }
    for (i = 0; i < 5000; i++) {
        const rp_prefix_t *p = at(set, apr_psprintf(pool, "/app%d/", i));

        ck_assert_ptr_nonnull(p);
        ck_assert_int_eq(p->id, i);
    }
    ck_assert_ptr_null(at(set, "/app5000/"));
    ck_assert_uint_eq(rp_prefixes_longest(set), 9);
}
END_TEST

/* Any length, also where the map of lengths has to grow at once. */
START_TEST(long_texts)
{
    static const int lengths[] = { 1, 63, 64, 65, 127, 128, 1000, 999, 8000 };
    rp_prefixes_t *set = rp_prefixes_make(pool);
    char *text = apr_pcalloc(pool, 8001);
    int i;

    for (i = 0; i < ROWS(lengths); i++) {
        memset(text, 'x', 8000);
        text[lengths[i]] = '\0';
        add(set, text, i);
    }
    for (i = 0; i < ROWS(lengths); i++) {
        memset(text, 'x', 8000);
        text[lengths[i]] = '\0';
        ck_assert_ptr_nonnull(at(set, text));
        ck_assert_int_eq(at(set, text)->id, i);
        text[lengths[i] - 1] = 'y';
        ck_assert_ptr_null(at(set, text));
    }
    ck_assert_uint_eq(rp_prefixes_longest(set), 8000);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wire/prefixes");
    TCase *tc = case_new(s, "prefixes");

    tcase_add_test(tc, empty_set_has_nothing);
    tcase_add_test(tc, equal_texts_in_the_order_of_adding);
    tcase_add_test(tc, thousands_are_found);
    tcase_add_test(tc, long_texts);
    return suite_main(s);
}
