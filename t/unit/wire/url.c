/* SPDX-License-Identifier: Apache-2.0 */
/* Backend URLs: taken apart, normal form, what is refused. */
#include "wire_unit.h"

#include <apr_strings.h>

#include "wire/url.h"

#define R10 "abcdefghij"
#define R50 R10 R10 R10 R10 R10
#define R95 R50 R10 R10 R10 R10 "abcde"
#define R255 R50 R50 R50 R50 R50 "abcde"

#define PLAIN 0
#define UDS 1 /* unix: is allowed */

/** Result: "scheme|host|port|flags|path|socket"; flags: 6 IPv6, g port given, d default port. Or
 * the error. */
static const struct {
    const char *in;
    int allow_uds;
    const char *want;
    const char *str; /* normal form; NULL when refused */
} rows[] = {
    { "http://h/", PLAIN, "http|h|80|d|/|", "http://h/" },
    { "http://h", PLAIN, "http|h|80|d||", "http://h" },
    { "HTTP://Www.Example.COM:80/A?B#C", PLAIN, "http|www.example.com|80|gd|/A?B#C|",
      "http://www.example.com/A?B#C" },
    { "https://h:443/x", PLAIN, "https|h|443|gd|/x|", "https://h/x" },
    { "https://h:80/x", PLAIN, "https|h|80|g|/x|", "https://h:80/x" },
    { "http://h:8080", PLAIN, "http|h|8080|g||", "http://h:8080" },
    { "http://h:1", PLAIN, "http|h|1|g||", "http://h:1" },
    { "http://h:65535", PLAIN, "http|h|65535|g||", "http://h:65535" },
    { "http://h:0080", PLAIN, "http|h|80|gd||", "http://h" },
    { "http://h:/x", PLAIN, "http|h|80|d|/x|", "http://h/x" },
    { "ws://h/x", PLAIN, "ws|h|80|d|/x|", "ws://h/x" },
    { "wss://h:443/", PLAIN, "wss|h|443|gd|/|", "wss://h/" },
    { "fcgi://h", PLAIN, "fcgi|h|8000|d||", "fcgi://h" },
    { "ajp://h:8009/a", PLAIN, "ajp|h|8009|gd|/a|", "ajp://h/a" },
    { "balancer://my_Cluster-1/", PLAIN, "balancer|my_cluster-1|0|d|/|",
      "balancer://my_cluster-1/" },
    { "balancer://c:81", PLAIN, "balancer|c|81|g||", "balancer://c:81" },
    { "h2+x.y-1://h", PLAIN, "h2+x.y-1|h|0|d||", "h2+x.y-1://h" },
    { "http://10.0.0.1:81//a//b", PLAIN, "http|10.0.0.1|81|g|//a//b|", "http://10.0.0.1:81//a//b" },
    { "http://h?x", PLAIN, "http|h|80|d|?x|", "http://h?x" },
    { "http://h#x/y", PLAIN, "http|h|80|d|#x/y|", "http://h#x/y" },
    { "http://h/a@b:c", PLAIN, "http|h|80|d|/a@b:c|", "http://h/a@b:c" },
    { "http://h/%0d\xff\"|", PLAIN, "http|h|80|d|/%0d\xff\"||", "http://h/%0d\xff\"|" },
    { "http://h.example./", PLAIN, "http|h.example.|80|d|/|", "http://h.example./" },
    { "http://" R255 "/", PLAIN, "http|" R255 "|80|d|/|", "http://" R255 "/" },
    /* userinfo is dropped */
    { "http://u:p@h:81/x", PLAIN, "http|h|81|g|/x|", "http://h:81/x" },
    { "http://@h/", PLAIN, "http|h|80|d|/|", "http://h/" },
    { "http://u:@[::1]/", PLAIN, "http|::1|80|6d|/|", "http://[::1]/" },
    /* IPv6 */
    { "http://[::1]", PLAIN, "http|::1|80|6d||", "http://[::1]" },
    { "http://[FE80::A:b]:81/x", PLAIN, "http|fe80::a:b|81|6g|/x|", "http://[fe80::a:b]:81/x" },
    { "http://[::ffff:192.0.2.1]:80/", PLAIN, "http|::ffff:192.0.2.1|80|6gd|/|",
      "http://[::ffff:192.0.2.1]/" },
    { "http://[fe80::1%25eth0]/", PLAIN, "host", NULL },
    { "http://[fe80::1%eth0]/", PLAIN, "host", NULL },
    { "http://[::1", PLAIN, "host", NULL },
    { "http://[::1/x]", PLAIN, "host", NULL },
    { "http://[]", PLAIN, "host", NULL },
    { "http://[h]", PLAIN, "host", NULL },
    { "http://[1.2.3.4]", PLAIN, "host", NULL },
    { "http://[v1.x]", PLAIN, "host", NULL },
    { "http://[::1]x", PLAIN, "host", NULL },
    { "http://[::1]81", PLAIN, "host", NULL },
    { "http://[::1]:x", PLAIN, "port", NULL },
    { "http://::1/", PLAIN, "nohost", NULL },
    { "http://fe80::1/", PLAIN, "port", NULL },
    /* ports */
    { "http://h:81x", PLAIN, "port", NULL }, /* ProxyPass / http://h:81 asked for /x */
    { "http://h:x", PLAIN, "port", NULL },
    { "http://h:0", PLAIN, "port", NULL },
    { "http://h:00", PLAIN, "port", NULL },
    { "http://h:65536", PLAIN, "port", NULL },
    { "http://h:99999999999999999999", PLAIN, "port", NULL },
    { "http://h:-1", PLAIN, "port", NULL },
    { "http://h:+80", PLAIN, "port", NULL },
    { "http://h:80:80", PLAIN, "port", NULL },
    /* hosts */
    { "http://", PLAIN, "nohost", NULL },
    { "http:///x", PLAIN, "nohost", NULL },
    { "http://:80/", PLAIN, "nohost", NULL },
    { "http://u@/x", PLAIN, "nohost", NULL },
    { "http://u@:80", PLAIN, "nohost", NULL },
    { "http://?x", PLAIN, "nohost", NULL },
    { "http:", PLAIN, "nohost", NULL },
    { "http:/x", PLAIN, "nohost", NULL },
    { "http:h", PLAIN, "nohost", NULL },
    { "http://a@b@h/", PLAIN, "host", NULL },
    { "http://h\\@evil/", PLAIN, "host", NULL },
    { "http://a\"b@h/", PLAIN, "host", NULL },
    { "http://a%40b:$&c@h/", PLAIN, "http|h|80|d|/|", "http://h/" },
    { "http://h%2e/", PLAIN, "host", NULL },
    { "http://h*/", PLAIN, "host", NULL },
    { "http://h$1/", PLAIN, "host", NULL },
    { "http://h,i/", PLAIN, "host", NULL },
    { "http://h\xc3\xa4/", PLAIN, "host", NULL },
    { "http://" R255 "k/", PLAIN, "host", NULL },
    /* schemes */
    { "", PLAIN, "noscheme", NULL },
    { "/x", PLAIN, "noscheme", NULL },
    { "h", PLAIN, "noscheme", NULL },
    { "://h", PLAIN, "noscheme", NULL },
    { "ht_tp://h", PLAIN, "noscheme", NULL },
    { "1http://h", PLAIN, "scheme", NULL },
    { "+http://h", PLAIN, "scheme", NULL },
    { "abcdefghijklmno://h", PLAIN, "abcdefghijklmno|h|0|d||", "abcdefghijklmno://h" },
    { "abcdefghijklmnop://h", PLAIN, "scheme", NULL },
    /* control characters and spaces */
    { "http://h/a b", PLAIN, "ctl", NULL },
    { "http://h/a\r\nb", PLAIN, "ctl", NULL },
    { "http://h/a\tb", PLAIN, "ctl", NULL },
    { "http://h/\x7f", PLAIN, "ctl", NULL },
    { "http://h /", PLAIN, "ctl", NULL },
    { " http://h/", PLAIN, "ctl", NULL },
    { "http://h/\n", PLAIN, "ctl", NULL },
    /* unix sockets */
    { "unix:/run/s|http://h:81/p", UDS, "http|h|81|g|/p|/run/s", "http://h:81/p" },
    { "UNIX:/Run/S|HTTP://H/P", UDS, "http|h|80|d|/P|/Run/S", "http://h/P" },
    { "unix:/s|http:", UDS, "http|localhost|80|d||/s", "http://localhost" },
    { "unix:/s|http://", UDS, "http|localhost|80|d||/s", "http://localhost" },
    { "unix:/s|http:///p", UDS, "http|localhost|80|d|/p|/s", "http://localhost/p" },
    { "unix:/s|http:/p", UDS, "http|localhost|80|d|/p|/s", "http://localhost/p" },
    { "unix:/s|http://?q", UDS, "http|localhost|80|d|?q|/s", "http://localhost?q" },
    { "unix:/s|fcgi://x", UDS, "fcgi|x|8000|d||/s", "fcgi://x" },
    { "unix:run/s|http://h", UDS, "http|h|80|d||run/s", "http://h" },
    { "unix:/a|http://h/b|c", UDS, "http|h|80|d|/b|c|/a", "http://h/b|c" },
    { "unix:" R95 "|http:", UDS, "http|localhost|80|d||" R95, "http://localhost" },
    { "unix:" R95 "f|http:", UDS, "uds", NULL },
    { "unix:|http:", UDS, "uds", NULL },
    { "unix:/s", UDS, "uds", NULL },
    { "unix:", UDS, "uds", NULL },
    { "unix:/s|", UDS, "noscheme", NULL },
    { "unix:/s|h", UDS, "noscheme", NULL },
    { "unix:/s|http:h", UDS, "nohost", NULL },
    { "unix:/s|http://:80", UDS, "nohost", NULL },
    { "unix:/s|http://u@", UDS, "nohost", NULL },
    { "unix:/s|unix:/t|http:", UDS, "scheme", NULL },
    { "unix:/a b|http:", UDS, "ctl", NULL },
    { "unix:/s|http://h", PLAIN, "scheme", NULL }, /* text from a client */
    { "UNIX:/s|http://h", PLAIN, "scheme", NULL },
    { "unix://h/x", PLAIN, "scheme", NULL },
    { "http://h/unix:/s|http://i/", UDS, "http|h|80|d|/unix:/s|http://i/|",
      "http://h/unix:/s|http://i/" },
};

