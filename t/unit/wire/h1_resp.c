/* SPDX-License-Identifier: Apache-2.0 */
/* The response head: each row is read in one gulp, byte by byte and cut in two at every position.
 */
#include "wire_unit.h"

#include <stdio.h>

#include <apr_strings.h>

#include "wire/h1_resp.h"
#include "wire/headers.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define E RP_H1_BADLINE_ERROR
#define I RP_H1_BADLINE_IGNORE
#define S RP_H1_BADLINE_STARTBODY
#define MORE "(more)" /* the scan wants more bytes */

static const rp_h1_limits_t wide = { 8192, 65536, 100, RP_H1_BADLINE_ERROR };

/** A row's result as text: "minor status [reason] name=[value] ..." +bytes behind the head; or
 * "error@position". */
static const struct {
    const char *name;
    bytes_t in;
    rp_h1_badline_e badline;
    const char *want;
} heads[] = {
    /* status line */
    { "plain", BYTES("HTTP/1.1 200 OK\r\n\r\n"), E, "1 200 [OK]" },
    { "http 1.0", BYTES("HTTP/1.0 404 Not Found\r\n\r\n"), E, "0 404 [Not Found]" },
    { "higher minor is 1", BYTES("HTTP/1.9 200 OK\r\n\r\n"), E, "1 200 [OK]" },
    { "no reason, blank", BYTES("HTTP/1.1 200 \r\n\r\n"), E, "1 200 []" },
    { "no reason, no blank", BYTES("HTTP/1.1 200\r\n\r\n"), E, "1 200 []" },
    { "no reason, bare LF", BYTES("HTTP/1.1 200\n\n"), E, "1 200 []" },
    { "reason with tab and obs-text", BYTES("HTTP/1.1 200 a\tb \xe4\r\n\r\n"), E,
      "1 200 [a\tb \xe4]" },
    { "status 100", BYTES("HTTP/1.1 100 Continue\r\n\r\n"), E, "1 100 [Continue]" },
    { "status 999", BYTES("HTTP/1.1 999 x\r\n\r\n"), E, "1 999 [x]" },
    { "status 099", BYTES("HTTP/1.1 099 x\r\n\r\n"), E, "bad-status@9" },
    { "status 000", BYTES("HTTP/1.1 000\r\n\r\n"), E, "bad-status@9" },
    { "status two digits", BYTES("HTTP/1.1 20 OK\r\n\r\n"), E, "bad-status@9" },
    { "status four digits", BYTES("HTTP/1.1 2000 OK\r\n\r\n"), E, "bad-status@9" },
    { "status hex", BYTES("HTTP/1.1 2a0 OK\r\n\r\n"), E, "bad-status@9" },
    { "status plus", BYTES("HTTP/1.1 +20 OK\r\n\r\n"), E, "bad-status@9" },
    { "status minus", BYTES("HTTP/1.1 -20 OK\r\n\r\n"), E, "bad-status@9" },
    { "status third digit", BYTES("HTTP/1.1 20x OK\r\n\r\n"), E, "bad-status@9" },
    { "status none", BYTES("HTTP/1.1 \r\n\r\n"), E, "bad-status@9" },
    { "status cut short", BYTES("HTTP/1.1 20\r\n\r\n"), E, "bad-status@9" },
    { "status two blanks", BYTES("HTTP/1.1  200 OK\r\n\r\n"), E, "bad-status@9" },
    { "status tab behind", BYTES("HTTP/1.1 200\tOK\r\n\r\n"), E, "bad-status@9" },
    { "tab before status", BYTES("HTTP/1.1\t200 OK\r\n\r\n"), E, "not-http@0" },
    { "two-digit minor", BYTES("HTTP/1.10 200 OK\r\n\r\n"), E, "not-http@0" },
    { "no minor", BYTES("HTTP/1. 200 OK\r\n\r\n"), E, "not-http@0" },
    { "letter for minor", BYTES("HTTP/1.x 200 OK\r\n\r\n"), E, "not-http@0" },
    { "version alone", BYTES("HTTP/1.1\r\n\r\n"), E, "not-http@0" },
    { "nothing behind the version", BYTES("HTTP/1.1\n\n"), E, "not-http@0" },
    { "NUL in reason", BYTES("HTTP/1.1 200 a\0b\r\n\r\n"), E, "nul@14" },
    { "bare CR in reason", BYTES("HTTP/1.1 200 a\rb\r\n\r\n"), E, "bare-cr@14" },
    { "CR CR LF", BYTES("HTTP/1.1 200 a\r\r\n\r\n"), E, "bare-cr@14" },
    { "control in reason", BYTES("HTTP/1.1 200 a\x1b[1m\r\n\r\n"), E, "control-character@14" },
    { "DEL in reason", BYTES("HTTP/1.1 200 \x7f\r\n\r\n"), E, "control-character@13" },
    { "NUL in status",
      BYTES("HTTP/1.1 2\0"
            "0 OK\r\n\r\n"),
      E, "nul@10" },
    /* what is no HTTP/1 at all is refused by the scan, at its first wrong byte */
    { "http 2.0", BYTES("HTTP/2.0 200 OK\r\n\r\n"), E, "not-http" },
    { "http 0.9", BYTES("<html>"), E, "not-http" },
    { "lower case", BYTES("http/1.1 200 OK\r\n\r\n"), E, "not-http" },
    { "one wrong byte", BYTES("HTTX"), E, "not-http" },
    { "blank in front", BYTES(" HTTP/1.1 200 OK\r\n\r\n"), E, "not-http" },
    { "NUL in front", BYTES("\0HTTP/1.1 200 OK\r\n\r\n"), E, "not-http" },
    { "http2 settings frame", BYTES("\0\0\x12\x04\0\0\0\0\0"), E, "not-http" },
    { "TLS alert", BYTES("\x15\x03\x01\0\x02\x02\x46"), E, "not-http" },
    { "bare CR in front", BYTES("\rHTTP/1.1 200 OK\r\n\r\n"), E, "not-http" },
    /* one empty line before the status line */
    { "empty line first", BYTES("\r\n" OK "\r\n"), E, "1 200 [OK]" },
    { "empty line first, bare LF", BYTES("\n" OK "A: b\r\n\r\n"), E, "1 200 [OK] A=[b]" },
    { "two empty lines", BYTES("\r\n\r\n" OK "\r\n"), E, "not-http" },
    { "two empty lines, bare LF", BYTES("\n\n" OK "\r\n"), E, "not-http" },
    { "empty line, then garbage", BYTES("\r\nHTTP/2.0"), E, "not-http" },
    /* unfinished */
    { "nothing", BYTES(""), E, MORE },
    { "CR only", BYTES("\r"), E, MORE },
    { "empty line only", BYTES("\r\n"), E, MORE },
    { "half a version", BYTES("HTTP/"), E, MORE },
    { "status line", BYTES(OK), E, MORE },
    { "half a field", BYTES(OK "Content-Le"), E, MORE },
    { "half an empty line", BYTES(OK "A: b\r\n\r"), E, MORE },
    /* line ends (RFC 9112 2.2: a bare LF may end a line) */
    { "bare LF", BYTES("HTTP/1.1 200 OK\nA: b\nC: d\n\n"), E, "1 200 [OK] A=[b] C=[d]" },
    { "mixed", BYTES("HTTP/1.1 200 OK\nA: b\r\nC: d\n\r\n"), E, "1 200 [OK] A=[b] C=[d]" },
    { "mixed end", BYTES(OK "A: b\r\n\n"), E, "1 200 [OK] A=[b]" },
    { "behind the head", BYTES(OK "A: b\r\n\r\nbody\r\n\r\n"), E, "1 200 [OK] A=[b] +8" },
    { "LF LF, then CR LF", BYTES("HTTP/1.1 200 OK\n\n\r\n"), E, "1 200 [OK] +2" },
    /* values */
    { "OWS trimmed", BYTES(OK "A: \t b c\t \r\n\r\n"), E, "1 200 [OK] A=[b c]" },
    { "no OWS", BYTES(OK "A:b\r\n\r\n"), E, "1 200 [OK] A=[b]" },
    { "empty value", BYTES(OK "A:\r\nB: \t\r\nC:\n\r\n"), E, "1 200 [OK] A=[] B=[] C=[]" },
    { "colons in value", BYTES(OK "A: b:c: d\r\n\r\n"), E, "1 200 [OK] A=[b:c: d]" },
    { "obs-text", BYTES(OK "A: \xc3\xa4\xff\r\n\r\n"), E, "1 200 [OK] A=[\xc3\xa4\xff]" },
    { "tab inside", BYTES(OK "A: b\tc\r\n\r\n"), E, "1 200 [OK] A=[b\tc]" },
    { "duplicates stay", BYTES(OK "A: 1\r\na: 2\r\nA: 1\r\n\r\n"), E,
      "1 200 [OK] A=[1] a=[2] A=[1]" },
    { "NUL in value", BYTES(OK "A: b\0c\r\n\r\n"), E, "nul@21" },
    { "NUL ends value", BYTES(OK "A: b\0\r\n\r\n"), E, "nul@21" },
    { "bare CR in value", BYTES(OK "A: b\rc\r\n\r\n"), E, "bare-cr@21" },
    { "bare CR smuggles a field", BYTES(OK "A: b\rContent-Length: 5\r\n\r\n"), E, "bare-cr@21" },
    { "CR CR LF behind value", BYTES(OK "A: b\r\r\n\r\n"), E, "bare-cr@21" },
    { "CR CR LF for the end", BYTES(OK "A: b\r\n\r\r\n\r\n"), E, "bare-cr@23" },
    { "VT in value", BYTES(OK "A: b\vc\r\n\r\n"), E, "control-character@21" },
    { "FF before value", BYTES(OK "A:\f5\r\n\r\n"), E, "control-character@19" },
    { "DEL in value", BYTES(OK "A: b\x7f\r\n\r\n"), E, "control-character@21" },
    /* names */
    { "all of tchar", BYTES(OK "!#$%&'*+-.^_`|~09azAZ: x\r\n\r\n"), E,
      "1 200 [OK] !#$%&'*+-.^_`|~09azAZ=[x]" },
    { "no name", BYTES(OK ": x\r\n\r\n"), E, "bad-name@17" },
    { "blank before colon", BYTES(OK "Content-Length : 5\r\n\r\n"), E, "space-before-colon@31" },
    { "tab before colon", BYTES(OK "Content-Length\t: 5\r\n\r\n"), E, "space-before-colon@31" },
    { "blanks before colon", BYTES(OK "A \t : 5\r\n\r\n"), E, "space-before-colon@18" },
    { "blank in name", BYTES(OK "A B: 5\r\n\r\n"), E, "bad-name@18" },
    { "control in name", BYTES(OK "A\x01: 5\r\n\r\n"), E, "bad-name@18" },
    { "obs-text in name", BYTES(OK "A\xe4: 5\r\n\r\n"), E, "bad-name@18" },
    { "quote in name", BYTES(OK "\"A\": 5\r\n\r\n"), E, "bad-name@17" },
    { "brackets in name", BYTES(OK "A[]: 5\r\n\r\n"), E, "bad-name@18" },
    { "NUL in name", BYTES(OK "A\0: 5\r\n\r\n"), E, "nul@18" },
    { "bare CR in name", BYTES(OK "A\rB: 5\r\n\r\n"), E, "bare-cr@18" },
    { "bare CR before name", BYTES(OK "\rA: 5\r\n\r\n"), E, "bare-cr@17" },
    /* lines that start with white space (RFC 9112 2.2 and 5.2) */
    { "obs-fold", BYTES(OK "A: b\r\n c\r\n\r\n"), E, "obs-fold@23" },
    { "obs-fold tab", BYTES(OK "A: b\r\n\tc: d\r\n\r\n"), E, "obs-fold@23" },
    { "first field with blank", BYTES(OK " A: b\r\n\r\n"), E, "obs-fold@17" },
    { "first field with tab", BYTES(OK "\tContent-Length: 5\r\n\r\n"), E, "obs-fold@17" },
    { "blank line that is not empty", BYTES(OK "A: b\r\n \r\n\r\n"), E, "obs-fold@23" },
    { "obs-fold with Ignore", BYTES(OK "A: b\r\n c\r\n\r\n"), I, "obs-fold@23" },
    { "obs-fold with StartBody", BYTES(OK "A: b\r\n c\r\n\r\n"), S, "obs-fold@23" },
    /* lines without colon: ProxyBadHeader */
    { "no colon", BYTES(OK "A: b\r\nfoo\r\nC: d\r\n\r\n"), E, "no-colon@23" },
    { "no colon, blanks", BYTES(OK "foo bar\r\n\r\n"), E, "no-colon@17" },
    { "no colon, Ignore", BYTES(OK "A: b\r\nfoo\r\nC: d\r\n\r\n"), I, "1 200 [OK] A=[b] C=[d]" },
    { "no colon, blanks, Ignore", BYTES(OK "foo bar \n\r\n"), I, "1 200 [OK]" },
    { "NUL in ignored line", BYTES(OK "foo\0bar\r\n\r\n"), I, "nul@20" },
    { "bare CR in ignored line", BYTES(OK "foo\rbar\r\n\r\n"), I, "bare-cr@20" },
    { "control in ignored line", BYTES(OK "foo\x02\r\n\r\n"), I, "control-character@20" },
    { "Ignore is for no colon only", BYTES(OK "A B: c\r\n\r\n"), I, "bad-name@18" },
    { "Ignore and blank before colon", BYTES(OK "A : c\r\n\r\n"), I, "space-before-colon@18" },
    { "StartBody", BYTES(OK "A: b\r\n<html>\r\n"), S, "1 200 [OK] A=[b] +8" },
    { "StartBody at once", BYTES(OK "<html>\n<p>"), S, "1 200 [OK] +10" },
    { "StartBody needs the line's end", BYTES(OK "<html>"), S, MORE },
    { "StartBody with NUL", BYTES(OK "A: b\r\nGIF\0\n"), S, "1 200 [OK] A=[b] +5" },
    { "StartBody not needed", BYTES(OK "A: b\r\n\r\n<html>"), S, "1 200 [OK] A=[b] +6" },
    { "StartBody, not in the status line", BYTES("HTTP/1.1 200\r\nA: b\r\n\r\n"), S,
      "1 200 [] A=[b]" },
    { "StartBody, line with colon", BYTES(OK "<a href=http://x>\r\n\r\n"), S, "bad-name@17" },
    /* a second status line is dropped */
    { "status twice", BYTES(OK "HTTP/1.1 200 OK\r\nA: b\r\n\r\n"), E, "1 200 [OK] A=[b]" },
    { "status twice, bare LF", BYTES(OK "HTTP/1.0 302\nA: b\r\n\r\n"), E, "1 200 [OK] A=[b]" },
    { "status twice, StartBody", BYTES(OK "HTTP/1.1 200\r\nA: b\r\n\r\n"), S, "1 200 [OK] A=[b]" },
    { "nearly a status line", BYTES(OK "HTTP/1.1 2000\r\n\r\n"), E, "no-colon@17" },
    { "nearly a status line 2", BYTES(OK "HTTP/11 200\r\n\r\n"), E, "no-colon@17" },
    { "nearly a status line 3", BYTES(OK "HTTP/1.1 20\r\n\r\n"), E, "no-colon@17" },
    { "NUL in second status line", BYTES(OK "HTTP/1.1 200 \0\r\n\r\n"), E, "nul@30" },
};

