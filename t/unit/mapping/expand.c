/* SPDX-License-Identifier: Apache-2.0 */
#include "mapping/expand.h"

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

/* $0 is the subject, $1 all behind its first byte, $2 took no part, $3 is empty. */
static const char *subject;
static rp_capture_t captures[RP_CAPTURES];

static void set_subject(const char *s)
{
    int i;

    subject = s;
    for (i = 0; i < RP_CAPTURES; i++) {
        captures[i].start = captures[i].end = -1;
    }
    captures[0].start = 0;
    captures[0].end = (int)strlen(s);
    captures[1].start = s[0] ? 1 : 0;
    captures[1].end = (int)strlen(s);
    captures[3].start = captures[3].end = 1;
}

static const char *lookup(void *baton, const char *name)
{
    ++*(int *)baton;
    if (strcmp(name, "V") == 0) {
        return "value";
    }
    return strcmp(name, "REF") == 0 ? "$1 ${V}" : NULL;
}

typedef struct row_t {
    const char *tmpl, *subject, *text;
    int refs;
} row_t;

static const row_t regex_rows[] = {
    { "http://h/$1", "/x", "http://h/x", 1 },
    { "http://h$0", "/x", "http://h/x", 1 },
    { "http://h/", "/x", "http://h/", 0 },
    { "http://h/$2.$3.$9", "/x", "http://h/..", 3 },
    { "http://h/\\$1", "/x", "http://h/$1", 0 },
    { "http://h/\\\\$1", "/x", "http://h/\\x", 1 },
    { "http://h/\\", "/x", "http://h/\\", 0 },
    { "http://h/$", "/x", "http://h/$", 0 },
    { "http://h/$a$$1", "/x", "http://h/$a$x", 1 },
    { "http://h/$12", "/x", "http://h/x2", 1 },
    { "http://h/&", "/x", "http://h/&", 0 },
    { "http://h/${V}", "/x", "http://h/${V}", 0 },
    { "$1", "/$1", "$1", 1 },
    { "$1", "/\\$1", "\\$1", 1 },
    { "", "/x", "", 0 },
};

START_TEST(expand_captures_in_one_pass)
{
    const row_t *row = &regex_rows[_i];
    rp_expand_t in = { NULL, captures, NULL, NULL };
    rp_expansion_t ex;
    rp_map_err_e err;

    set_subject(row->subject);
    in.subject = subject;
    ck_assert_int_eq(rp_expand(pool, row->tmpl, &in, &ex, &err), APR_SUCCESS);
    ck_assert_str_eq(ex.text, row->text);
    ck_assert_uint_eq(ex.len, strlen(row->text));
    ck_assert_int_eq(ex.refs, row->refs);
}
END_TEST

static const row_t env_rows[] = {
    { "http://h/${V}/x", NULL, "http://h/value/x", 0 },
    { "${V}${V}", NULL, "valuevalue", 0 },
    { "a${NONE}b", NULL, "ab", 0 },
    { "a${}b", NULL, "ab", 0 },
    { "a${Vb", NULL, "a${Vb", 0 },
    { "a$V{V}", NULL, "a$V{V}", 0 },
    { "${REF}", NULL, "$1 ${V}", 0 },
    { "a\\b$1", NULL, "a\\b$1", 0 },
};

START_TEST(expand_variables_without_nesting)
{
    const row_t *row = &env_rows[_i];
    int calls = 0;
    rp_expand_t in = { NULL, NULL, lookup, &calls };
    rp_expansion_t ex;
    rp_map_err_e err;

    ck_assert_int_eq(rp_expand(pool, row->tmpl, &in, &ex, &err), APR_SUCCESS);
    ck_assert_str_eq(ex.text, row->text);
}
END_TEST

START_TEST(expand_value_of_variable_is_not_a_reference)
{
    int calls = 0;
    rp_expand_t in = { "/x", captures, lookup, &calls };
    rp_expansion_t ex;
    rp_map_err_e err;

    set_subject("/x");
    ck_assert_int_eq(rp_expand(pool, "http://h/${REF}/$1", &in, &ex, &err), APR_SUCCESS);
    ck_assert_str_eq(ex.text, "http://h/$1 ${V}/x");
    ck_assert_int_eq(ex.refs, 1);
    ck_assert_int_eq(ex.nspans, 2);
    ck_assert_int_eq(ex.spans[0].captured, 0);
    ck_assert_int_eq(ex.spans[1].captured, 1);
    ck_assert_uint_eq(ex.spans[1].start, ex.len - 1);
    ck_assert_uint_eq(ex.spans[1].end, ex.len);
}
END_TEST

