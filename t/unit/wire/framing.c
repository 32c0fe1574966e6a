/* SPDX-License-Identifier: Apache-2.0 */
/* Where a response body ends: every framing input has a row here. */
#include "wire_unit.h"

#include <apr_strings.h>

#include "wire/framing.h"

#define V11 "HTTP/1.1 200 OK\r\n"
#define V10 "HTTP/1.0 200 OK\r\n"
#define CL "Content-Length: "
#define TE "Transfer-Encoding: "
#define EOL "\r\n"

enum { GET = 0, HEAD = 1, UPGRADE = 2 };

/** Result: kind, length if any, "keep" when reusable; or the error. */
static const struct {
    const char *head; /* without the empty line */
    int request;
    const char *want;
} rows[] = {
    /* no framing header */
    { V11, GET, "close" },
    { V10, GET, "close" },
    { V11 "Connection: keep-alive\r\n", GET, "close" },
    { V10 "Connection: keep-alive\r\n", GET, "close" },
    { V11, HEAD, "none keep" },
    { V10, HEAD, "none" },
    { "HTTP/1.1 204 x\r\n", GET, "none keep" },
    { "HTTP/1.1 205 x\r\n", GET, "close" },
    { "HTTP/1.1 304 x\r\n", GET, "none keep" },
    { "HTTP/1.1 100 x\r\n", GET, "none keep" },
    { "HTTP/1.1 103 x\r\n", GET, "none keep" },
    { "HTTP/1.1 199 x\r\n", GET, "none keep" },
    { "HTTP/1.1 404 x\r\n", GET, "close" },
    { "HTTP/1.1 999 x\r\n", GET, "close" },
    { "HTTP/1.0 304 x\r\n", GET, "none" },
    /* one Content-Length */
    { V11 CL "0\r\n", GET, "length 0 keep" },
    { V11 CL "5\r\n", GET, "length 5 keep" },
    { V10 CL "5\r\n", GET, "length 5" },
    { V10 CL "5\r\nConnection: keep-alive\r\n", GET, "length 5" },
    { V11 "content-LENGTH: 5\r\n", GET, "length 5 keep" },
    { V11 CL "\t 5 \t\r\n", GET, "length 5 keep" },
    { V11 "Content-Length:5\r\n", GET, "length 5 keep" },
    { V11 CL "0005\r\n", GET, "length 5 keep" },
    { V11 CL "9223372036854775807\r\n", GET, "length 9223372036854775807 keep" },
    { V11 CL "9223372036854775808\r\n", GET, "content-length-invalid" },
    { V11 CL "18446744073709551617\r\n", GET, "content-length-invalid" },
    { V11 CL "99999999999999999999999999\r\n", GET, "content-length-invalid" },
    { V11 CL "\r\n", GET, "content-length-invalid" },
    { V11 CL "+5\r\n", GET, "content-length-invalid" },
    { V11 CL "-5\r\n", GET, "content-length-invalid" },
    { V11 CL "-0\r\n", GET, "content-length-invalid" },
    { V11 CL "0x5\r\n", GET, "content-length-invalid" },
    { V11 CL "5_0\r\n", GET, "content-length-invalid" },
    { V11 CL "_5\r\n", GET, "content-length-invalid" },
    { V11 CL "5 0\r\n", GET, "content-length-invalid" },
    { V11 CL "5.0\r\n", GET, "content-length-invalid" },
    { V11 CL "5;x\r\n", GET, "content-length-invalid" },
    { V11 CL "5e1\r\n", GET, "content-length-invalid" },
    { V11 CL "five\r\n", GET, "content-length-invalid" },
    { V11 CL "\"5\"\r\n", GET, "content-length-invalid" },
    { V11 CL "\xb2\r\n", GET, "content-length-invalid" },
    /* several: equal ones are one (RFC 9112 6.3 rule 5) */
    { V11 CL "5\r\n" CL "5\r\n", GET, "length 5 keep" },
    { V11 CL "5\r\nX: y\r\ncontent-length: 05\r\n", GET, "length 5 keep" },
    { V11 CL "5\r\n" CL "6\r\n", GET, "content-lengths-differ" },
    { V11 CL "5\r\n" CL "5\r\n" CL "6\r\n", GET, "content-lengths-differ" },
    { V11 CL "6\r\n" CL "5\r\n" CL "6\r\n", GET, "content-lengths-differ" },
    { V11 CL "5\r\n" CL "x\r\n", GET, "content-length-invalid" },
    { V11 CL "5\r\n" CL "6\r\n" CL "x\r\n", GET, "content-length-invalid" },
    { V11 CL "x\r\n" CL "5\r\n", GET, "content-length-invalid" },
    { V11 CL "5\r\n" CL "\r\n", GET, "content-length-invalid" },
    { V11 CL "5, 5\r\n", GET, "length 5 keep" },
    { V11 CL "5,5 ,\t5\r\n", GET, "length 5 keep" },
    { V11 CL "5, 6\r\n", GET, "content-lengths-differ" },
    { V11 CL "0, 5\r\n", GET, "content-lengths-differ" },
    { V11 CL "5,\r\n", GET, "content-length-invalid" },
    { V11 CL ",5\r\n", GET, "content-length-invalid" },
    { V11 CL "5,,5\r\n", GET, "content-length-invalid" },
    { V11 CL "5, x\r\n", GET, "content-length-invalid" },
    { V11 CL "5, 5\r\n" CL "5\r\n", GET, "length 5 keep" },
    { V11 CL "5, 5\r\n" CL "7\r\n", GET, "content-lengths-differ" },
    /* names that only look like it */
    { V11 "Content_Length: 5\r\n", GET, "close" },
    { V11 "Content-Length-: 5\r\n", GET, "close" },
    { V11 "X-Content-Length: 5\r\n", GET, "close" },
    { V11 "Transfer_Encoding: chunked\r\n", GET, "close" },
    /* Transfer-Encoding */
    { V11 TE "chunked\r\n", GET, "chunked keep" },
    { V11 TE "CHUNKED\r\n", GET, "chunked keep" },
    { V11 "transfer-encoding:chunked\r\n", GET, "chunked keep" },
    { V11 TE "\t chunked \t\r\n", GET, "chunked keep" },
    { V11 TE "chunked\r\nConnection: close\r\n", GET, "chunked" },
    { V11 TE "\r\n", GET, "transfer-encoding-unknown" },
    { V11 TE "chunked, chunked\r\n", GET, "transfer-encoding-unknown" },
    { V11 TE "chunked\r\n" TE "chunked\r\n", GET, "transfer-encoding-unknown" },
    { V11 TE "gzip, chunked\r\n", GET, "transfer-encoding-unknown" },
    { V11 TE "gzip\r\n" TE "chunked\r\n", GET, "transfer-encoding-unknown" },
    { V11 TE "chunked\r\n" TE "identity\r\n", GET, "transfer-encoding-unknown" },
    { V11 TE "chunked, identity\r\n", GET, "transfer-encoding-unknown" },
    { V11 TE "identity\r\n", GET, "transfer-encoding-unknown" },
    { V11 TE "gzip\r\n", GET, "transfer-encoding-unknown" },
    { V11 TE "xchunked\r\n", GET, "transfer-encoding-unknown" },
    { V11 TE "chunke\r\n", GET, "transfer-encoding-unknown" },
    { V11 TE "chunkedd\r\n", GET, "transfer-encoding-unknown" },
    { V11 TE "chunked;q=1\r\n", GET, "transfer-encoding-unknown" },
    { V11 TE "chunked,\r\n", GET, "transfer-encoding-unknown" },
    { V11 TE ", chunked\r\n", GET, "transfer-encoding-unknown" },
    { V11 TE "\"chunked\"\r\n", GET, "transfer-encoding-unknown" },
    { V11 TE "chun ked\r\n", GET, "transfer-encoding-unknown" },
    { V11 TE "\xa0"
             "chunked\r\n",
      GET, "transfer-encoding-unknown" },
    { V10 TE "chunked\r\n", GET, "transfer-encoding-in-http-1.0" },
    { V10 TE "identity\r\n", GET, "transfer-encoding-in-http-1.0" },
    { V10 TE "chunked\r\n" CL "5\r\n", GET, "transfer-encoding-in-http-1.0" },
    /* both */
    { V11 TE "chunked\r\n" CL "5\r\n", GET, "transfer-encoding-and-content-length" },
    { V11 CL "5\r\n" TE "chunked\r\n", GET, "transfer-encoding-and-content-length" },
    { V11 CL "0\r\n" TE "chunked\r\n", GET, "transfer-encoding-and-content-length" },
    { V11 CL "x\r\n" TE "chunked\r\n", GET, "transfer-encoding-and-content-length" },
    { V11 CL "5\r\n" TE "identity\r\n", GET, "transfer-encoding-and-content-length" },
    { V11 CL "5\r\n" TE "chunked\r\n", HEAD, "transfer-encoding-and-content-length" },
    { "HTTP/1.1 304 x\r\n" CL "5\r\n" TE "chunked\r\n", GET,
      "transfer-encoding-and-content-length" },
    /* responses without body */
    { V11 CL "5\r\n", HEAD, "none 5 keep" },
    { V11 TE "chunked\r\n", HEAD, "none keep" },
    { V11 TE "gzip\r\n", HEAD, "transfer-encoding-unknown" },
    { V11 CL "x\r\n", HEAD, "content-length-invalid" },
    { V11 CL "5\r\n" CL "6\r\n", HEAD, "content-lengths-differ" },
    { "HTTP/1.1 304 x\r\n" CL "5\r\n", GET, "none 5 keep" },
    { "HTTP/1.1 304 x\r\n" TE "chunked\r\n", GET, "none keep" },
    { "HTTP/1.1 304 x\r\n" CL "x\r\n", GET, "content-length-invalid" },
    { "HTTP/1.1 204 x\r\n" CL "0\r\n", GET, "none 0 keep" },
    { "HTTP/1.1 204 x\r\n" CL "5\r\n", GET, "none 5" },
    { "HTTP/1.1 204 x\r\n" CL "-1\r\n", GET, "content-length-invalid" },
    { "HTTP/1.1 204 x\r\n" TE "chunked\r\n", GET, "transfer-encoding-forbidden" },
    { "HTTP/1.1 204 x\r\n" TE "chunked\r\n" CL "5\r\n", GET, "transfer-encoding-forbidden" },
    { "HTTP/1.1 204 x\r\n" TE "chunked\r\n", HEAD, "transfer-encoding-forbidden" },
    { "HTTP/1.1 100 x\r\n" CL "0\r\n", GET, "none 0 keep" },
    { "HTTP/1.1 100 x\r\n" CL "5\r\n", GET, "none 5" },
    { "HTTP/1.1 100 x\r\n" TE "chunked\r\n", GET, "transfer-encoding-forbidden" },
    { "HTTP/1.1 103 x\r\n" TE "chunked\r\n", GET, "transfer-encoding-forbidden" },
    { "HTTP/1.1 103 x\r\n" CL "x\r\n", GET, "content-length-invalid" },
    /* 101 */
    { "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n", UPGRADE, "tunnel" },
    { "HTTP/1.1 101 x\r\n", UPGRADE, "tunnel" },
    { "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n", GET, "101-unasked" },
    { "HTTP/1.1 101 x\r\n" TE "chunked\r\n", UPGRADE, "transfer-encoding-forbidden" },
    { "HTTP/1.1 101 x\r\n" CL "x\r\n", UPGRADE, "content-length-invalid" },
    { "HTTP/1.1 101 x\r\n", HEAD, "101-unasked" },
    { V11 CL "5\r\n", UPGRADE, "length 5 keep" },
    /* Connection */
    { V11 CL "5\r\nConnection: close\r\n", GET, "length 5" },
    { V11 CL "5\r\nConnection: CLOSE\r\n", GET, "length 5" },
    { V11 CL "5\r\nConnection: x, close\r\n", GET, "length 5" },
    { V11 CL "5\r\nConnection: keep-alive, close\r\n", GET, "length 5" },
    { V11 CL "5\r\nConnection: keep-alive\r\nConnection: close\r\n", GET, "length 5" },
    { V11 CL "5\r\nConnection: closed\r\n", GET, "length 5 keep" },
    { V11 CL "5\r\nConnection: x y\r\n", GET, "length 5" },
    { V11 CL "5\r\nProxy-Connection: close\r\n", GET, "length 5 keep" },
    { V11 "Connection: close\r\n", HEAD, "none" },
};