static char *result_text(const rp_h1_resp_t *r, apr_size_t extra)
{
    char *text = apr_psprintf(pool, "%d %d [%s]", r->minor, r->status, r->reason);
    int i;

    for (i = 0; i < r->nfields; i++) {
        ck_assert_uint_eq(strlen(r->fields[i].name), r->fields[i].name_len);
        ck_assert_uint_eq(strlen(r->fields[i].value), r->fields[i].value_len);
        ck_assert_int_eq(r->fields[i].id, rp_hdr_id(r->fields[i].name, r->fields[i].name_len));
        text = apr_psprintf(pool, "%s %s=[%s]", text, r->fields[i].name, r->fields[i].value);
    }
    return extra ? apr_psprintf(pool, "%s +%d", text, (int)extra) : text;
}

/** Scan in[0..n) handed over in pieces that end at cut1, cut2 and n (step 0), or of step bytes;
 * then parse. */
static char *read_head(const rp_h1_limits_t *lim, const char *in, size_t n, size_t step, size_t cut)
{
    rp_h1_scan_t s;
    rp_h1_resp_t r;
    apr_size_t head_len = 0;
    apr_status_t rv = APR_EAGAIN;
    size_t have = 0;
    char *buf;
    char *text;

    memset(&s, 0, sizeof(s));
    do {
        char *part;

        have = step ? (have + step < n ? have + step : n) : (have < cut ? cut : n);
        part = exact_copy(in, have);
        rv = rp_h1_scan(&s, lim, part, have, &head_len);
        free(part);
    } while (rv == APR_EAGAIN && have < n);
    if (rv == APR_EAGAIN) {
        ck_assert_int_eq(s.err, RP_H1_OK);
        return apr_pstrdup(pool, MORE);
    }
    if (rv == APR_EINVAL) {
        ck_assert_int_ne(s.err, RP_H1_OK);
        ck_assert_int_eq(rp_h1_scan(&s, lim, in, n, &head_len), APR_EINVAL); /* for good */
        return apr_pstrdup(pool, rp_h1_err_str(s.err));
    }
    ck_assert_int_eq(rv, APR_SUCCESS);
    ck_assert_uint_le(head_len, have);
    buf = exact_copy(in, head_len);
    rv = rp_h1_resp_parse(&r, pool, lim, buf, head_len);
    if (rv == APR_SUCCESS) {
        ck_assert_int_eq(r.err, RP_H1_OK);
        text = result_text(&r, n - head_len);
    }
    else {
        ck_assert_int_eq(rv, APR_EINVAL);
        ck_assert_uint_lt(r.err_pos, head_len);
        text = apr_psprintf(pool, "%s@%d", rp_h1_err_str(r.err), (int)r.err_pos);
    }
    free(buf);
    return text;
}