START_TEST(expand_limits)
{
    char *big = apr_palloc(pool, RP_EXPAND_MAX + 2);
    rp_expand_t in = { big, captures, NULL, NULL };
    rp_expansion_t ex;
    rp_map_err_e err;
    char refs[2 * (RP_EXPAND_SPANS_MAX + 1) + 1] = "";
    int i;

    memset(big, 'x', RP_EXPAND_MAX + 1);
    big[RP_EXPAND_MAX] = '\0';
    set_subject(big);
    ck_assert_int_eq(rp_expand(pool, "$0", &in, &ex, &err), APR_SUCCESS);
    ck_assert_uint_eq(ex.len, RP_EXPAND_MAX);
    ck_assert_int_eq(rp_expand(pool, "$0y", &in, &ex, &err), APR_EINVAL);
    ck_assert_int_eq(err, RP_MAP_TOO_LONG);
    ck_assert_int_eq(rp_expand(pool, "y$0", &in, &ex, &err), APR_EINVAL);
    ck_assert_int_eq(err, RP_MAP_TOO_LONG);
    big[RP_EXPAND_MAX] = 'x';
    big[RP_EXPAND_MAX + 1] = '\0';
    set_subject(big);
    ck_assert_int_eq(rp_expand(pool, "$0", &in, &ex, &err), APR_EINVAL);

    set_subject("/x");
    in.subject = subject;
    for (i = 0; i < RP_EXPAND_SPANS_MAX; i++) {
        memcpy(refs + 2 * i, "$1", 3);
    }
    ck_assert_int_eq(rp_expand(pool, refs, &in, &ex, &err), APR_SUCCESS);
    ck_assert_int_eq(ex.refs, RP_EXPAND_SPANS_MAX);
    memcpy(refs + 2 * i, "$2", 3);
    ck_assert_int_eq(rp_expand(pool, refs, &in, &ex, &err), APR_EINVAL);
    ck_assert_int_eq(err, RP_MAP_TOO_MANY_REFS);
}
END_TEST

typedef struct check_row_t {
    const char *tmpl, *subject;
    rp_map_err_e err;
} check_row_t;

static const check_row_t check_rows[] = {
    /* where captured text belongs */
    { "http://h/$1", "/x", RP_MAP_OK },
    { "http://h/$1", "/@evil:99/x", RP_MAP_OK },
    { "http://h$0", "/x/y", RP_MAP_OK },
    { "http://h:81$0", "/x/y", RP_MAP_OK },
    { "http://h:81$3/", "/x", RP_MAP_OK },
    { "http://$1", "/h.example/x", RP_MAP_OK },
    { "http://$1/y", "/h", RP_MAP_OK },
    { "http://$1/", "/[::1]:8080", RP_MAP_OK },
    { "http://app$1/", "/7", RP_MAP_OK },
    { "http://www.$1", "/h.example", RP_MAP_OK },
    { "http://h-$1.example/", "/a_b", RP_MAP_OK },
    { "http://h:$1/", "/8080", RP_MAP_OK },
    { "http://h:$1", "/8080/x", RP_MAP_OK },
    { "$1://h/", "/https", RP_MAP_OK },
    { "$1", "/ws://h/", RP_MAP_OK },
    { "balancer://c/$1", "/x", RP_MAP_OK },
    { "unix:/run/$1.sock|http://h/", "/app", RP_MAP_OK },
    { "unix:/run/s|http://h/$1", "/a|b/../c d", RP_MAP_OK },
    { "unix:/run/$1|http:", "/a/b.c", RP_MAP_OK },
    /* a configured host or port is not prolonged */
    { "http://h$1", "/x", RP_MAP_CLIENT_HOST },
    { "http://h$1", "/.evil/x", RP_MAP_CLIENT_HOST },
    { "http://h:81$1", "/9", RP_MAP_CLIENT_HOST },
    { "http://h:81$1", "/9/x", RP_MAP_CLIENT_HOST },
    { "http://h$1", "/?x", RP_MAP_OK }, /* ends the authority itself */
    { "http://app$1/", "/x.evil/y", RP_MAP_CLIENT_HOST },
    { "unix:/run/s|http://h$1", "/x", RP_MAP_CLIENT_HOST },
    /* no byte that a host or a port does not have */
    { "http://h$1", "/@evil/x", RP_MAP_CLIENT_HOST },
    { "http://h:$1", "/@evil/x", RP_MAP_CLIENT_HOST },
    { "http://h:81$1", "/@evil/x", RP_MAP_CLIENT_HOST },
    { "http://$1/", "/h@evil", RP_MAP_CLIENT_HOST },
    { "http://$1/", "/h\\evil", RP_MAP_CLIENT_HOST },
    { "http://$1/", "/h evil", RP_MAP_CLIENT_HOST },
    { "http://$1/", "/h%2eevil", RP_MAP_CLIENT_HOST },
    { "http://h:$1/", "/80x", RP_MAP_CLIENT_HOST },
    { "http://www.$1.example/", "/a@b", RP_MAP_CLIENT_HOST },
    /* schemes */
    { "$1", "/balancer://c/", RP_MAP_CLIENT_SCHEME },
    { "$1", "/fcgi://h/", RP_MAP_CLIENT_SCHEME },
    { "$1", "/unix:/s|http://h/", RP_MAP_CLIENT_SCHEME },
    { "ba$1", "/lancer://c/", RP_MAP_CLIENT_SCHEME },
    { "$1://h/", "/balancer", RP_MAP_CLIENT_SCHEME },
    { "h$1://h/", "/2", RP_MAP_CLIENT_SCHEME },
    { "unix:/run/s|$1", "/fcgi://h/", RP_MAP_CLIENT_SCHEME },
    /* sockets */
    { "unix:/run/$1.sock|http://h/", "/a|http://evil/", RP_MAP_CLIENT_SOCKET },
    { "unix:/run/$1.sock|http://h/", "/../x", RP_MAP_CLIENT_SOCKET },
    { "unix:/run/$1.sock|http://h/", "/a/..", RP_MAP_CLIENT_SOCKET },
    { "unix:/run/.$1/s|http://h/", "/.", RP_MAP_CLIENT_SOCKET },
    { "unix:/run/$1./s|http://h/", "/.", RP_MAP_CLIENT_SOCKET },
    { "unix:/run/$1|http://h/", "/a b", RP_MAP_CLIENT_SOCKET },
    { "unix:/run/$1|http://h/", "/a\nb", RP_MAP_CLIENT_SOCKET },
    { "unix:/run/$1|http://h/", "/a\177", RP_MAP_CLIENT_SOCKET },
    { "unix:/run/$1", "/s|http://h/", RP_MAP_CLIENT_SOCKET },
    { "unix:/run/$1", "/s", RP_MAP_CLIENT_SOCKET },
};

