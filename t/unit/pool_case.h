/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file pool_case.h
 * What unit tests share that want a pool for each test: APR up and down, test case, main().
 */
#ifndef RP_POOL_CASE_H
#define RP_POOL_CASE_H

#include <stdlib.h>

#include <apr_general.h>
#include <apr_pools.h>
#include <check.h>

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static apr_pool_t *pool;

static void pool_setup(void)
{
    ck_assert_int_eq(apr_initialize(), APR_SUCCESS);
    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
}

static void pool_teardown(void)
{
    apr_pool_destroy(pool);
    apr_terminate();
}

/** A test case in s, with a fresh pool for each test. */
__attribute__((unused)) static TCase *case_new(Suite *s, const char *name)
{
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, pool_setup, pool_teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(s, tc);
    return tc;
}

/** Run s; the exit status of the program. */
static int suite_main(Suite *s)
{
    SRunner *sr = srunner_create(s);
    int failed;

    srunner_run_all(sr, CK_ENV);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
