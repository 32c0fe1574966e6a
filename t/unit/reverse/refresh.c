/* SPDX-License-Identifier: Apache-2.0 */
/* Refresh in all the ways browsers read it: only the URL changes. */
#include "reverse_unit.h"

static const struct {
    const char *value;
    const char *want;
} rows[] = {
    { "5; url=http://h/y", "5; url=http://front/x/y" },
    { "5;URL=http://h/y", "5;URL=http://front/x/y" },
    { "0;url=http://h", "0;url=http://front/x" },
    { "5, url=http://h/y", "5, url=http://front/x/y" },
    { "5 url=http://h/y", "5 url=http://front/x/y" },
    { " 1.5 ; url = http://h/y", " 1.5 ; url = http://front/x/y" },
    { ".5;url=http://h/y", ".5;url=http://front/x/y" },
    { "5;http://h/y", "5;http://front/x/y" },
    { "5;\thttp://h/y", "5;\thttp://front/x/y" },
    { "5; url='http://h/y'", "5; url='http://front/x/y'" },
    { "5; url=\"http://h/y\"; x", "5; url=\"http://front/x/y\"; x" },
    { "5; url='http://h/y", "5; url='http://front/x/y" },
    { "5; 'http://h/y'", "5; 'http://front/x/y'" },
    { "5; url=\"http://h/y'z\"", "5; url=\"http://front/x/y'z\"" },
    { "5; url=/int/y", "5; url=http://front/pub/y" },
    { "5; url=http://hx/y", NULL },
    { "5; url=y", NULL },
    { "5; url=", NULL },
    { "5; urlx=http://h/y", NULL },
    { "5; url http://h/y", NULL },
    { "5", NULL },
    { "5;", NULL },
    { "", NULL },
    { " ", NULL },
    { "url=http://h/y", NULL },
    { "http://h/y", NULL },
    { "5x; url=http://h/y", NULL },
    { "5; url=''", NULL },
    { "5; url='", NULL },
};

START_TEST(refresh_table)
{
    check_mapped(mapped_as(RP_REVERSE_KIND_REFRESH, "/x http://h /pub /int", NULL, rows[_i].value),
                 rows[_i].want, rows[_i].value);
}
END_TEST

START_TEST(refresh_quote_in_public_side_is_an_error)
{
    ck_assert_int_eq(failure_as(RP_REVERSE_KIND_REFRESH, "/o'x http://h", "5; url='http://h/y'"),
                     RP_REVERSE_BAD_PUBLIC);
    ck_assert_str_eq(mapped_as(RP_REVERSE_KIND_REFRESH, "/o'x http://h", NULL, "5; url=http://h/y"),
                     "5; url=http://front/o'x/y");
    ck_assert_str_eq(
        mapped_as(RP_REVERSE_KIND_REFRESH, "/o'x http://h", NULL, "5; url=\"http://h/y\""),
        "5; url=\"http://front/o'x/y\"");
}
END_TEST

START_TEST(refresh_result_too_long_is_an_error)
{
    const char *spaces = repeated(' ', RP_REVERSE_VALUE_MAX - 20);

    ck_assert_int_eq(failure_as(RP_REVERSE_KIND_REFRESH, "/longer http://h",
                                apr_pstrcat(pool, spaces, "5; url=http://h/y", NULL)),
                     RP_REVERSE_TOO_LONG);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reverse/refresh");
    TCase *tc = case_new(s, "all");

    tcase_add_loop_test(tc, refresh_table, 0, ROWS(rows));
    tcase_add_test(tc, refresh_quote_in_public_side_is_an_error);
    tcase_add_test(tc, refresh_result_too_long_is_an_error);
    return suite_main(s);
}
