/* SPDX-License-Identifier: Apache-2.0 */
/* The table of workers: complete, sound, its defaults true, its "not yet" short. */
#include "upstream_unit.h"

#include "upstream/params_int.h"

static const char *const all_keys[] = {
    "loadfactor",
    "retry",
    "timeout",
    "connectiontimeout",
    "ping", "failoverafter",
    "ttl",
    "min",
    "smax",
    "max",
    "acquire",
    "keepalive",
    "disablereuse",
    "enablereuse",
    "addressttl",
    "flushpackets",
    "flushwait",
    "iobuffersize",
    "receivebuffersize",
    "responsefieldsize",
    "route",
    "redirect",
    "status",
    "lbset",
    "upgrade",
    "flusher",
    "secret",
    "hcmethod",
    "hcpasses",
    "hcfails",
    "hcinterval",
    "hcuri",
    "hctemplate",
    "hcexpr",
    "hchost",
    "hctimeout",
    "hcinit",
};

START_TEST(table_has_every_key_once)
{
    int n, i, j;
    const rp_param_row_t *rows = rp_worker_param_rows(&n);

    ck_assert_int_eq(n, ROWS(all_keys));
    for (i = 0; i < n; i++) {
        ck_assert_ptr_nonnull(rp_param_find(&rp_worker_param_table, all_keys[i]));
        for (j = 0; j < i; j++) {
            ck_assert_str_ne(rows[i].key, rows[j].key);
        }
    }
    ck_assert_ptr_eq(rp_param_find(&rp_worker_param_table, "TTL"), rp_param_find(&rp_worker_param_table, "ttl"));
    ck_assert_ptr_null(rp_param_find(&rp_worker_param_table, "lbmethod"));
}
END_TEST

/* Texts for people are there, the example is legal, and the initial value is overwritten by it. */
START_TEST(table_rows_are_sound)
{
    int n;
    const rp_param_row_t *row = rp_worker_param_rows(&n) + _i;
    rp_worker_params_t p;

    rp_worker_params_init(&p);
    ck_assert_ptr_nonnull(row->help);
    ck_assert_ptr_nonnull(row->dflt);
    ck_assert_ptr_nonnull(row->example);
    ck_assert_int_eq(row->help[strlen(row->help) - 1], '.');
    ck_assert_ptr_null(rp_worker_param_set(pool, &p, row->key, row->example));
    ck_assert_uint_eq(p.written, (apr_uint64_t)1 << _i);
    ck_assert_str_ne(rp_param_range(pool, row), "legal");
    ck_assert(row->offset + sizeof(int) <= sizeof(p));
}
END_TEST

START_TEST(table_everything_has_its_effect)
{
    int n;
    const rp_param_row_t *row = rp_worker_param_rows(&n) + _i;

    ck_assert_ptr_null(row->later);
}
END_TEST

START_TEST(defaults_fill_what_the_manual_names)
{
    rp_worker_params_t p;

    rp_worker_params_init(&p);
    rp_worker_params_defaults(&p);
    ck_assert_int_eq(p.loadfactor_x100, 100);
    ck_assert_int_eq(p.retry_s, 60);
    ck_assert_int_eq(p.min, 0);
    ck_assert_int_eq(p.max, 0);
    ck_assert_int_eq(p.keepalive, RP_OFF);
    ck_assert_int_eq(p.flushwait_ms, 10);
    ck_assert_int_eq(p.iobuffersize, 8192);
    ck_assert_int_eq(p.receivebuffersize, 0);
    ck_assert_int_eq(p.responsefieldsize, 8192);
    ck_assert_int_eq(p.lbset, 0);
    ck_assert_int_eq(p.hcpasses, 1);
    ck_assert_int_eq(p.hcfails, 1);
    ck_assert_int_eq(p.hcinterval_us, 30 * SEC);
    ck_assert_str_eq(p.hcmethod, "NONE");
    ck_assert_str_eq(p.hcinit, "up");
    ck_assert_int_eq(p.hctimeout_us, -1);
    ck_assert_ptr_null(p.hchost);
    ck_assert_str_eq(p.flusher, "flush");
    ck_assert_int_eq(p.flushpackets, 0);
    ck_assert_int_eq(p.timeout_us, -1);  /* other directives decide */
    ck_assert_int_eq(p.ttl_s, -1);       /* no limit */
    ck_assert_int_eq(p.smax, -1);
    ck_assert_int_eq(p.addressttl_s, -1);
    ck_assert_int_eq(p.reuse, RP_UNSET); /* the URL decides */
    ck_assert_uint_eq(p.written, 0);
}
END_TEST

START_TEST(defaults_leave_what_was_written)
{
    rp_worker_params_t p;

    rp_worker_params_init(&p);
    ck_assert_ptr_null(rp_worker_param_set(pool, &p, "loadfactor", "7"));
    ck_assert_ptr_null(rp_worker_param_set(pool, &p, "keepalive", "on"));
    ck_assert_ptr_null(rp_worker_param_set(pool, &p, "responsefieldsize", "100"));
    rp_worker_params_defaults(&p);
    ck_assert_int_eq(p.loadfactor_x100, 700);
    ck_assert_int_eq(p.keepalive, RP_ON);
    ck_assert_int_eq(p.responsefieldsize, 100);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("params_worker");
    TCase *tc = tcase_create("params_worker");

    tcase_add_checked_fixture(tc, pool_setup, pool_teardown);
    tcase_add_test(tc, table_has_every_key_once);
    tcase_add_loop_test(tc, table_rows_are_sound, 0, ROWS(all_keys));
    tcase_add_loop_test(tc, table_everything_has_its_effect, 0, ROWS(all_keys));
    tcase_add_test(tc, defaults_fill_what_the_manual_names);
    tcase_add_test(tc, defaults_leave_what_was_written);
    suite_add_tcase(s, tc);
    return suite_main(s);
}
