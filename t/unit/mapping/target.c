/* SPDX-License-Identifier: Apache-2.0 */
#include "mapping/target.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

static apr_pool_t *pool;

static void setup(void)
{
    ck_assert_int_eq(apr_initialize(), APR_SUCCESS);
    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
}

static void teardown(void)
{
    apr_pool_destroy(pool);
    apr_terminate();
}

typedef struct authority_row_t {
    const char *text;
    int uds;
    const char *authority; /* NULL: none */
} authority_row_t;

static const authority_row_t authority_rows[] = {
    { "http://h", 0, "h" },
    { "http://h:81/x", 0, "h:81" },
    { "http://u@h?x/y", 0, "u@h" },
    { "http://h#x", 0, "h" },
    { "http:///x", 0, "" },
    { "http:/x", 0, "" },
    { "http:x", 0, "" },
    { "http://[::1]:81/", 0, "[::1]:81" },
    { "/x://h", 0, NULL },
    { "//h/x", 0, NULL },
    { "h", 0, NULL },
    { "?x://h", 0, NULL },
    { "://h", 0, NULL },
    { "", 0, NULL },
    { "unix:/s|http://h/x", 1, "h" },
    { "unix:/s|http:", 1, "" },
    { "unix:/s|http:///x", 1, "" },
    { "unix:/s|/x", 1, NULL },
    { "unix:/s", 1, NULL },
    { "unix:/s|http://h/x", 0, "" },
};

START_TEST(authority_find_rows)
{
    const authority_row_t *row = &authority_rows[_i];
    apr_size_t a = 99, z = 98;
    int found = rp_authority_find(row->text, row->uds, &a, &z);

    ck_assert_int_eq(found, row->authority != NULL);
    if (row->authority) {
        ck_assert_str_eq(apr_pstrmemdup(pool, row->text + a, z - a), row->authority);
    }
    else {
        ck_assert_uint_eq(a, 0);
        ck_assert_uint_eq(z, 0);
    }
}
END_TEST

typedef struct join_row_t {
    const char *url, *rest, *out; /* out NULL: missing slash */
} join_row_t;

static const join_row_t join_rows[] = {
    { "http://h/bar", "", "http://h/bar" },
    { "http://h/bar", "/x", "http://h/bar/x" },
    { "http://h/bar", "x", "http://h/barx" },
    { "http://h/bar/", "/x", "http://h/bar//x" },
    { "http://h/bar?a=b", "/z", "http://h/bar?a=b/z" },
    { "balancer://c/", "/x", "balancer://c//x" },
    { "http://h:81", "", "http://h:81" },
    { "http://h:81", "/x", "http://h:81/x" },
    { "http://h:81", "x", NULL },
    { "http://h:81", "9", NULL },
    { "http://h", "@evil/", NULL },
    { "http://h", ":99/", NULL },
    { "balancer://c", "x", NULL },
    { "unix:/s|http:", "x", NULL },
    { "unix:/s|http:", "/x", "unix:/s|http:/x" },
    { "unix:/s|http://h", "x", NULL },
    { "unix:/s|http://h/", "x", "unix:/s|http://h/x" },
    { "http://h", "?a=b", "http://h/?a=b" },
    { "http://h", ";j=1/x", "http://h/;j=1/x" },
    { "http://h/", "?a=b", "http://h/?a=b" },
};

START_TEST(target_join_rows)
{
    const join_row_t *row = &join_rows[_i];
    const char *out = "unset";
    rp_map_err_e err = RP_MAP_TOO_LONG;
    apr_status_t rv = rp_target_join(pool, row->url, row->rest, &out, &err);

    if (row->out) {
        ck_assert_int_eq(rv, APR_SUCCESS);
        ck_assert_int_eq(err, RP_MAP_OK);
        ck_assert_str_eq(out, row->out);
    }
    else {
        ck_assert_int_eq(rv, APR_EINVAL);
        ck_assert_int_eq(err, RP_MAP_NO_SLASH);
        ck_assert_ptr_null(out);
    }
}
END_TEST

typedef struct split_row_t {
    const char *text;
    int allow_uds;
    const char *host, *uds, *path; /* host NULL: refused */
    int port;
} split_row_t;

