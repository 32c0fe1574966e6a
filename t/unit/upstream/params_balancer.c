/* SPDX-License-Identifier: Apache-2.0 */
/* The table of balancers: complete, sound, its defaults true, its "not yet" short. */
#include "upstream_unit.h"

#include "upstream/params_int.h"

static const char *const all_keys[] = {
    "lbmethod",    "stickysession", "stickysessionsep", "scolonpathdelim", "nofailover", "timeout",
    "maxattempts", "failonstatus",  "failontimeout",    "forcerecovery",   "nonce",      "growth",
};

START_TEST(table_has_every_key_once)
{
    int n, i, j;
    const rp_param_row_t *rows = rp_balancer_param_rows(&n);

    ck_assert_int_eq(n, ROWS(all_keys));
    for (i = 0; i < n; i++) {
        ck_assert_ptr_nonnull(rp_param_find(&rp_balancer_param_table, all_keys[i]));
        for (j = 0; j < i; j++) {
            ck_assert_str_ne(rows[i].key, rows[j].key);
        }
    }
    ck_assert_ptr_null(rp_param_find(&rp_balancer_param_table, "ttl"));
}
END_TEST

START_TEST(table_rows_are_sound)
{
    int n;
    const rp_param_row_t *row = rp_balancer_param_rows(&n) + _i;
    rp_balancer_params_t p;

    rp_balancer_params_init(&p);
    ck_assert_ptr_nonnull(row->help);
    ck_assert_ptr_nonnull(row->dflt);
    ck_assert_int_eq(row->help[strlen(row->help) - 1], '.');
    ck_assert_ptr_null(rp_balancer_param_set(pool, &p, row->key, row->example));
    ck_assert_uint_eq(p.written, (apr_uint64_t)1 << _i);
    ck_assert_ptr_null(row->later);
}
END_TEST

START_TEST(defaults_fill_what_the_manual_names)
{
    rp_balancer_params_t p;

    rp_balancer_params_init(&p);
    rp_balancer_params_defaults(&p);
    ck_assert_str_eq(p.lbmethod, "byrequests");
    ck_assert_int_eq(p.stickysep, '.');
    ck_assert_int_eq(p.scolonpathdelim, RP_OFF);
    ck_assert_int_eq(p.nofailover, RP_OFF);
    ck_assert_int_eq(p.failontimeout, RP_OFF);
    ck_assert_int_eq(p.forcerecovery, RP_ON);
    ck_assert_int_eq(p.timeout_us, 0);
    ck_assert_int_eq(p.growth, 0);
    ck_assert_int_eq(p.maxattempts, -1); /* the number of members decides */
    ck_assert_ptr_null(p.stickysession);
}
END_TEST

START_TEST(defaults_leave_what_was_written)
{
    rp_balancer_params_t p;

    rp_balancer_params_init(&p);
    ck_assert_ptr_null(rp_balancer_param_set(pool, &p, "forcerecovery", "off"));
    ck_assert_ptr_null(rp_balancer_param_set(pool, &p, "stickysessionsep", "off"));
    ck_assert_ptr_null(rp_balancer_param_set(pool, &p, "lbmethod", "bytraffic"));
    rp_balancer_params_defaults(&p);
    ck_assert_int_eq(p.forcerecovery, RP_OFF);
    ck_assert_int_eq(p.stickysep, 0);
    ck_assert_str_eq(p.lbmethod, "bytraffic");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("params_balancer");
    TCase *tc = tcase_create("params_balancer");

    tcase_add_checked_fixture(tc, pool_setup, pool_teardown);
    tcase_add_test(tc, table_has_every_key_once);
    tcase_add_loop_test(tc, table_rows_are_sound, 0, ROWS(all_keys));
    tcase_add_test(tc, defaults_fill_what_the_manual_names);
    tcase_add_test(tc, defaults_leave_what_was_written);
    suite_add_tcase(s, tc);
    return suite_main(s);
}