/** Parse head and decide. */
static void decide(const char *head, int request, rp_framing_t *f)
{
    static const rp_h1_limits_t lim = { 8192, 65536, 100, RP_H1_BADLINE_ERROR };
    char *in = apr_pstrcat(pool, head, EOL, NULL);
    rp_h1_resp_t r;

    ck_assert_int_eq(rp_h1_resp_parse(&r, pool, &lim, in, strlen(in)), APR_SUCCESS);
    memset(f, 0xa5, sizeof(*f));
    rp_framing_decide(f, &r, request == HEAD, request == UPGRADE);
}

START_TEST(framing_row)
{
    static const char *const kinds[] = { "none", "length", "chunked", "close", "tunnel" };
    rp_framing_t f;
    const char *got;

    decide(rows[_i].head, rows[_i].request, &f);
    if (f.kind == RP_FRAMING_REJECT) {
        ck_assert_int_ne(f.err, RP_FRAMING_OK);
        ck_assert_int_eq(f.keepalive, 0);
        ck_assert_int_eq(f.length, -1);
        got = rp_framing_err_str(f.err);
    }
    else {
        ck_assert_int_eq(f.err, RP_FRAMING_OK);
        got = kinds[f.kind];
        if (f.length >= 0) {
            got = apr_psprintf(pool, "%s %" APR_INT64_T_FMT, got, f.length);
        }
        if (f.keepalive) {
            got = apr_pstrcat(pool, got, " keep", NULL);
        }
    }
    ck_assert_msg(strcmp(got, rows[_i].want) == 0, "%s-> %s, not %s", rows[_i].head, got,
                  rows[_i].want);
}
END_TEST

