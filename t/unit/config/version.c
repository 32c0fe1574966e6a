/* SPDX-License-Identifier: Apache-2.0 */
#include "config/version.h"

#include "config_unit.h"

START_TEST(version_oldest_accepted)
{
    ck_assert_ptr_null(rp_version_refuse(pool, 2, 4, 52));
    ck_assert_ptr_null(rp_version_refuse(pool, 2, 4, 71));
}
END_TEST

START_TEST(version_older_refused_with_both_numbers)
{
    const char *text = rp_version_refuse(pool, 2, 4, 51);

    ck_assert_ptr_nonnull(text);
    ck_assert_ptr_nonnull(strstr(text, "2.4.52"));
    ck_assert_ptr_nonnull(strstr(text, "2.4.51"));
}
END_TEST

START_TEST(version_other_series_refused)
{
    ck_assert_ptr_nonnull(rp_version_refuse(pool, 2, 2, 99));
    ck_assert_ptr_nonnull(rp_version_refuse(pool, 2, 5, 0));
    ck_assert_ptr_nonnull(rp_version_refuse(pool, 3, 4, 60));
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, version_oldest_accepted);
    tcase_add_test(tc, version_older_refused_with_both_numbers);
    tcase_add_test(tc, version_other_series_refused);
}

int main(void) { return run("version", add); }
