/* SPDX-License-Identifier: Apache-2.0 */
/* Routes of sessions in URLs and cookies. */
#include <apr_general.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "balancer/sticky.h"

typedef struct row_t {
    const char *name;     /* stickysession= */
    int sep, semicolon;
    const char *url, *cookie;
    const char *route, *hit; /* NULL: no session */
} row_t;

static const row_t rows[] = {
    {"SID", '.', 0, "/p", "SID=x.b", "b", "SID"},
    {"SID", '.', 0, "/p", "a=1; SID=x.b; c=2", "b", "SID"},
    {"SID", '.', 0, "/p", "a=1,SID=x.b,c=2", "b", "SID"},
    {"SID", '.', 0, "/p", "XSID=x.b", NULL, NULL},
    {"SID", '.', 0, "/p", "XSID=x.a; SID=x.b", "b", "SID"},
    {"SID", '.', 0, "/p", "sid=x.b", NULL, NULL},
    {"SID", '.', 0, "/p", "SID=b", NULL, NULL},
    {"SID", '.', 0, "/p", "SID=.b", "b", "SID"},
    {"SID", '.', 0, "/p", "SID=x.", NULL, NULL},
    {"SID", '.', 0, "/p", "SID=x.y.b", "y.b", "SID"},
    {"SID", '.', 0, "/p", "SID=\"x.b\"", "b", "SID"},
    {"SID", 0, 0, "/p", "SID=b", "b", "SID"},
    {"SID", 0, 0, "/p", "SID=", NULL, NULL},
    {"SID", '!', 0, "/p", "SID=x.y!b", "b", "SID"},
    {"SID", '.', 0, "/p?SID=x.b", NULL, "b", "SID"},
    {"SID", '.', 0, "/p?a=1&SID=x.b&c", NULL, "b", "SID"},
    {"SID", '.', 0, "/p?XSID=x.b", NULL, NULL, NULL},
    {"SID", '.', 0, "/p;SID=x.b", NULL, "b", "SID"},
    {"SID", '.', 0, "/p;SID=x.b?q", NULL, "b", "SID"},
    {"SID", '.', 0, "/p;SID=x.b;foo=1", NULL, "b;foo=1", "SID"},
    {"SID", '.', 1, "/p;SID=x.b;foo=1", NULL, "b", "SID"},
    {"SID", '.', 1, "/p?SID=x.b;c", NULL, "b;c", "SID"},
    {"SID", '.', 0, "/p?SID=x.u", "SID=x.c", "u", "SID"},
    {"SID", '.', 0, "/p?SID=nothing", "SID=x.c", "c", "SID"},
    {"C|P", '.', 0, "/p;P=x.u", NULL, "u", "P"},
    {"C|P", '.', 0, "/p", "C=x.c", "c", "C"},
    {"C|P", '.', 0, "/p;C=x.u", "P=x.c", NULL, NULL},
    {"C|P", '.', 0, "/", NULL, NULL, NULL},
};

START_TEST(route_is_found_where_it_is)
{
    const row_t *row = &rows[_i];
    rp_sticky_t s = {0};
    apr_pool_t *pool;
    const char *hit = NULL, *route;

    apr_pool_create(&pool, NULL);
    rp_sticky_parse(&s, pool, row->name);
    s.sep = row->sep;
    s.semicolon_ends = row->semicolon;
    route = rp_sticky_route(&s, pool, row->url, row->cookie, &hit);
    if (row->route == NULL) {
        ck_assert_ptr_null(route);
    }
    else {
        ck_assert_ptr_nonnull(route);
        ck_assert_str_eq(route, row->route);
        ck_assert_str_eq(hit, row->hit);
    }
    apr_pool_destroy(pool);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sticky");
    TCase *tc = tcase_create("sticky");
    SRunner *sr;
    int failed;

    apr_initialize();
    tcase_add_loop_test(tc, route_is_found_where_it_is, 0, (int)(sizeof(rows) / sizeof(rows[0])));
    suite_add_tcase(suite, tc);
    sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    apr_terminate();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
