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

static void join_check(const join_row_t *row, const rp_base_t *base)
{
    const char *out = "unset";
    rp_map_err_e err = RP_MAP_TOO_LONG;
    apr_status_t rv = rp_target_join(pool, row->url, base, row->rest, &out, &err);

    if (row->out) {
        ck_assert_int_eq(rv, APR_SUCCESS);
        ck_assert_int_eq(err, RP_MAP_OK);
        ck_assert_str_eq(out, apr_pstrcat(pool, "proxy:", row->out, NULL));
    }
    else {
        ck_assert_int_eq(rv, APR_EINVAL);
        ck_assert_int_eq(err, RP_MAP_NO_SLASH);
        ck_assert_ptr_null(out);
    }
}

START_TEST(target_join_rows)
{
    rp_base_t base;
    rp_url_err_e err;

    join_check(&join_rows[_i], NULL);
    ck_assert_int_eq(rp_base_parse(pool, join_rows[_i].url, 1, &base, &err), APR_SUCCESS);
    join_check(&join_rows[_i], &base);
}
END_TEST

typedef struct base_row_t {
    const char *text;
    int allow_uds;
    const char *base, *path; /* base NULL: refused */
    const char *host, *uds;
    int port;
} base_row_t;

static const base_row_t base_rows[] = {
    { "http://H/p q\n%", 0, "proxy:http://h", "/p q\n%", "h", NULL, 80 },
    { "http://h", 0, "proxy:http://h", "/", "h", NULL, 80 },
    { "HTTP://h:80/", 0, "proxy:http://h", "/", "h", NULL, 80 },
    { "http://h:81?x", 0, "proxy:http://h:81", "/?x", "h", NULL, 81 },
    { "http://h:81#x", 0, "proxy:http://h:81", "/#x", "h", NULL, 81 },
    { "https://h/x", 0, "proxy:https://h", "/x", "h", NULL, 443 },
    { "http://[2001:DB8::1]:81/x", 0, "proxy:http://[2001:db8::1]:81", "/x", "2001:db8::1", NULL,
      81 },
    { "http://u:p@h/x@y", 0, "proxy:http://h", "/x@y", "h", NULL, 80 },
    { "balancer://C/x", 0, "proxy:balancer://c", "/x", "c", NULL, 0 },
    { "unix:/run/s|http://h/x|y", 1, "proxy:http://h", "/x|y", "h", "/run/s", 80 },
    { "UNIX:/run/s|http:", 1, "proxy:http://localhost", "/", "localhost", "/run/s", 80 },
    { "unix:/run/s|http:/x", 1, "proxy:http://localhost", "/x", "localhost", "/run/s", 80 },
    { "unix:/run/s|http:///x", 1, "proxy:http://localhost", "/x", "localhost", "/run/s", 80 },
    { "unix:/run/s|http://h/x", 0, NULL, NULL, NULL, NULL, 0 },
    { "unix:/run/s", 1, NULL, NULL, NULL, NULL, 0 },
    { "unix:|http://h/", 1, NULL, NULL, NULL, NULL, 0 },
    { "unix:/a b|http://h/", 1, NULL, NULL, NULL, NULL, 0 },
    { "http:///x", 0, NULL, NULL, NULL, NULL, 0 },
    { "http:/x", 0, NULL, NULL, NULL, NULL, 0 },
    { "http://", 0, NULL, NULL, NULL, NULL, 0 },
    { "http://:80/x", 0, NULL, NULL, NULL, NULL, 0 },
    { "http://h:65536/", 0, NULL, NULL, NULL, NULL, 0 },
    { "http://h:0/", 0, NULL, NULL, NULL, NULL, 0 },
    { "http://h:8 1/", 0, NULL, NULL, NULL, NULL, 0 },
    { "http://h\r\nx/", 0, NULL, NULL, NULL, NULL, 0 },
    { "http://[fe80::1%25eth0]/", 0, NULL, NULL, NULL, NULL, 0 },
    { "/x", 0, NULL, NULL, NULL, NULL, 0 },
    { "", 0, NULL, NULL, NULL, NULL, 0 },
};