/** The same however the bytes arrive. */
static void expect_any_split(const rp_h1_limits_t *lim, const char *in, size_t n, const char *want)
{
    size_t cut;

    ck_assert_str_eq(read_head(lim, in, n, 0, n), want);
    ck_assert_str_eq(read_head(lim, in, n, 1, 0), want);
    ck_assert_str_eq(read_head(lim, in, n, 3, 0), want);
    for (cut = 1; cut < n; cut++) {
        ck_assert_str_eq(read_head(lim, in, n, 0, cut), want);
    }
}

START_TEST(head_row_any_split)
{
    rp_h1_limits_t lim = wide;

    lim.badline = heads[_i].badline;
    expect_any_split(&lim, heads[_i].in.p, heads[_i].in.n, heads[_i].want);
}
END_TEST

START_TEST(status_code_all_numbers)
{
    int code;

    for (code = 0; code < 1000; code++) {
        char *in = apr_psprintf(pool, "HTTP/1.1 %03d x\r\n\r\n", code);
        const char *want = code < 100 ? "bad-status@9" : apr_psprintf(pool, "1 %d [x]", code);

        ck_assert_str_eq(read_head(&wide, in, strlen(in), 0, strlen(in)), want);
    }
}
END_TEST

/** What a byte does in a value or in the reason phrase. */
static const char *text_error(int c)
{
    switch (c) {
    case 0: return "nul";
    case '\r': return "bare-cr";
    default: return (c < 32 && c != '\t' && c != '\n') || c == 127 ? "control-character" : NULL;
    }
}

