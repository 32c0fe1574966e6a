/* SPDX-License-Identifier: Apache-2.0 */
/* Link: targets are mapped, parameters stay, malformed text stays from where it begins. */
#include "reverse_unit.h"

static const struct {
    const char *value;
    const char *want;
} rows[] = {
    { "<http://h/y>; rel=next", "<http://front/x/y>; rel=next" },
    { "<http://h/y>", "<http://front/x/y>" },
    { "<http://h>;rel=\"a b\"", "<http://front/x>;rel=\"a b\"" },
    { "<http://h/1>; rel=a, <http://o/2>; rel=b,<http://h/3>",
      "<http://front/x/1>; rel=a, <http://o/2>; rel=b,<http://front/x/3>" },
    { " , ,<http://h/1>,,\t<http://h/2> ,", " , ,<http://front/x/1>,,\t<http://front/x/2> ," },
    { "<http://h/a,b;c>; rel=a", "<http://front/x/a,b;c>; rel=a" },
    { "</int/y>; rel=a", "<http://front/pub/y>; rel=a" },
    { "<http://h/1>; title=\"x, <http://h/2>\", <http://h/3>",
      "<http://front/x/1>; title=\"x, <http://h/2>\", <http://front/x/3>" },
    { "<http://h/1>; title=\"x\\\", <http://h/2>\", <http://h/3>",
      "<http://front/x/1>; title=\"x\\\", <http://h/2>\", <http://front/x/3>" },
    { "<http://h/1>; title=\"x, <http://h/2>", "<http://front/x/1>; title=\"x, <http://h/2>" },
    { "<http://h/1>; title=\"x\\", "<http://front/x/1>; title=\"x\\" },
    { "<http://h/1>, http://h/2, <http://h/3>", "<http://front/x/1>, http://h/2, <http://h/3>" },
    { "<http://h/1>, <http://h/2", "<http://front/x/1>, <http://h/2" },
    { "<http://h/1>; anchor=\"http://h/2\"", "<http://front/x/1>; anchor=\"http://h/2\"" },
    { "<http://hx/y>; rel=next", NULL },
    { "<y>; rel=next", NULL },
    { "<>", NULL },
    { "<", NULL },
    { "", NULL },
    { ",", NULL },
    { "http://h/y", NULL },
    { "<http://h/y", NULL },
};

START_TEST(link_table)
{
    check_mapped(mapped_as(RP_REVERSE_KIND_LINK, "/x http://h /pub /int", NULL, rows[_i].value),
                 rows[_i].want, rows[_i].value);
}
END_TEST

START_TEST(link_bracket_in_public_side_is_an_error)
{
    ck_assert_int_eq(failure_as(RP_REVERSE_KIND_LINK, "/a>b http://h", "<http://h/y>"),
                     RP_REVERSE_BAD_PUBLIC);
}
END_TEST

START_TEST(link_result_too_long_is_an_error)
{
    const char *public_url = repeated('a', 8000);
    const char *lines = apr_pstrcat(pool, "/", public_url, " http://h", NULL);

    ck_assert_int_eq(failure_as(RP_REVERSE_KIND_LINK, lines,
                                "<http://h>,<http://h>,<http://h>,<http://h>,<http://h>,"
                                "<http://h>,<http://h>,<http://h>,<http://h>"),
                     RP_REVERSE_TOO_LONG);
    ck_assert_ptr_nonnull(mapped_as(RP_REVERSE_KIND_LINK, lines, NULL,
                                    "<http://h>,<http://h>,<http://h>,<http://h>,<http://h>,"
                                    "<http://h>,<http://h>,<http://h>"));
}
END_TEST

START_TEST(link_stops_at_the_first_failure)
{
    const char *lines =
        apr_pstrcat(pool, "/", repeated('a', RP_REVERSE_VALUE_MAX), " http://h", NULL);

    ck_assert_int_eq(failure_as(RP_REVERSE_KIND_LINK, lines, "<http://h>"), RP_REVERSE_TOO_LONG);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reverse/link");
    TCase *tc = case_new(s, "all");

    tcase_add_loop_test(tc, link_table, 0, ROWS(rows));
    tcase_add_test(tc, link_bracket_in_public_side_is_an_error);
    tcase_add_test(tc, link_result_too_long_is_an_error);
    tcase_add_test(tc, link_stops_at_the_first_failure);
    return suite_main(s);
}