START_TEST(conntok_overflow_is_no_keepalive)
{
    char *head = apr_pstrcat(pool, V11 CL "5\r\nConnection: x", NULL);
    rp_framing_t f;
    int i;

    for (i = 0; i < 32; i++) {
        decide(apr_pstrcat(pool, head, EOL, NULL), GET, &f);
        ck_assert_int_eq(f.keepalive, 1);
        head = apr_pstrcat(pool, head, ",x", NULL);
    }
    decide(apr_pstrcat(pool, head, EOL, NULL), GET, &f);
    ck_assert_int_eq(f.keepalive, 0);
}
END_TEST

static const struct {
    const char *fields;
    apr_int32_t timeout_s;
} timeouts[] = {
    { "", -1 },
    { "Keep-Alive: timeout=5, max=100\r\n", 5 },
    { "Keep-Alive: max=100, Timeout=15\r\n", 15 },
    { "keep-alive: timeout=0\r\n", 0 },
    { "Keep-Alive: timeout=\r\n", -1 },
    { "Keep-Alive: timeout=-5\r\n", -1 },
    { "Keep-Alive: timeout=5s\r\n", -1 },
    { "Keep-Alive: timeout\r\n", -1 },
    { "Keep-Alive: xtimeout=5\r\n", -1 },
    { "Keep-Alive: 300\r\n", -1 },
    { "Keep-Alive: timeout=2147483647\r\n", 2147483647 },
    { "Keep-Alive: timeout=2147483648\r\n", 2147483647 },
    { "Keep-Alive: timeout=99999999999999999999\r\n", -1 },
    { "Keep-Alive: timeout=9, timeout=5, timeout=7\r\n", 5 },
    { "Keep-Alive: timeout=5\r\nKeep-Alive: timeout=3\r\n", 3 },
};