START_TEST(byte_in_value_and_reason)
{
    char *in = apr_pstrdup(pool, "HTTP/1.1 200 a?b\r\nX: c?d\r\n\r\n");
    const char *err = text_error(_i);
    const char *pos[] = { "@14", "@22" };
    const size_t at[] = { 14, 22 };
    int k;

    for (k = 0; k < 2; k++) {
        char *got;

        in[14] = in[22] = '.';
        in[at[k]] = (char)_i;
        if (_i == '\n') {
            continue; /* ends the line */
        }
        got = read_head(&wide, in, 28, 0, 28);
        if (err) {
            ck_assert_str_eq(got, apr_pstrcat(pool, err, pos[k], NULL));
        }
        else {
            ck_assert_int_eq(strncmp(got, "1 200 ", 6), 0);
        }
    }
}
END_TEST

START_TEST(byte_in_name)
{
    char in[] = OK "X?Y: z\r\n\r\n";
    size_t n = sizeof(in) - 1;
    char *got;

    in[18] = (char)_i;
    got = read_head(&wide, in, n, 0, n);
    if (rp_hdr_name_ok(in + 17, 3)) {
        ck_assert_str_eq(got, apr_psprintf(pool, "1 200 [OK] %.3s=[z]", in + 17));
    }
    else if (_i == ':') {
        ck_assert_str_eq(got, "1 200 [OK] X=[Y: z]");
    }
    else if (_i == '\n') {
        ck_assert_str_eq(got, "no-colon@17");
    }
    else {
        const char *err = _i == 0 ? "nul" : _i == '\r' ? "bare-cr" : "bad-name";

        ck_assert_str_eq(got, apr_pstrcat(pool, err, "@18", NULL));
    }
}
END_TEST

