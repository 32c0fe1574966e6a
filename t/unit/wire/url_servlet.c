/* SPDX-License-Identifier: Apache-2.0 */
/* mapping=servlet: matched as a servlet container will read the path. */
#include "wire_unit.h"

#include <apr_strings.h>

#include "wire/url.h"

/** rest NULL: no match. */
static const struct {
    const char *uri;
    const char *rule;
    const char *rest;
    const char *clean;
} rows[] = {
    { "/some/path", "/some/path", "", "/some/path" },
    { "/some/path/x", "/some/path", "/x", "/some/path/x" },
    { "/some/path/", "/some/path", "/", "/some/path/" },
    { "/some;a=1/path/;b=2/c", "/some/path", "/;b=2/c", "/some/path/c" },
    { "/some/path;j=1", "/some/path", "", "/some/path" },
    { "/some/path;j=1/x;y=2", "/some/path", ";j=1/x;y=2", "/some/path/x" },
    { "/some/path;j=1/", "/some/path", ";j=1/", "/some/path/" },
    { "/some/path;", "/some/path", "", "/some/path" },
    { "/some/path;a;b=1;c/x", "/some/path", ";a;b=1;c/x", "/some/path/x" },
    { "/some/path/x;y=2", "/some/path", "/x;y=2", "/some/path/x" },
    { "/some/path/;b=2", "/some/path", "/;b=2", "/some/path/" },
    { "/some/;a/path/x", "/some/path", "/x", "/some/path/x" },
    { "//some///path//x", "/some/path", "/x", "/some/path/x" },
    { "/some/path//", "/some/path", "/", "/some/path/" },
    { "/some/path", "//some//path", "", "/some/path" },
    /* boundaries */
    { "/some/pathx", "/some/path", NULL, NULL },
    { "/some", "/some/path", NULL, NULL },
    { "/Some/path", "/some/path", NULL, NULL },
    { "/some/path%3bx", "/some/path", NULL, NULL },
    { "/", "/some", NULL, NULL },
    { "", "/some", NULL, NULL },
    { "*", "/", NULL, NULL },
    { "some/path", "/some", NULL, NULL },
    { "/some", "some", NULL, NULL },
    { "/some", "", NULL, NULL },
    /* rules that end in a slash */
    { "/some/path/x", "/some/path/", "x", "/some/path/x" },
    { "/some/path/", "/some/path/", "", "/some/path/" },
    { "/some/path", "/some/path/", NULL, NULL },
    { "/some/path;j=1", "/some/path/", NULL, NULL },
    { "/some/path;j=1/x", "/some/path/", "x", "/some/path/x" },
    { "/some/path/;b=2/c", "/some/path/", ";b=2/c", "/some/path/c" },
    { "/some/path//x/", "/some/path/", "x/", "/some/path/x/" },
    { "/x;a/y", "/", "x;a/y", "/x/y" },
    { "/", "/", "", "/" },
    { "/;a=b", "/", ";a=b", "/" },
    { "//", "/", "", "/" },
    /* dot segments */
    { "/some/./path/x", "/some/path", "/x", "/some/path/x" },
    { "/x/../some/path/x", "/some/path", "/x", "/some/path/x" },
    { "/some/path/.", "/some/path", "/", "/some/path/" },
    { "/some/path/x/..", "/some/path", "/", "/some/path/" },
    { "/some/path/x/../y", "/some/path", "/y", "/some/path/y" },
    { "/some/path/./x", "/some/path", "/x", "/some/path/x" },
    { "/some/path/...", "/some/path", "/...", "/some/path/..." },
    { "/some/path/.x", "/some/path", "/.x", "/some/path/.x" },
    { "/some/path/..x", "/some/path", "/..x", "/some/path/..x" },
    { "/some/path/..", "/some/path", NULL, NULL },
    { "/some/path/../other", "/some/path", NULL, NULL },
    { "/some/path/..;x=1/other", "/some/path", NULL, NULL },
    { "/some/path/..;/other", "/some/path", NULL, NULL },
    { "/some/path/.;x/y", "/some/path", "/y", "/some/path/y" },
    { "/some/path/%2e%2E/other", "/some/path", NULL, NULL },
    { "/some/path/%2e./other", "/some/path", NULL, NULL },
    { "/some/path/%2e/y", "/some/path", "/y", "/some/path/y" },
    { "/some/path/%2ey", "/some/path", "/%2ey", "/some/path/%2ey" },
    { "/some/path/%2", "/some/path", "/%2", "/some/path/%2" },
    { "/some/path/x;p/../y", "/some/path", "/y", "/some/path/y" },
    { "/some/path/x/;p/../y", "/some/path", "/y", "/some/path/y" },
    { "/some/path/;p/../y", "/some/path", NULL, NULL },
    { "/some/path;j=1/x/../y", "/some/path", ";j=1/y", "/some/path/y" },
    { "/some/path;j=1/x/..", "/some/path", ";j=1/", "/some/path/" },
    /* above the root */
    { "/..", "/", NULL, NULL },
    { "/../some/path", "/some/path", NULL, NULL },
    { "/some/../../some/path", "/some/path", NULL, NULL },
    { "/;x/../some/path", "/some/path", NULL, NULL },
    { "/a/..", "/", "", "/" },
};