static const char *const errors[] = { "ok",   "long", "noscheme", "scheme", "nohost",
                                      "host", "port", "uds",      "ctl" };

START_TEST(url_row)
{
    char *in = exact_copy(rows[_i].in, strlen(rows[_i].in) + 1);
    rp_url_t u;
    rp_url_err_e err;
    apr_status_t rv = rp_url_parse(pool, in, rows[_i].allow_uds, &u, &err);
    const char *got = errors[err];

    memset(in, '#', strlen(in)); /* the result is made of copies */
    free(in);
    if (rv == APR_SUCCESS) {
        ck_assert_int_eq(err, RP_URL_OK);
        got = apr_psprintf(pool, "%s|%s|%d|%s%s%s|%s|%s", u.scheme, u.host, u.port,
                           u.ipv6 ? "6" : "", u.port_given ? "g" : "", u.port_default ? "d" : "",
                           u.path, u.uds ? u.uds : "");
    }
    else {
        ck_assert_int_eq(rv, APR_EINVAL);
        ck_assert_int_ne(err, RP_URL_OK);
        ck_assert_ptr_null(u.host);
        ck_assert_ptr_null(u.uds);
    }
    ck_assert_msg(strcmp(got, rows[_i].want) == 0, "%s -> %s", rows[_i].in, got);
    ck_assert_int_eq(rv == APR_SUCCESS, rows[_i].str != NULL);
    if (rows[_i].str) {
        ck_assert_str_eq(rp_url_str(pool, &u), rows[_i].str);
    }
}
END_TEST

