/* SPDX-License-Identifier: Apache-2.0 */
/* Path and Domain of cookies. A cookie's own name and value stay, whatever they look like. */
#include "reverse_unit.h"

#include "reverse/cookie.h"

/* "internal public internal public ..." */
static apr_array_header_t *maps_of(const char *lines)
{
    apr_array_header_t *list = words(lines);
    apr_array_header_t *maps = apr_array_make(pool, 4, sizeof(const rp_cookie_map_t *));

    for (int i = 0; i + 1 < list->nelts; i += 2) {
        rp_cookie_map_t *map = apr_palloc(pool, sizeof(*map));

        map->internal = APR_ARRAY_IDX(list, i, const char *);
        map->public_value = APR_ARRAY_IDX(list, i + 1, const char *);
        APR_ARRAY_PUSH(maps, const rp_cookie_map_t *) = map;
    }
    return maps;
}

static const struct {
    const char *domains;
    const char *paths;
    const char *value;
    const char *want; /* NULL: stays as it is */
} rows[] = {
    /* paths: the same or below it; the whole value is replaced */
    { "", "/int /pub", "a=b; Path=/int", "a=b; Path=/pub" },
    { "", "/int /pub", "a=b; path=/int/x", "a=b; path=/pub" },
    { "", "/int /pub", "a=b;PATH=/int/;Secure", "a=b;PATH=/pub;Secure" },
    { "", "/int /pub", "a=b; Path=/internal", NULL },
    { "", "/int /pub", "a=b; Path=/in", NULL },
    { "", "/int /pub", "a=b; Path=/INT", NULL },
    { "", "/int /pub", "a=b; Path=/x/int", NULL },
    { "", "/int/ /pub/", "a=b; Path=/int", NULL },
    { "", "/int/ /pub/", "a=b; Path=/int/", "a=b; Path=/pub/" },
    { "", "/int/ /pub/", "a=b; Path=/int/x", "a=b; Path=/pub/" },
    { "", "/ /pub/", "a=b; Path=/", "a=b; Path=/pub/" },
    { "", "/ /pub/", "a=b; Path=/anything", "a=b; Path=/pub/" },
    { "", "/int /pub", "a=b; Path=/int?x", NULL },
    { "", "/int /pub", "a=b", NULL },
    { "", "/int /pub", "", NULL },
    { "", "", "a=b; Path=/int", NULL },
    { "", "- /pub", "a=b; Path=/int", NULL },
    { "", "- /pub", "a=b; Path=", NULL },
    { "", "/ /pub", "a=b; Path=", NULL },
    { "", "/ /pub", "a=b; Path", NULL },
    { "", "/ /pub", "a=b; Path=; Path=/", "a=b; Path=; Path=/pub" },
    { "", "/int -", "a=b; Path=/int", "a=b; Path=" },
    /* domains: the same, but for case and a leading dot */
    { "in.example out.example", "", "a=b; Domain=in.example", "a=b; Domain=out.example" },
    { "in.example out.example", "", "a=b; domain=IN.Example; x", "a=b; domain=out.example; x" },
    { "in.example out.example", "", "a=b; Domain=.in.example", "a=b; Domain=out.example" },
    { ".in.example .out.example", "", "a=b; Domain=in.example", "a=b; Domain=.out.example" },
    { ".in.example out.example", "", "a=b; Domain=.in.example.com", NULL },
    { "in.example out.example", "", "a=b; Domain=in.example.com", NULL },
    { "in.example out.example", "", "a=b; Domain=www.in.example", NULL },
    { "in.example out.example", "", "a=b; Domain=xin.example", NULL },
    { "in.example out.example", "", "a=b; Domain=in.exampl", NULL },
    { "in.example out.example", "", "a=b; Domain=", NULL },
    { "in.example out.example", "", "a=b; Domain=..in.example", NULL },
    { ". out.example", "", "a=b; Domain=.", "a=b; Domain=out.example" },
    { ". out.example", "", "a=b; Domain=", NULL },
    { "in.example one .in.example two", "", "a=b; Domain=.in.example", "a=b; Domain=two" },
    { ".in.example one in.example two", "", "a=b; Domain=in.example", "a=b; Domain=two" },
    /* the first line that matches */
    { "", "/a /1 /a/b /2", "a=b; Path=/a/b", "a=b; Path=/1" },
    { "", "/a/b /2 /a /1", "a=b; Path=/a/b", "a=b; Path=/2" },
    { "", "/x /0 /a /1", "a=b; Path=/a/b", "a=b; Path=/1" },
    /* both, in any order, and each occurrence */
    { "d e", "/p /q", "a=b; Domain=d; Path=/p", "a=b; Domain=e; Path=/q" },
    { "d e", "/p /q", "a=b; Path=/p; Domain=d", "a=b; Path=/q; Domain=e" },
    { "d longer.example", "/p /q/r/s",
      "a=b; Path=/p; Domain=d; Path=/p/long; Domain=x; domain=d;path=/z",
      "a=b; Path=/q/r/s; Domain=longer.example; Path=/q/r/s; Domain=x; "
      "domain=longer.example;path=/z" },
    { "", "/p /q/r/s", "a=b;path=/p;path=/p;path=/p", "a=b;path=/q/r/s;path=/q/r/s;path=/q/r/s" },
    /* the cookie itself is not an attribute */
    { "d e", "/p /q", "path=/p", NULL },
    { "d e", "/p /q", "domain=d; Secure", NULL },
    { "d e", "/p /q", "path=/p; path=/p", "path=/p; path=/q" },
    { "d e", "/p /q", "a=path=/p", NULL },
    { "d e", "/p /q", "a=\"x; Path=/p\"; Path=/p", "a=\"x; Path=/p\"; Path=/q" },
    /* white space and quotes stay */
    { "d e", "/p /q", "a=b ;  Path = /p ; Domain\t=\td\t", "a=b ;  Path = /q ; Domain\t=\te\t" },
    { "d e", "/p /q", "a=b; Path=\"/p/x\"; Domain=\"d\"", "a=b; Path=\"/q\"; Domain=\"e\"" },
    { "d e", "/p /q", "a=b; Path=\"/p", NULL },
    { "d e", "/p /q", "a=b; Path=\"", NULL },
    { "d e", "/p /q", "a=b; Path=\"\"", NULL },
    /* other attributes, odd bytes */
    { "d e", "/p /q",
      "a=b; Max-Age=3; Expires=Wed, 01 Jan 2031 00:00:00 GMT; HttpOnly; Path=/p; SameSite=Lax",
      "a=b; Max-Age=3; Expires=Wed, 01 Jan 2031 00:00:00 GMT; HttpOnly; Path=/q; SameSite=Lax" },
    { "d e", "/p /q", "a=b; XPath=/p; Pathx=/p; Path x=/p", NULL },
    { "d e", "/p /q", ";;;", NULL },
    { "d e", "/p /q", ";Path=/p", ";Path=/q" },
    { "d e", "/p /q", "a=b; =/p; = ;", NULL },
    { "d e", "/p /q", "a=b; Path=/p;", "a=b; Path=/q;" },
};