/** OK, then a field line of n bytes (without line end), then the line end, then the empty line. */
static char *with_line(size_t n, const char *eol, size_t *len)
{
    char *line = apr_palloc(pool, n + 1);
    char *in;

    memset(line, 'a', n);
    line[1] = ':';
    line[n] = '\0';
    in = apr_pstrcat(pool, OK, line, eol, "\r\n", NULL);
    *len = strlen(in);
    return in;
}

START_TEST(limit_line_exact)
{
    static const rp_h1_limits_t lim = { 64, 65536, 100, RP_H1_BADLINE_ERROR };
    const char *eol[] = { "\r\n", "\n" };
    int i;

    for (i = 0; i < 2; i++) {
        size_t n;
        char *in = with_line(63, eol[i], &n);

        ck_assert_str_ne(read_head(&lim, in, n, 0, n), "line-too-long");
        expect_any_split(&lim, in, n, read_head(&lim, in, n, 0, n));
        in = with_line(64, eol[i], &n);
        expect_any_split(&lim, in, n, "line-too-long");
        in = with_line(65, eol[i], &n);
        expect_any_split(&lim, in, n, "line-too-long");
    }
}
END_TEST

START_TEST(limit_line_without_end)
{
    static const rp_h1_limits_t lim = { 64, 65536, 100, RP_H1_BADLINE_ERROR };
    size_t n;
    char *in = with_line(64, "", &n);

    ck_assert_str_eq(read_head(&lim, in, sizeof(OK) - 1 + 63, 1, 0), MORE);
    ck_assert_str_eq(read_head(&lim, in, sizeof(OK) - 1 + 64, 1, 0), "line-too-long");
    in[sizeof(OK) - 1 + 63] = '\r'; /* may be the line's end */
    ck_assert_str_eq(read_head(&lim, in, sizeof(OK) - 1 + 64, 1, 0), MORE);
}
END_TEST