START_TEST(url_str_is_fixed_point)
{
    rp_url_t u;
    rp_url_err_e err;

    if (rows[_i].str) {
        ck_assert_int_eq(rp_url_parse(pool, rows[_i].str, PLAIN, &u, &err), APR_SUCCESS);
        ck_assert_str_eq(rp_url_str(pool, &u), rows[_i].str);
    }
}
END_TEST

START_TEST(limit_length)
{
    char *in = apr_palloc(pool, RP_URL_MAX + 2);
    rp_url_t u;
    rp_url_err_e err;

    memset(in, 'x', RP_URL_MAX + 1);
    memcpy(in, "http://h/", 9);
    in[RP_URL_MAX] = '\0';
    ck_assert_int_eq(rp_url_parse(pool, in, PLAIN, &u, &err), APR_SUCCESS);
    in[RP_URL_MAX] = 'x';
    in[RP_URL_MAX + 1] = '\0';
    ck_assert_int_eq(rp_url_parse(pool, in, PLAIN, &u, &err), APR_EINVAL);
    ck_assert_int_eq(err, RP_URL_TOO_LONG);
}
END_TEST

static const struct {
    const char *url;
    const char *authority;
} authorities[] = {
    { "http://H/x", "h" },
    { "http://h:80/x", "h" },
    { "http://h:8080/x", "h:8080" },
    { "https://h:443", "h" },
    { "https://h:80", "h:80" },
    { "http://[::1]/", "[::1]" },
    { "http://[::1]:81/", "[::1]:81" },
    { "balancer://c/", "c" },
};

