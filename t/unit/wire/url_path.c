/* SPDX-License-Identifier: Apache-2.0 */
/* Paths: encoding, request targets, prefix match of mapping rules. */
#include "wire_unit.h"

#include <stdio.h>

#include "wire/url.h"

static const struct {
    bytes_t path;
    int keep;
    const char *want;
} encodings[] = {
    { BYTES(""), 0, "" },
    { BYTES("/bar/x"), 0, "/bar/x" },
    { BYTES("/~$-_.+!*'(),;:@&=/09azAZ"), 0, "/~$-_.+!*'(),;:@&=/09azAZ" },
    { BYTES("/a b"), 0, "/a%20b" },
    { BYTES("/a%b"), 0, "/a%25b" },
    { BYTES("/a%41"), 0, "/a%2541" },
    { BYTES("/y?a=b/z"), 0, "/y%3Fa=b/z" },
    { BYTES("/a#b"), 0, "/a%23b" },
    { BYTES("/<>^{}[]\"\\|`"), 0, "/%3C%3E%5E%7B%7D%5B%5D%22%5C%7C%60" },
    { BYTES("/a\r\nb"), 0, "/a%0D%0Ab" },
    { BYTES("/\0\x7f"), 0, "/%00%7F" },
    { BYTES("/\xc3\xa4\xff"), 0, "/%C3%A4%FF" },
    { BYTES("/a//b"), 0, "/a//b" },
    { BYTES("/a%2Fb%2fc"), 0, "/a%252Fb%252fc" },
    { BYTES("/a%2Fb%2fc"), 1, "/a%2Fb%2fc" },
    { BYTES("/a%2fb%41%"), 1, "/a%2fb%2541%25" },
    { BYTES("/a%2"), 1, "/a%252" },
    { BYTES("/a%25b"), 1, "/a%2525b" },
    { BYTES("/a%2G"), 1, "/a%252G" },
    { BYTES("/a%%2f"), 1, "/a%25%2f" },
};

START_TEST(encode_row)
{
    char *in = exact_copy(encodings[_i].path.p, encodings[_i].path.n);

    ck_assert_str_eq(rp_path_encode(pool, in, encodings[_i].path.n, encodings[_i].keep),
                     encodings[_i].want);
    free(in);
}
END_TEST

static const struct {
    const char *path, *want;
} normals[] = {
    { "", "" },
    { "/a/b", "/a/b" },
    { "/%61%2E%7e", "/a.~" },
    { "/a%2fb%2Fc", "/a%2Fb%2Fc" },         /* is no '/' */
    { "/a%3fb%3F%23", "/a%3Fb%3F%23" },     /* nor is this a query */
    { "/%2561", "/%2561" },                 /* one round only */
    { "/%", "/%25" },
    { "/%4", "/%254" },
    { "/%zz%4g", "/%25zz%254g" },
    { "/a b<\x80", "/a%20b%3C%80" },
    { "/%e4%00%0d", "/%E4%00%0D" },
    { "/%61?%61=%2f b", "/a?%61=%2f b" },
};

START_TEST(normal_row)
{
    const char *once = rp_path_normal(pool, normals[_i].path);

    ck_assert_str_eq(once, normals[_i].want);
    ck_assert_str_eq(rp_path_normal(pool, once), once);
}
END_TEST

START_TEST(encode_every_byte)
{
    char in[3] = { '/', (char)_i, '/' };
    char want[8];
    int plain = (_i >= '0' && _i <= '9') || (_i >= 'a' && _i <= 'z') || (_i >= 'A' && _i <= 'Z')
                || (_i && strchr("~$-_.+!*'(),;:@&=/", _i));

    snprintf(want, sizeof(want), plain ? "/%c/" : "/%%%02X/", (unsigned int)_i);
    ck_assert_str_eq(rp_path_encode(pool, in, 3, 0), want);
    ck_assert_str_eq(rp_path_encode(pool, in, 3, 1), want);
    ck_assert(rp_target_ok(want, strlen(want)));
}
END_TEST

START_TEST(target_ok_every_byte)
{
    char in[20];
    size_t at;

    for (at = 0; at < sizeof(in); at++) {
        memset(in, 'x', sizeof(in));
        in[at] = (char)_i;
        ck_assert_int_eq(rp_target_ok(in, sizeof(in)), _i > ' ' && _i != 127);
    }
    ck_assert_int_eq(rp_target_ok("", 0), 1);
}
END_TEST

static const struct {
    const char *uri;
    const char *rule;
    size_t want;
} matches[] = {
    { "/foo", "/foo", 4 },
    { "/foo/x", "/foo", 4 },
    { "//foo/x", "/foo", 5 },
    { "/foo//x", "/foo", 4 },
    { "/foobar", "/foo", 0 },
    { "/fo", "/foo", 0 },
    { "/Foo", "/foo", 0 },
    { "/foo;x", "/foo", 0 },
    { "/foo?x", "/foo", 0 },
    { "/foo/", "/foo/", 5 },
    { "/foo/x", "/foo/", 5 },
    { "/foo//x", "/foo/", 6 },
    { "/foo", "/foo/", 0 },
    { "/a/b/c", "/a/b", 4 },
    { "/a///b/c", "/a/b", 6 },
    { "/a/b/c", "/a//b", 4 },
    { "/ab/c", "/a/b", 0 },
    { "/a", "/a/b", 0 },
    { "/", "/", 1 },
    { "/x", "/", 1 },
    { "///x", "/", 3 },
    { "/x", "//", 1 },
    { "x", "/", 0 },
    { "", "/", 0 },
    { "*", "/", 0 },
    { "/x", "", 0 },
    { "", "", 0 },
    { "balancer://c/x", "balancer://c", 12 },
    { "/%3F/x", "/%3F", 4 },
    { "/%3f/x", "/%3F", 0 },
};

START_TEST(prefix_row)
{
    ck_assert_uint_eq(rp_prefix_match(matches[_i].uri, matches[_i].rule), matches[_i].want);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wire/url_path");
    TCase *tc = case_new(s, "url_path");

    tcase_add_loop_test(tc, encode_row, 0, ROWS(encodings));
    tcase_add_loop_test(tc, normal_row, 0, ROWS(normals));
    tcase_add_loop_test(tc, encode_every_byte, 0, 256);
    tcase_add_loop_test(tc, target_ok_every_byte, 0, 256);
    tcase_add_loop_test(tc, prefix_row, 0, ROWS(matches));
    return suite_main(s);
}