START_TEST(limit_status_line)
{
    static const rp_h1_limits_t lim = { 64, 65536, 100, RP_H1_BADLINE_ERROR };
    char in[128];

    memset(in, 'x', sizeof(in));
    memcpy(in, "HTTP/1.1 200 ", 13);
    memcpy(in + 64, "\r\n\r\n", 4);
    expect_any_split(&lim, in, 68, "line-too-long");
    memcpy(in + 63, "\r\n\r\n", 4);
    ck_assert_int_eq(read_head(&lim, in, 67, 0, 67)[0], '1');
}
END_TEST

START_TEST(limit_head_exact)
{
    rp_h1_limits_t lim = { 8192, 0, 100, RP_H1_BADLINE_ERROR };
    const char *in = "\r\n" OK "A: b\r\nC: d\r\n\r\n";
    size_t n = strlen(in);

    for (lim.max_head = 1; lim.max_head < n; lim.max_head++) {
        expect_any_split(&lim, in, n, "head-too-large");
    }
    expect_any_split(&lim, in, n, "1 200 [OK] A=[b] C=[d]");
}
END_TEST

START_TEST(limit_head_ignores_what_is_behind)
{
    static const rp_h1_limits_t lim = { 8192, 19, 100, RP_H1_BADLINE_ERROR };

    expect_any_split(&lim, OK "\r\nmuch more", 28, "1 200 [OK] +9");
}
END_TEST

START_TEST(limit_line_and_head_first_one_wins)
{
    rp_h1_limits_t lim = { 64, 0, 100, RP_H1_BADLINE_ERROR };
    size_t n;
    char *in = with_line(70, "\r\n", &n);

    for (lim.max_head = 1; lim.max_head < 200; lim.max_head++) {
        expect_any_split(&lim, in, n, lim.max_head < 17 + 63 ? "head-too-large" : "line-too-long");
    }
}
END_TEST

START_TEST(limit_fields_exact)
{
    rp_h1_limits_t lim = wide;
    const char *in = OK "A: 1\r\nB: 2\r\nC: 3\r\n\r\n";
    size_t n = strlen(in);

    for (lim.max_fields = 0; lim.max_fields < 3; lim.max_fields++) {
        expect_any_split(&lim, in, n, "too-many-fields");
    }
    expect_any_split(&lim, in, n, "1 200 [OK] A=[1] B=[2] C=[3]");
    lim.max_fields = 0;
    expect_any_split(&lim, OK "\r\n", sizeof(OK) + 1, "1 200 [OK]");
}
END_TEST

START_TEST(limit_fields_of_parser)
{
    rp_h1_limits_t lim = wide;
    char in[] = OK "A: 1\r\nB: 2\r\n\r\n";
    rp_h1_resp_t r;

    lim.max_fields = 1;
    ck_assert_int_eq(rp_h1_resp_parse(&r, pool, &lim, in, sizeof(in) - 1), APR_EINVAL);
    ck_assert_int_eq(r.err, RP_H1_TOO_MANY_FIELDS);
    ck_assert_uint_eq(r.err_pos, 23);
}
END_TEST