START_TEST(base_parse_rows)
{
    const base_row_t *row = &base_rows[_i];
    rp_base_t base;
    rp_url_err_e err = RP_URL_OK;
    apr_status_t rv = rp_base_parse(pool, row->text, row->allow_uds, &base, &err);

    if (!row->base) {
        ck_assert_int_ne(rv, APR_SUCCESS);
        ck_assert_int_ne(err, RP_URL_OK);
        return;
    }
    ck_assert_int_eq(rv, APR_SUCCESS);
    ck_assert_str_eq(base.text, row->base);
    ck_assert_uint_eq(base.len, strlen(row->base));
    ck_assert_str_eq(rp_base_path(pool, row->text + base.written), row->path);
    ck_assert_str_eq(base.url.path, "");
    ck_assert_str_eq(base.url.host, row->host);
    ck_assert_int_eq(base.url.port, row->port);
    ck_assert_pstr_eq(base.url.uds, row->uds);
}
END_TEST

static const struct {
    const char *text;
    int encoded;
    const char *want;
} normal_rows[] = {
    { "HTTP://Host.Example:80/A%62", 1, "http://host.example/Ab" },
    { "http://h:81/a%62", 0, "http://h:81/a%2562" },
    { "http://h/a b", 0, "http://h/a%20b" },
    { "https://h:443", 1, "https://h" },
    { "unix:/run/A.sock|HTTP://H/x", 1, "unix:/run/A.sock|http://h/x" },
    { "Balancer://Cluster/x", 1, "balancer://cluster/x" },
};

START_TEST(target_normal_rows)
{
    rp_base_t base;
    rp_url_err_e err;

    ck_assert_int_eq(rp_base_parse(pool, normal_rows[_i].text, 1, &base, &err), APR_SUCCESS);
    ck_assert_str_eq(rp_target_normal(pool, normal_rows[_i].text, &base, normal_rows[_i].encoded), normal_rows[_i].want);
}
END_TEST

START_TEST(target_begins_with_a_whole_authority)
{
    ck_assert(rp_target_begins("http://h/a", "http://h"));
    ck_assert(rp_target_begins("http://h", "http://h"));
    ck_assert(rp_target_begins("http://h?a", "http://h"));
    ck_assert(!rp_target_begins("http://h:81/a", "http://h"));
    ck_assert(!rp_target_begins("http://hh/a", "http://h"));
    ck_assert(rp_target_begins("http://h/apple", "http://h/app"));
    ck_assert(!rp_target_begins("http://h/ap", "http://h/app"));
    ck_assert(!rp_target_begins("unix:/s|http://hh/", "unix:/s|http://h"));
    ck_assert(rp_target_begins("unix:/s|http://h/x", "unix:/s|http://h"));
}
END_TEST

START_TEST(base_names_the_balancer)
{
    rp_base_t base;
    rp_url_err_e err;

    ck_assert_int_eq(rp_base_parse(pool, "Balancer://Some_Name/x", 0, &base, &err), APR_SUCCESS);
    ck_assert_str_eq(base.balancer, "balancer://some_name");
    ck_assert_int_eq(rp_base_parse(pool, "balancer://c:81/x", 0, &base, &err), APR_SUCCESS);
    ck_assert_str_eq(base.balancer, "balancer://c:81");
    ck_assert_int_eq(rp_base_parse(pool, "http://balancer/x", 0, &base, &err), APR_SUCCESS);
    ck_assert_ptr_null(base.balancer);
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
    tcase_add_loop_test(tc, base_parse_rows, 0, ROWS(base_rows));
    tcase_add_loop_test(tc, target_normal_rows, 0, ROWS(normal_rows));
    tcase_add_test(tc, target_begins_with_a_whole_authority);
    tcase_add_test(tc, base_names_the_balancer);
    tcase_add_test(tc, target_raw_skips_an_authority);
    tcase_add_test(tc, text_contains_sees_through_two_encodings);
    suite_add_tcase(s, tc);
    sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