START_TEST(keepalive_timeout)
{
    rp_framing_t f;

    decide(apr_pstrcat(pool, V11 CL "5\r\n", timeouts[_i].fields, NULL), GET, &f);
    ck_assert_int_eq(f.keepalive_timeout_s, timeouts[_i].timeout_s);
}
END_TEST

static const struct {
    bytes_t in;
    apr_int64_t want;
} lengths[] = {
    { BYTES("0"), 0 },
    { BYTES("00000000000000000000000000000000"), 0 },
    { BYTES("1234567890"), 1234567890 },
    { BYTES("9223372036854775807"), APR_INT64_MAX },
    { BYTES("009223372036854775807"), APR_INT64_MAX },
    { BYTES("9223372036854775808"), -1 },
    { BYTES("9223372036854775810"), -1 },
    { BYTES("92233720368547758070"), -1 },
    { BYTES(""), -1 },
    { BYTES(" 5"), -1 },
    { BYTES("5 "), -1 },
    { BYTES("+5"), -1 },
    { BYTES("-5"), -1 },
    { BYTES("5,5"), -1 },
    { BYTES("0x10"), -1 },
    { BYTES("1_0"), -1 },
    { BYTES("5\0"), -1 },
    { BYTES("\xd9\xa5"), -1 }, /* a digit of another script */
};

