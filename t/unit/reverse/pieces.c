/* SPDX-License-Identifier: Apache-2.0 */
/* Putting values together, with a limit. */
#include "reverse_unit.h"

START_TEST(pieces_join_in_order)
{
    rp_pieces_t pieces;
    rp_reverse_err_e err;
    const char *out;

    rp_pieces_init(&pieces, pool);
    ck_assert_int_eq(rp_pieces_join(&pieces, &out, &err), APR_SUCCESS);
    ck_assert_str_eq(out, "");
    rp_pieces_add(&pieces, "abc", 2);
    rp_pieces_add(&pieces, NULL, 0);
    rp_pieces_add(&pieces, "xyz", 3);
    ck_assert_int_eq(rp_pieces_join(&pieces, &out, &err), APR_SUCCESS);
    ck_assert_str_eq(out, "abxyz");
    ck_assert_int_eq(pieces.slices->nelts, 2);
}
END_TEST

START_TEST(pieces_limit_is_exact)
{
    char *big = repeated('a', RP_REVERSE_VALUE_MAX);
    rp_pieces_t pieces;
    rp_reverse_err_e err;
    const char *out;

    rp_pieces_init(&pieces, pool);
    rp_pieces_add(&pieces, big, RP_REVERSE_VALUE_MAX);
    ck_assert_int_eq(rp_pieces_join(&pieces, &out, &err), APR_SUCCESS);
    ck_assert_uint_eq(strlen(out), RP_REVERSE_VALUE_MAX);
    ck_assert_int_eq(err, RP_REVERSE_OK);
    rp_pieces_add(&pieces, "b", 1);
    ck_assert_int_eq(rp_pieces_join(&pieces, &out, &err), APR_EINVAL);
    ck_assert_int_eq(err, RP_REVERSE_TOO_LONG);
    ck_assert_ptr_null(out);
}
END_TEST

START_TEST(err_str_has_a_text_for_each)
{
    for (int i = RP_REVERSE_OK; i <= RP_REVERSE_NO_MATCHER; i++) {
        ck_assert_int_gt((int)strlen(rp_reverse_err_str((rp_reverse_err_e)i)), 0);
        ck_assert_str_ne(rp_reverse_err_str((rp_reverse_err_e)i),
                         rp_reverse_err_str((rp_reverse_err_e)99));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reverse/pieces");
    TCase *tc = case_new(s, "all");

    tcase_add_test(tc, pieces_join_in_order);
    tcase_add_test(tc, pieces_limit_is_exact);
    tcase_add_test(tc, err_str_has_a_text_for_each);
    return suite_main(s);
}