START_TEST(many_fields_grow)
{
    rp_h1_limits_t lim = { 8192, 1 << 20, 1000, RP_H1_BADLINE_ERROR };
    rp_h1_resp_t r;
    char *in = apr_palloc(pool, 32 * 1002);
    size_t n = (size_t)snprintf(in, 32, OK);
    int i;

    for (i = 0; i < 1000; i++) {
        n += (size_t)snprintf(in + n, 32, "X-%d: v%d\r\n", i, i * 7);
    }
    n += (size_t)snprintf(in + n, 8, "\r\n");
    ck_assert_int_eq(rp_h1_resp_parse(&r, pool, &lim, in, n), APR_SUCCESS);
    ck_assert_int_eq(r.nfields, 1000);
    for (i = 0; i < 1000; i++) {
        ck_assert_str_eq(r.fields[i].name, apr_psprintf(pool, "X-%d", i));
        ck_assert_str_eq(r.fields[i].value, apr_psprintf(pool, "v%d", i * 7));
    }
}
END_TEST

START_TEST(startbody_long_line_is_body)
{
    rp_h1_limits_t lim = { 64, 65536, 100, RP_H1_BADLINE_STARTBODY };
    size_t n;
    char *in = with_line(100, "\r\n", &n);

    expect_any_split(&lim, in, n, "line-too-long"); /* has its colon */
    in[sizeof(OK) - 1 + 1] = 'a';
    in[sizeof(OK) - 1 + 64] = ':'; /* too late to be a field's */
    expect_any_split(&lim, in, n, "1 200 [OK] +104");
    in[sizeof(OK) - 1 + 63] = ':';
    expect_any_split(&lim, in, n, "line-too-long");
    lim.badline = RP_H1_BADLINE_IGNORE;
    in[sizeof(OK) - 1 + 63] = 'a';
    expect_any_split(&lim, in, n, "line-too-long");
}
END_TEST

static const struct {
    const char *in;
    rp_h1_badline_e badline;
    int head_len; /* -1: refused */
} eofs[] = {
    { "", S, -1 },
    { "HTTP/1.1 200 OK", S, -1 },
    { OK, S, -1 },
    { OK "A: b\r\n", S, -1 },
    { OK "A: b\r\nC: d", S, -1 },
    { OK "A: b\r\n c", S, -1 },
    { OK "A: b\r\nHTTP/1.1 200", S, -1 },
    { OK "A: b\r\n<html>", S, 23 },
    { OK "x", S, 17 },
    { OK "<html>", E, -1 },
    { OK "<html>", I, -1 },
};

START_TEST(scan_eof)
{
    rp_h1_limits_t lim = wide;
    size_t n = strlen(eofs[_i].in);
    char *in = exact_copy(eofs[_i].in, n);
    rp_h1_scan_t s;
    apr_size_t head_len;

    lim.badline = eofs[_i].badline;
    memset(&s, 0, sizeof(s));
    ck_assert_int_eq(rp_h1_scan(&s, &lim, in, n, &head_len), APR_EAGAIN);
    if (eofs[_i].head_len < 0) {
        ck_assert_int_eq(rp_h1_scan_eof(&s, &lim, in, n, &head_len), APR_EINVAL);
        ck_assert_int_eq(s.err, RP_H1_EOF);
        ck_assert_int_eq(rp_h1_scan_eof(&s, &lim, in, n, &head_len), APR_EINVAL);
    }
    else {
        ck_assert_int_eq(rp_h1_scan_eof(&s, &lim, in, n, &head_len), APR_SUCCESS);
        ck_assert_uint_eq(head_len, (apr_size_t)eofs[_i].head_len);
    }
    free(in);
}
END_TEST

START_TEST(parse_half_a_head_is_refused)
{
    static const char whole[] = "\r\n" OK "A: b\r\n\r\n";
    size_t n;

    for (n = 0; n < sizeof(whole) - 1; n++) {
        char *in = exact_copy(whole, n);
        rp_h1_resp_t r;
        /* without the last line it is what StartBody hands over */
        int ok = n == sizeof(OK) + 1 || n == sizeof(OK) + 7;

        ck_assert_int_eq(rp_h1_resp_parse(&r, pool, &wide, in, n), ok ? APR_SUCCESS : APR_EINVAL);
        ck_assert_int_eq(r.err, ok ? RP_H1_OK : RP_H1_EOF);
        ck_assert_uint_le(r.err_pos, n);
        free(in);
    }
}
END_TEST