static const split_row_t split_rows[] = {
    { "http://H/p q\n%", 0, "h", NULL, "/p q\n%", 80 },
    { "http://h", 0, "h", NULL, "/", 80 },
    { "http://h:81?x", 0, "h", NULL, "/?x", 81 },
    { "https://h/x", 0, "h", NULL, "/x", 443 },
    { "http://u:p@h/x@y", 0, "h", NULL, "/x@y", 80 },
    { "balancer://C/x", 0, "c", NULL, "/x", 0 },
    { "unix:/run/s|http://h/x|y", 1, "h", "/run/s", "/x|y", 80 },
    { "UNIX:/run/s|http:", 1, "localhost", "/run/s", "/", 80 },
    { "unix:/run/s|http:/x", 1, "localhost", "/run/s", "/x", 80 },
    { "unix:/run/s|http:///x", 1, "localhost", "/run/s", "/x", 80 },
    { "unix:/run/s|http://h/x", 0, NULL, NULL, NULL, 0 },
    { "unix:/run/s", 1, NULL, NULL, NULL, 0 },
    { "unix:|http://h/", 1, NULL, NULL, NULL, 0 },
    { "unix:/a b|http://h/", 1, NULL, NULL, NULL, 0 },
    { "http:///x", 0, NULL, NULL, NULL, 0 },
    { "http:/x", 0, NULL, NULL, NULL, 0 },
    { "http://", 0, NULL, NULL, NULL, 0 },
    { "http://:80/x", 0, NULL, NULL, NULL, 0 },
    { "http://h:65536/", 0, NULL, NULL, NULL, 0 },
    { "http://h:0/", 0, NULL, NULL, NULL, 0 },
    { "http://h:8 1/", 0, NULL, NULL, NULL, 0 },
    { "http://h\r\nx/", 0, NULL, NULL, NULL, 0 },
    { "http://[fe80::1%25eth0]/", 0, NULL, NULL, NULL, 0 },
    { "/x", 0, NULL, NULL, NULL, 0 },
    { "", 0, NULL, NULL, NULL, 0 },
};

START_TEST(target_split_rows)
{
    const split_row_t *row = &split_rows[_i];
    rp_url_t url;
    rp_url_err_e err = RP_URL_OK;
    const char *path = NULL;
    apr_status_t rv = rp_target_split(pool, row->text, row->allow_uds, &url, &path, &err);

    if (!row->host) {
        ck_assert_int_ne(rv, APR_SUCCESS);
        ck_assert_int_ne(err, RP_URL_OK);
        return;
    }
    ck_assert_int_eq(rv, APR_SUCCESS);
    ck_assert_str_eq(url.host, row->host);
    ck_assert_int_eq(url.port, row->port);
    ck_assert_str_eq(path, row->path);
    if (row->uds) {
        ck_assert_str_eq(url.uds, row->uds);
    }
    else {
        ck_assert_ptr_null(url.uds);
    }
}
END_TEST

START_TEST(target_raw_skips_an_authority)
{
    ck_assert_str_eq(rp_target_raw("/a%20b?c"), "/a%20b?c");
    ck_assert_str_eq(rp_target_raw("http://h/a?b"), "/a?b");
    ck_assert_str_eq(rp_target_raw("http://h:81/unix:/x://y"), "/unix:/x://y");
    ck_assert_ptr_null(rp_target_raw("http://h"));
    ck_assert_ptr_null(rp_target_raw("http://h?/x"));
    ck_assert_ptr_null(rp_target_raw("*"));
    ck_assert_ptr_null(rp_target_raw(""));
    ck_assert_ptr_null(rp_target_raw(NULL));
}
END_TEST

START_TEST(text_contains_sees_through_two_encodings)
{
    ck_assert_int_eq(rp_text_contains(pool, "/x?unix:/s", "unix:"), 1);
    ck_assert_int_eq(rp_text_contains(pool, "/x?UnIx:/s", "unix:"), 1);
    ck_assert_int_eq(rp_text_contains(pool, "/x?unix%3a/s", "unix:"), 1);
    ck_assert_int_eq(rp_text_contains(pool, "/x?%75nix%3A/s", "unix:"), 1);
    ck_assert_int_eq(rp_text_contains(pool, "/x?unix%253a/s", "unix:"), 1);
    ck_assert_int_eq(rp_text_contains(pool, "unix%3", "unix:"), 0);
    ck_assert_int_eq(rp_text_contains(pool, "unix%", "unix:"), 0);
    ck_assert_int_eq(rp_text_contains(pool, "unix%zz:", "unix:"), 0);
    ck_assert_int_eq(rp_text_contains(pool, "un%00ix:", "unix:"), 0);
    ck_assert_int_eq(rp_text_contains(pool, "%00unix%3a", "unix:"), 1);
    ck_assert_int_eq(rp_text_contains(pool, "unix", "unix:"), 0);
    ck_assert_int_eq(rp_text_contains(pool, "", "unix:"), 0);
}
END_TEST

#define ROWS(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
    Suite *s = suite_create("mapping/target");
    TCase *tc = tcase_create("all");
    SRunner *sr;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, authority_find_rows, 0, ROWS(authority_rows));
    tcase_add_loop_test(tc, target_join_rows, 0, ROWS(join_rows));
    tcase_add_loop_test(tc, target_split_rows, 0, ROWS(split_rows));
    tcase_add_test(tc, target_raw_skips_an_authority);
    tcase_add_test(tc, text_contains_sees_through_two_encodings);
    suite_add_tcase(s, tc);
    sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