START_TEST(authority_row)
{
    rp_url_t u;
    rp_url_err_e err;

    ck_assert_int_eq(rp_url_parse(pool, authorities[_i].url, PLAIN, &u, &err), APR_SUCCESS);
    ck_assert_str_eq(rp_url_authority(pool, &u), authorities[_i].authority);
}
END_TEST

START_TEST(default_ports)
{
    static const struct {
        const char *scheme;
        int port;
    } ports[] = {
        { "http", 80 },  { "https", 443 },  { "ws", 80 },      { "wss", 443 }, { "fcgi", 8000 },
        { "ajp", 8009 }, { "scgi", 4000 },  { "uwsgi", 3031 }, { "ftp", 21 },  { "h2c", 80 },
        { "h2", 443 },   { "balancer", 0 }, { "", 0 },         { "htt", 0 },   { "httpsx", 0 },
    };
    int i;

    for (i = 0; i < ROWS(ports); i++) {
        ck_assert_int_eq(rp_url_default_port(ports[i].scheme), ports[i].port);
    }
}
END_TEST

START_TEST(byte_in_host)
{
    char in[] = "http://a?b:81/";
    rp_url_t u;
    rp_url_err_e err;
    apr_status_t rv;
    int ok = (_i >= '0' && _i <= '9') || (_i >= 'a' && _i <= 'z') || (_i >= 'A' && _i <= 'Z')
             || (_i && strchr("-._~", _i));

    in[8] = (char)_i;
    rv = rp_url_parse(pool, in, PLAIN, &u, &err);
    if (_i && strchr("/?#", _i)) {
        ck_assert_str_eq(u.host, "a");
        ck_assert_str_eq(u.path, in + 8);
    }
    else if (_i == '@') {
        ck_assert_str_eq(u.host, "b");
    }
    else if (_i == 0) {
        ck_assert_str_eq(u.host, "a");
    }
    else {
        ck_assert_int_eq(rv == APR_SUCCESS, ok);
    }
}
END_TEST

START_TEST(err_str_is_whole_and_distinct)
{
    int i;
    int k;

    for (i = RP_URL_OK; i <= RP_URL_CTL; i++) {
        ck_assert_str_ne(rp_url_err_str((rp_url_err_e)i), rp_url_err_str((rp_url_err_e)99));
        for (k = RP_URL_OK; k < i; k++) {
            ck_assert_str_ne(rp_url_err_str((rp_url_err_e)i), rp_url_err_str((rp_url_err_e)k));
        }
    }
    /* the messages say the numbers of the limits */
    ck_assert_ptr_nonnull(strstr(rp_url_err_str(RP_URL_TOO_LONG), apr_itoa(pool, RP_URL_MAX)));
    ck_assert_ptr_nonnull(
        strstr(rp_url_err_str(RP_URL_BAD_SCHEME), apr_itoa(pool, RP_URL_SCHEME_MAX)));
    ck_assert_ptr_nonnull(strstr(rp_url_err_str(RP_URL_BAD_HOST), apr_itoa(pool, RP_URL_HOST_MAX)));
    ck_assert_ptr_nonnull(strstr(rp_url_err_str(RP_URL_BAD_UDS), apr_itoa(pool, RP_URL_UDS_MAX)));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wire/url");
    TCase *tc = case_new(s, "url");

    tcase_add_loop_test(tc, url_row, 0, ROWS(rows));
    tcase_add_loop_test(tc, url_str_is_fixed_point, 0, ROWS(rows));
    tcase_add_test(tc, limit_length);
    tcase_add_loop_test(tc, authority_row, 0, ROWS(authorities));
    tcase_add_test(tc, default_ports);
    tcase_add_loop_test(tc, byte_in_host, 0, 256);
    tcase_add_test(tc, err_str_is_whole_and_distinct);
    return suite_main(s);
}