START_TEST(fields_parse_trailer)
{
    char good[] = "A: b\r\nC: d\r\n\r\n";
    char empty[] = "\r\n";
    char bad[] = "A: b\r\nC : d\r\n\r\n";
    rp_h1_resp_t r;

    ck_assert_int_eq(rp_h1_fields_parse(&r, pool, &wide, good, sizeof(good) - 1), APR_SUCCESS);
    ck_assert_str_eq(result_text(&r, 0), "0 0 [] A=[b] C=[d]");
    ck_assert_int_eq(rp_h1_fields_parse(&r, pool, &wide, empty, 2), APR_SUCCESS);
    ck_assert_int_eq(r.nfields, 0);
    ck_assert_int_eq(rp_h1_fields_parse(&r, pool, &wide, empty, 0), APR_SUCCESS);
    ck_assert_int_eq(rp_h1_fields_parse(&r, pool, &wide, bad, sizeof(bad) - 1), APR_EINVAL);
    ck_assert_int_eq(r.err, RP_H1_SPACE_COLON);
    ck_assert_uint_eq(r.err_pos, 7);
}
END_TEST

/** Append a random run of characters. */
static char *random_text(uint32_t *seed, const char *alphabet, size_t min, size_t max)
{
    size_t n = min + random_next(seed) % (max - min + 1);
    char *s = apr_palloc(pool, n + 1);
    size_t i;

    for (i = 0; i < n; i++) {
        s[i] = alphabet[random_next(seed) % strlen(alphabet)];
    }
    s[n] = '\0';
    return s;
}

START_TEST(random_heads_come_back)
{
    uint32_t seed = (uint32_t)_i;
    const char *in = apr_psprintf(pool, "HTTP/1.%d ", _i & 1);
    int status = 100 + (int)(random_next(&seed) % 900);
    const char *reason = random_text(&seed, "abc \t\xe4", 0, 20);
    char *want = apr_psprintf(pool, "%d %d [%s]", _i & 1, status, reason);
    int n = (int)(random_next(&seed) % 40);
    int i;

    in = apr_psprintf(pool, "%s%d %s%s", in, status, reason, _i & 2 ? "\r\n" : "\n");
    for (i = 0; i < n; i++) {
        const char *name = random_text(&seed, "AbcD-_xyz09!~", 1, 25);
        const char *value = random_text(&seed, "az:,;=\"/\\\xff", 0, 60);

        in = apr_pstrcat(pool, in, name, ":", random_text(&seed, " \t", 0, 3), value,
                         random_text(&seed, " \t", 0, 3), random_next(&seed) & 1 ? "\r\n" : "\n",
                         NULL);
        want = apr_psprintf(pool, "%s %s=[%s]", want, name, value);
    }
    in = apr_pstrcat(pool, in, "\r\n", NULL);
    ck_assert_str_eq(read_head(&wide, in, strlen(in), 0, strlen(in)), want);
    ck_assert_str_eq(read_head(&wide, in, strlen(in), 1 + random_next(&seed) % 50, 0), want);
}
END_TEST

START_TEST(err_str_is_whole_and_distinct)
{
    int i;
    int k;

    for (i = RP_H1_OK; i <= RP_H1_EOF; i++) {
        ck_assert_str_ne(rp_h1_err_str((rp_h1_err_e)i), "unknown");
        for (k = RP_H1_OK; k < i; k++) {
            ck_assert_str_ne(rp_h1_err_str((rp_h1_err_e)i), rp_h1_err_str((rp_h1_err_e)k));
        }
    }
    ck_assert_str_eq(rp_h1_err_str((rp_h1_err_e)99), "unknown");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wire/h1_resp");
    TCase *table = case_new(s, "table");
    TCase *limits = case_new(s, "limits");
    TCase *other = case_new(s, "other");

    tcase_add_loop_test(table, head_row_any_split, 0, ROWS(heads));
    tcase_add_test(table, status_code_all_numbers);
    tcase_add_loop_test(table, byte_in_value_and_reason, 0, 256);
    tcase_add_loop_test(table, byte_in_name, 0, 256);
    tcase_add_test(limits, limit_line_exact);
    tcase_add_test(limits, limit_line_without_end);
    tcase_add_test(limits, limit_status_line);
    tcase_add_test(limits, limit_head_exact);
    tcase_add_test(limits, limit_head_ignores_what_is_behind);
    tcase_add_test(limits, limit_line_and_head_first_one_wins);
    tcase_add_test(limits, limit_fields_exact);
    tcase_add_test(limits, limit_fields_of_parser);
    tcase_add_test(limits, many_fields_grow);
    tcase_add_test(limits, startbody_long_line_is_body);
    tcase_add_loop_test(other, scan_eof, 0, ROWS(eofs));
    tcase_add_test(other, parse_half_a_head_is_refused);
    tcase_add_test(other, fields_parse_trailer);
    tcase_add_loop_test(other, random_heads_come_back, 0, 100);
    tcase_add_test(other, err_str_is_whole_and_distinct);
    return suite_main(s);
}
