/* SPDX-License-Identifier: Apache-2.0 */
#include "config/number.h"

#include "config_unit.h"

typedef struct row_t {
    const char *text;
    apr_int64_t min, max;
    int ok;
    apr_int64_t n;
} row_t;

static const row_t rows[] = {
    {"0", 0, 10, 1, 0},
    {"10", 0, 10, 1, 10},
    {"11", 0, 10, 0, 0},
    {"-1", -1, 10, 1, -1},
    {"-2", -1, 10, 0, 0},
    {"007", 0, 10, 1, 7},
    {"", 0, 10, 0, 0},
    {"-", -10, 10, 0, 0},
    {"+1", 0, 10, 0, 0},
    {" 1", 0, 10, 0, 0},
    {"1 ", 0, 10, 0, 0},
    {"1s", 0, 10, 0, 0},
    {"0x5", 0, 10, 0, 0},
    {"4294967297", 0, 10, 0, 0},
    {"18446744073709551617", 0, 10, 0, 0},
    {"99999999999999999999999999999999999999999999", 0, APR_INT64_MAX, 1, -1},
    {"2147483647", 0, 2147483647, 1, 2147483647},
    {"2147483648", 0, 2147483647, 0, 0},
};

START_TEST(number_parse_rows_range_and_syntax)
{
    const row_t *row = &rows[_i];
    apr_int64_t n = 77;

    ck_assert_int_eq(rp_number_parse(row->text, row->min, row->max, &n), row->ok);
    if (!row->ok) {
        ck_assert_int_eq(n, 77);
    }
    else if (row->n >= 0 || row->min < 0) {
        ck_assert_int_eq(n, row->n);
    }
    else {
        /* Beyond what is counted: large, and not wrapped around. */
        ck_assert(n > APR_INT64_C(99999999999999));
    }
}
END_TEST

START_TEST(number_prefix_unit_rest_points_behind)
{
    apr_int64_t n = 0;
    const char *rest = NULL;

    ck_assert_int_eq(rp_number_prefix("500ms", 1, 1000, &n, &rest), 1);
    ck_assert_int_eq(n, 500);
    ck_assert_str_eq(rest, "ms");
    ck_assert_int_eq(rp_number_prefix("5000ms", 1, 1000, &n, &rest), 0);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_loop_test(tc, number_parse_rows_range_and_syntax, 0,
                        (int)(sizeof(rows) / sizeof(rows[0])));
    tcase_add_test(tc, number_prefix_unit_rest_points_behind);
}

int main(void) { return run("number", add); }