START_TEST(servlet_row)
{
    char *uri = exact_copy(rows[_i].uri, strlen(rows[_i].uri) + 1);
    const char *rest = "unset";
    const char *clean = "unset";
    apr_status_t rv = rp_servlet_match(pool, uri, rows[_i].rule, &rest, &clean);

    free(uri);
    if (rows[_i].rest) {
        ck_assert_int_eq(rv, APR_SUCCESS);
        ck_assert_str_eq(rest, rows[_i].rest);
        ck_assert_str_eq(clean, rows[_i].clean);
    }
    else {
        ck_assert_int_eq(rv, APR_NOTFOUND);
        ck_assert_ptr_null(rest);
        ck_assert_ptr_null(clean);
    }
}
END_TEST

/** 1 when one of the segments of path, without parameters, is "." or "..". */
static int has_dots(const char *path)
{
    while (*path) {
        size_t n;

        path += strspn(path, "/");
        n = strcspn(path, ";/");
        if ((n == 1 && path[0] == '.') || (n == 2 && path[0] == '.' && path[1] == '.')) {
            return 1;
        }
        path += strcspn(path, "/");
    }
    return 0;
}

START_TEST(random_paths_leave_nothing_to_resolve)
{
    static const char *const parts[] = { "/", "a", ".", "..", ";x", "%2e", "/", "b", ";", "/" };
    static const char *const rules[] = { "/", "/a", "/a/", "/a/b" };
    uint32_t seed = (uint32_t)_i;
    int n;

    for (n = 0; n < 500; n++) {
        char *uri = apr_pstrdup(pool, "/");
        const char *rule = rules[random_next(&seed) % 4];
        int k = (int)(random_next(&seed) % 14);
        const char *rest;
        const char *clean;
        apr_size_t used;

        while (k--) {
            uri = apr_pstrcat(pool, uri, parts[random_next(&seed) % 10], NULL);
        }
        if (rp_servlet_match(pool, uri, rule, &rest, &clean) != APR_SUCCESS) {
            continue;
        }
        ck_assert_msg(!has_dots(rest) && !has_dots(clean), "%s: %s %s", uri, rest, clean);
        ck_assert_ptr_null(strchr(clean, ';'));
        ck_assert_ptr_null(strstr(clean, "//"));
        used = rp_prefix_match(clean, rule); /* what httpd will match agrees */
        ck_assert_uint_gt(used, 0);
        ck_assert_uint_le(strlen(clean) - used, strlen(rest));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wire/url_servlet");
    TCase *tc = case_new(s, "url_servlet");

    tcase_add_loop_test(tc, servlet_row, 0, ROWS(rows));
    tcase_add_loop_test(tc, random_paths_leave_nothing_to_resolve, 0, 20);
    return suite_main(s);
}