START_TEST(expansion_check_keeps_client_text_in_its_place)
{
    const check_row_t *row = &check_rows[_i];
    rp_expand_t in = { NULL, captures, NULL, NULL };
    rp_expansion_t ex;
    rp_map_err_e err;

    set_subject(row->subject);
    in.subject = subject;
    ck_assert_int_eq(rp_expand(pool, row->tmpl, &in, &ex, &err), APR_SUCCESS);
    ck_assert_msg(rp_expansion_check(row->tmpl, &ex) == row->err,
                  "\"%s\" with \"%s\" gives \"%s\": said that it %s", row->tmpl, row->subject,
                  ex.text, rp_map_err_str(rp_expansion_check(row->tmpl, &ex)));
}
END_TEST

/* A variable may bring a whole URL, but not leave its place in a socket's path. */
static const char *value_of_v;

static const char *lookup_v(void *baton, const char *name)
{
    (void)baton;
    return strcmp(name, "V") == 0 ? value_of_v : NULL;
}

static const check_row_t variable_rows[] = {
    { "${V}/x", "http://h:81", RP_MAP_OK },
    { "${V}/x", "fcgi://h", RP_MAP_OK },
    { "http://h${V}/x", "x", RP_MAP_OK },
    { "unix:/run/${V}.sock|http://h/", "app", RP_MAP_OK },
    { "unix:/run/${NONE}|http://h/", "", RP_MAP_OK },
    { "unix:/run/s|http://h/${V}", "a|../b c", RP_MAP_OK },
    { "unix:/run/${V}.sock|http://h/", "a|http://evil/", RP_MAP_CLIENT_SOCKET },
    { "unix:/run/${V}.sock|http://h/", "../x", RP_MAP_CLIENT_SOCKET },
    { "unix:/run/${V}", "s|http://h/", RP_MAP_CLIENT_SOCKET },
};

START_TEST(expansion_check_of_variables)
{
    const check_row_t *row = &variable_rows[_i];
    rp_expand_t in = { NULL, NULL, lookup_v, NULL };
    rp_expansion_t ex;
    rp_map_err_e err;

    value_of_v = row->subject;
    ck_assert_int_eq(rp_expand(pool, row->tmpl, &in, &ex, &err), APR_SUCCESS);
    ck_assert_int_eq(ex.nspans, 1);
    ck_assert_int_eq(ex.refs, 0);
    ck_assert_msg(rp_expansion_check(row->tmpl, &ex) == row->err, "\"%s\" gives \"%s\"", row->tmpl,
                  ex.text);
}
END_TEST

START_TEST(map_err_str_has_a_text_for_each)
{
    int i;

    for (i = RP_MAP_OK; i <= RP_MAP_CLIENT_SCHEME; i++) {
        ck_assert_int_gt((int)strlen(rp_map_err_str((rp_map_err_e)i)), 0);
        ck_assert_str_ne(rp_map_err_str((rp_map_err_e)i), rp_map_err_str((rp_map_err_e)99));
    }
}
END_TEST

#define ROWS(a) (int)(sizeof(a) / sizeof((a)[0]))

int main(void)
{
    Suite *s = suite_create("mapping/expand");
    TCase *tc = tcase_create("all");
    SRunner *sr;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, expand_captures_in_one_pass, 0, ROWS(regex_rows));
    tcase_add_loop_test(tc, expand_variables_without_nesting, 0, ROWS(env_rows));
    tcase_add_test(tc, expand_value_of_variable_is_not_a_reference);
    tcase_add_test(tc, expand_limits);
    tcase_add_loop_test(tc, expansion_check_keeps_client_text_in_its_place, 0, ROWS(check_rows));
    tcase_add_loop_test(tc, expansion_check_of_variables, 0, ROWS(variable_rows));
    tcase_add_test(tc, map_err_str_has_a_text_for_each);
    suite_add_tcase(s, tc);
    sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