START_TEST(content_length_parse)
{
    char *in = exact_copy(lengths[_i].in.p, lengths[_i].in.n);
    apr_int64_t v = 42;
    apr_status_t rv = rp_content_length_parse(in, lengths[_i].in.n, &v);

    ck_assert_int_eq(rv, lengths[_i].want < 0 ? APR_EINVAL : APR_SUCCESS);
    ck_assert_int_eq(v, lengths[_i].want);
    free(in);
}
END_TEST

START_TEST(content_length_parse_every_byte)
{
    int c;

    for (c = 0; c < 256; c++) {
        char in[3] = { '1', (char)c, '2' };
        apr_int64_t v;
        int digit = c >= '0' && c <= '9';

        ck_assert_int_eq(rp_content_length_parse(in, 3, &v), digit ? APR_SUCCESS : APR_EINVAL);
        ck_assert_int_eq(v, digit ? 102 + (c - '0') * 10 : -1);
    }
}
END_TEST

/** Rules that hold for every combination of version, status, method and framing fields. */
START_TEST(framing_invariants_over_all_combinations)
{
    static const char *const cls[] = { "", CL "0\r\n", CL "7\r\n", CL "x\r\n",
                                       CL "1\r\n" CL "2\r\n" };
    static const char *const tes[] = { "", TE "chunked\r\n", TE "gzip, chunked\r\n" };
    static const int statuses[] = { 100, 101, 103, 200, 204, 205, 206, 304, 401, 502 };
    int status = statuses[_i];
    int n;

    for (n = 0; n < 2 * 5 * 3 * 3; n++) {
        int minor = n % 2;
        int cl = n / 2 % 5;
        int te = n / 10 % 3;
        int request = n / 30;
        int bodiless = status < 200 || status == 204 || status == 304 || request == HEAD;
        rp_framing_t f;

        decide(apr_psprintf(pool, "HTTP/1.%d %d x\r\n%s%s", minor, status, cls[cl], tes[te]),
               request, &f);
        ck_assert_int_eq(f.kind == RP_FRAMING_REJECT, f.err != RP_FRAMING_OK);
        if ((te && cl) || te == 2 || cl > 2 || (te && minor == 0)
            || (te && (status < 200 || status == 204))) {
            ck_assert_int_eq(f.kind, RP_FRAMING_REJECT);
        }
        else if (status == 101) {
            ck_assert_int_eq(f.kind, request == UPGRADE ? RP_FRAMING_TUNNEL : RP_FRAMING_REJECT);
        }
        else if (bodiless) {
            ck_assert_int_eq(f.kind, RP_FRAMING_NONE);
        }
        else {
            ck_assert_int_eq(f.kind, te   ? RP_FRAMING_CHUNKED
                                     : cl ? RP_FRAMING_LENGTH
                                          : RP_FRAMING_CLOSE);
        }
        if (f.keepalive) {
            ck_assert_int_eq(minor, 1);
            ck_assert(f.kind == RP_FRAMING_NONE || f.kind == RP_FRAMING_LENGTH
                      || f.kind == RP_FRAMING_CHUNKED);
        }
    }
}
END_TEST

START_TEST(err_str_is_whole_and_distinct)
{
    int i;
    int k;

    for (i = RP_FRAMING_OK; i <= RP_FRAMING_101_UNASKED; i++) {
        ck_assert_str_ne(rp_framing_err_str((rp_framing_err_e)i), "unknown");
        for (k = RP_FRAMING_OK; k < i; k++) {
            ck_assert_str_ne(rp_framing_err_str((rp_framing_err_e)i),
                             rp_framing_err_str((rp_framing_err_e)k));
        }
    }
    ck_assert_str_eq(rp_framing_err_str((rp_framing_err_e)99), "unknown");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wire/framing");
    TCase *tc = case_new(s, "framing");

    tcase_add_loop_test(tc, framing_row, 0, ROWS(rows));
    tcase_add_test(tc, conntok_overflow_is_no_keepalive);
    tcase_add_loop_test(tc, keepalive_timeout, 0, ROWS(timeouts));
    tcase_add_loop_test(tc, content_length_parse, 0, ROWS(lengths));
    tcase_add_test(tc, content_length_parse_every_byte);
    tcase_add_loop_test(tc, framing_invariants_over_all_combinations, 0, 10);
    tcase_add_test(tc, err_str_is_whole_and_distinct);
    return suite_main(s);
}