START_TEST(cookie_table)
{
    rp_reverse_err_e err;
    const char *out;
    apr_status_t rv = rp_cookie_map(pool, maps_of(rows[_i].domains), maps_of(rows[_i].paths),
                                    rows[_i].value, &out, &err);

    ck_assert_int_eq(err, RP_REVERSE_OK);
    ck_assert_int_eq(rv, rows[_i].want ? APR_SUCCESS : APR_NOTFOUND);
    check_mapped(out, rows[_i].want, rows[_i].value);
}
END_TEST

/* Attributes over and over, values of any length: no more than the limit, or an error. */
START_TEST(cookie_grows_no_further_than_the_limit)
{
    const apr_array_header_t *none = maps_of("");
    const apr_array_header_t *paths = maps_of(apr_pstrcat(pool, "/p /", repeated('q', 999), NULL));
    const char *value = "a=b";
    rp_reverse_err_e err;
    const char *out;

    for (int i = 1; i <= 100; i++) {
        apr_size_t want = 3 + (apr_size_t)i * 1006;
        apr_status_t rv;

        value = apr_pstrcat(pool, value, ";Path=/p", NULL);
        rv = rp_cookie_map(pool, none, paths, value, &out, &err);
        if (want <= RP_REVERSE_VALUE_MAX) {
            ck_assert_int_eq(rv, APR_SUCCESS);
            ck_assert_uint_eq(strlen(out), want);
        }
        else {
            ck_assert_int_eq(rv, APR_EINVAL);
            ck_assert_int_eq(err, RP_REVERSE_TOO_LONG);
            ck_assert_ptr_null(out);
        }
    }
}
END_TEST

START_TEST(cookie_huge_values_shrink)
{
    const apr_array_header_t *none = maps_of("");
    const char *value = apr_pstrcat(pool, "a=b; Path=/p/", repeated('x', 200000), "; Secure", NULL);
    rp_reverse_err_e err;
    const char *out;

    ck_assert_int_eq(rp_cookie_map(pool, none, maps_of("/p /q"), value, &out, &err), APR_SUCCESS);
    ck_assert_str_eq(out, "a=b; Path=/q; Secure");
}
END_TEST

START_TEST(cookie_public_value_with_control_character_is_an_error)
{
    rp_cookie_map_t map = { "/p", "/q\r\nX: y" };
    apr_array_header_t *paths = maps_of("");
    rp_reverse_err_e err;
    const char *out;

    APR_ARRAY_PUSH(paths, const rp_cookie_map_t *) = &map;
    ck_assert_int_eq(rp_cookie_map(pool, maps_of(""), paths, "a=b; Path=/p", &out, &err),
                     APR_EINVAL);
    ck_assert_int_eq(err, RP_REVERSE_BAD_PUBLIC);
    ck_assert_ptr_null(out);
    ck_assert_int_eq(rp_cookie_map(pool, maps_of(""), paths, "a=b; Path=/x", &out, &err),
                     APR_NOTFOUND);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reverse/cookie");
    TCase *tc = case_new(s, "all");

    tcase_add_loop_test(tc, cookie_table, 0, ROWS(rows));
    tcase_add_test(tc, cookie_grows_no_further_than_the_limit);
    tcase_add_test(tc, cookie_huge_values_shrink);
    tcase_add_test(tc, cookie_public_value_with_control_character_is_an_error);
    return suite_main(s);
}
