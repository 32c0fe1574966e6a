/* SPDX-License-Identifier: Apache-2.0 */
/* The chunked coding: each row is decoded in one gulp, byte by byte and cut in two at every
 * position. */
#include "wire_unit.h"

#include <apr_strings.h>

#include "wire/chunked.h"

#define MORE "more"

/** Result: "done", "more" or the error; then what was decoded; then bytes not consumed; then the
 * trailer section. */
static const struct {
    const char *name;
    bytes_t in;
    const char *end;
    const char *data;
    size_t left;
    const char *trailer;
} rows[] = {
    { "nothing", BYTES(""), MORE, "", 0, "" },
    { "empty body", BYTES("0\r\n\r\n"), "done", "", 0, "\r\n" },
    { "one chunk", BYTES("5\r\nhello\r\n0\r\n\r\n"), "done", "hello", 0, "\r\n" },
    { "two chunks", BYTES("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), "done", "abcde", 0, "\r\n" },
    { "hex", BYTES("a\r\n0123456789\r\nB\r\n0123456789X\r\n0\r\n\r\n"), "done",
      "01234567890123456789X", 0, "\r\n" },
    { "what follows is not eaten", BYTES("1\r\na\r\n0\r\n\r\nHTTP/1.1"), "done", "a", 8, "\r\n" },
    { "data that looks like framing", BYTES("5\r\n\r\n0\r\n\r\n0\r\n\r\n"), "done", "\r\n0\r\n", 0,
      "\r\n" },
    /* size */
    { "leading zeros", BYTES("0005\r\nhello\r\n00\r\n\r\n"), "done", "hello", 0, "\r\n" },
    { "sixteen digits", BYTES("0000000000000005\r\nhello"), MORE, "hello", 0, "" },
    { "seventeen digits", BYTES("00000000000000005\r\nhello"), "bad-chunk-size", "", 8, "" },
    { "largest", BYTES("7fffffffffffffff\r\nhello"), MORE, "hello", 0, "" },
    { "too large", BYTES("8000000000000000\r\nhello"), "bad-chunk-size", "", 8, "" },
    { "wraps around", BYTES("10000000000000005\r\nhello"), "bad-chunk-size", "", 8, "" },
    { "no digits", BYTES("\r\nhello"), "bad-chunk-size", "", 7, "" },
    { "underscore", BYTES("1_0\r\nhello"), "bad-chunk-size", "", 9, "" },
    { "underscore first", BYTES("_5\r\nhello"), "bad-chunk-size", "", 9, "" },
    { "plus", BYTES("+5\r\nhello"), "bad-chunk-size", "", 9, "" },
    { "minus", BYTES("-5\r\nhello"), "bad-chunk-size", "", 9, "" },
    { "0x", BYTES("0x5\r\nhello"), "bad-chunk-size", "", 9, "" },
    { "no hex digit", BYTES("5g\r\nhello"), "bad-chunk-size", "", 8, "" },
    { "blank first", BYTES(" 5\r\nhello"), "bad-chunk-size", "", 9, "" },
    { "tab first", BYTES("\t5\r\nhello"), "bad-chunk-size", "", 9, "" },
    { "NUL", BYTES("5\0\r\nhello"), "bad-chunk-size", "", 8, "" },
    { "comma", BYTES("5,5\r\nhello"), "bad-chunk-size", "", 9, "" },
    { "blanks behind", BYTES("5 \t \r\nhello\r\n0\r\n\r\n"), "done", "hello", 0, "\r\n" },
    { "number behind blank", BYTES("5 5\r\nhello"), "bad-chunk-size", "", 8, "" },
    { "vertical tab behind", BYTES("5\v\r\nhello"), "bad-chunk-size", "", 8, "" },
    /* line ends */
    { "bare LF", BYTES("5\nhello\r\n0\r\n\r\n"), "bad-line-end", "", 13, "" },
    { "bare LF behind blank", BYTES("5 \nhello"), "bad-line-end", "", 6, "" },
    { "bare CR", BYTES("5\rhello"), "bad-line-end", "", 5, "" },
    { "CR CR LF", BYTES("5\r\r\nhello"), "bad-line-end", "", 7, "" },
    { "LF behind data", BYTES("5\r\nhello\n0\r\n\r\n"), "bad-line-end", "hello", 6, "" },
    { "CR behind data", BYTES("5\r\nhello\r0\r\n\r\n"), "bad-line-end", "hello", 5, "" },
    { "data too long", BYTES("5\r\nhello!\r\n0\r\n\r\n"), "bad-line-end", "hello", 8, "" },
    { "data too short", BYTES("5\r\nhell\r\n0\r\n\r\n"), "bad-line-end", "hell\r", 6, "" },
    { "bare LF behind last chunk", BYTES("0\n\n"), "bad-line-end", "", 2, "" },
    { "bare LF for the end", BYTES("0\r\n\n"), "bad-line-end", "", 1, NULL },
    { "CR only for the end", BYTES("0\r\n\rX"), "bad-line-end", "", 1, NULL },
    /* extensions (RFC 9112 7.1.1) are skipped */
    { "extension", BYTES("5;a=b\r\nhello\r\n0;last\r\n\r\n"), "done", "hello", 0, "\r\n" },
    { "empty extension", BYTES("5;\r\nhello\r\n0\r\n\r\n"), "done", "hello", 0, "\r\n" },
    { "extension with blanks", BYTES("5 ; a = b\t\r\nhello\r\n0\r\n\r\n"), "done", "hello", 0,
      "\r\n" },
    { "quoted extension", BYTES("5;a=\"x;\\\"\xff\"\r\nhello\r\n0\r\n\r\n"), "done", "hello", 0,
      "\r\n" },
    { "NUL in extension", BYTES("5;a\0\r\nhello"), "bad-chunk-extension", "", 8, "" },
    { "control in extension", BYTES("5;a\x01\r\nhello"), "bad-chunk-extension", "", 8, "" },
    { "DEL in extension", BYTES("5;\x7f\r\nhello"), "bad-chunk-extension", "", 8, "" },
    { "bare CR in extension", BYTES("5;a\rb\r\nhello"), "bad-line-end", "", 8, "" },
    { "bare LF in extension", BYTES("5;a\nhello\r\n"), "bad-line-end", "", 8, "" },
    { "bare LF in quoted extension", BYTES("5;a=\"\n\"\r\nhello"), "bad-line-end", "", 9, "" },
    { "LF at once in extension", BYTES("5;\nhello"), "bad-line-end", "", 6, "" },
    /* trailers */
    { "trailer", BYTES("0\r\nA: b\r\n\r\nX"), "done", "", 1, "A: b\r\n\r\n" },
    { "two trailers", BYTES("0\r\nA:\r\nB-c:\td\xff\r\n\r\n"), "done", "", 0,
      "A:\r\nB-c:\td\xff\r\n\r\n" },
    { "trailer, more", BYTES("0\r\nA: b\r\n"), MORE, "", 0, "A: b\r\n" },
    { "trailer without colon", BYTES("0\r\nab\r\n\r\n"), "bad-trailer", "", 4, "ab" },
    { "trailer without name", BYTES("0\r\n: b\r\n\r\n"), "bad-trailer", "", 7, "" },
    { "trailer with blank first", BYTES("0\r\n A: b\r\n\r\n"), "bad-trailer", "", 9, "" },
    { "trailer folded", BYTES("0\r\nA: b\r\n c\r\n\r\n"), "bad-trailer", "", 6, "A: b\r\n" },
    { "blank before colon", BYTES("0\r\nA : b\r\n\r\n"), "bad-trailer", "", 8, "A" },
    { "trailer with bad name", BYTES("0\r\nA(: b\r\n\r\n"), "bad-trailer", "", 8, "A" },
    { "trailer with NUL", BYTES("0\r\nA: \0\r\n\r\n"), "bad-trailer", "", 5, NULL },
    { "trailer with control", BYTES("0\r\nA: \x02\r\n\r\n"), "bad-trailer", "", 5, "A: " },
    { "trailer with bare CR", BYTES("0\r\nA: b\rc\r\n\r\n"), "bad-line-end", "", 5, "A: b\r" },
    { "trailer with bare LF", BYTES("0\r\nA: b\n\r\n"), "bad-line-end", "", 3, "A: b" },
    { "bare LF in name", BYTES("0\r\nA\n: b\r\n\r\n"), "bad-line-end", "", 8, "A" },
};

typedef struct result_t {
    char *data;
    char *trailer;
    size_t data_len;
    size_t trailer_len;
    size_t consumed;
    const char *end;
} result_t;

/** Decode in[0..n), handed over in pieces of step bytes, or (step 0) cut in two. */
static void decode(result_t *r, const char *in, size_t n, size_t step, size_t cut)
{
    rp_chunk_dec_t d;
    size_t have = 0;
    size_t at = 0;
    apr_status_t rv = APR_EAGAIN;

    memset(&d, 0, sizeof(d));
    memset(r, 0, sizeof(*r));
    r->data = apr_pcalloc(pool, n + 1);
    r->trailer = apr_pcalloc(pool, n + 1);
    while (rv != APR_EINVAL && d.state != RP_CHUNK_DONE && (have < n || rv == APR_SUCCESS)) {
        apr_size_t used;
        rp_slice_t data;
        char *part;

        if (rv == APR_EAGAIN) {
            have = step ? (have + step < n ? have + step : n) : (have < cut ? cut : n);
        }
        part = exact_copy(in + at, have - at);
        rv = rp_chunk_decode(&d, part, have - at, &used, &data);
        ck_assert_uint_le(used, have - at);
        if (data.n) {
            ck_assert_int_eq(rv, APR_SUCCESS);
            ck_assert(data.p >= part && data.p + data.n <= part + used);
            memcpy(r->data + r->data_len, data.p, data.n);
            r->data_len += data.n;
        }
        if (rv == APR_EAGAIN) {
            ck_assert_uint_eq(used, have - at);
        }
        if (d.trailer.n) {
            memcpy(r->trailer + r->trailer_len, d.trailer.p, d.trailer.n);
            r->trailer_len += d.trailer.n;
        }
        at += used;
        free(part);
    }
    r->consumed = at;
    r->end = d.state == RP_CHUNK_DONE ? "done" : MORE;
    if (rv == APR_EINVAL) {
        apr_size_t used;
        rp_slice_t data;

        ck_assert_int_eq(d.state, RP_CHUNK_FAILED);
        ck_assert_int_ne(d.err, RP_CHUNK_OK);
        r->end = rp_chunk_err_str(d.err);
        ck_assert_int_eq(rp_chunk_decode(&d, "0\r\n\r\n", 5, &used, &data), APR_EINVAL);
        ck_assert_uint_eq(used, 0);
    }
}

static void expect(const result_t *r, int row)
{
    ck_assert_str_eq(r->end, rows[row].end);
    ck_assert_uint_eq(r->data_len, strlen(rows[row].data));
    ck_assert_int_eq(memcmp(r->data, rows[row].data, r->data_len), 0);
    ck_assert_uint_eq(rows[row].in.n - r->consumed, rows[row].left);
    if (rows[row].trailer) {
        ck_assert_str_eq(r->trailer, rows[row].trailer);
    }
}

START_TEST(chunk_row_any_split)
{
    size_t n = rows[_i].in.n;
    result_t r;
    size_t cut;

    decode(&r, rows[_i].in.p, n, 0, n);
    expect(&r, _i);
    decode(&r, rows[_i].in.p, n, 1, 0);
    expect(&r, _i);
    decode(&r, rows[_i].in.p, n, 3, 0);
    expect(&r, _i);
    for (cut = 1; cut < n; cut++) {
        decode(&r, rows[_i].in.p, n, 0, cut);
        expect(&r, _i);
    }
}
END_TEST

START_TEST(byte_behind_size)
{
    char in[] = "5?\r\nhello";
    result_t r;

    in[1] = (char)_i;
    decode(&r, in, sizeof(in) - 1, 0, sizeof(in) - 1);
    if (_i == ' ' || _i == '\t' || _i == ';') {
        ck_assert_str_eq(r.end, MORE);
        ck_assert_str_eq(r.data, "hello");
    }
    else if (_i < 128 && _i && strchr("0123456789abcdefABCDEF", _i)) {
        ck_assert_str_eq(r.end, MORE);
    }
    else {
        ck_assert_str_eq(r.end, _i == '\r' || _i == '\n' ? "bad-line-end" : "bad-chunk-size");
        ck_assert_uint_eq(r.data_len, 0);
    }
}
END_TEST

START_TEST(byte_in_extension)
{
    char in[] = "5;x?y\r\nhello";
    result_t r;

    in[3] = (char)_i;
    decode(&r, in, sizeof(in) - 1, 0, sizeof(in) - 1);
    if (_i == '\r' || _i == '\n') {
        ck_assert_str_eq(r.end, "bad-line-end");
    }
    else if ((_i < 32 && _i != '\t') || _i == 127) {
        ck_assert_str_eq(r.end, "bad-chunk-extension");
    }
    else {
        ck_assert_str_eq(r.data, "hello");
    }
}
END_TEST

/** head, then fill times 'x', then tail. */
static char *stretched(const char *head, size_t fill, const char *tail, size_t *n)
{
    size_t head_len = strlen(head);
    char *s = apr_palloc(pool, head_len + fill + strlen(tail));

    *n = head_len + fill + strlen(tail);
    memcpy(s, head, head_len);
    memset(s + head_len, 'x', fill);
    memcpy(s + head_len + fill, tail, strlen(tail));
    return s;
}

START_TEST(limit_size_line)
{
    size_t n;
    result_t r;
    char *in = stretched("5;", RP_CHUNK_LINE_MAX - 4, "\r\nhello", &n);

    decode(&r, in, n, 0, n);
    ck_assert_str_eq(r.data, "hello");
    in = stretched("5\r\nhello\r\n5;", RP_CHUNK_LINE_MAX - 4, "\r\nhello", &n);
    decode(&r, in, n, 7, 0);
    ck_assert_str_eq(r.data, "hellohello"); /* the limit is for each line */
    in = stretched("5;", RP_CHUNK_LINE_MAX - 3, "\r\nhello", &n);
    decode(&r, in, n, 0, n);
    ck_assert_str_eq(r.end, "chunk-line-too-long");
    ck_assert_uint_eq(r.consumed, RP_CHUNK_LINE_MAX);
    decode(&r, in, n, 1, 0);
    ck_assert_str_eq(r.end, "chunk-line-too-long");
    in = stretched("5;", 2 * RP_CHUNK_LINE_MAX, "", &n); /* no end in sight */
    decode(&r, in, n, 1000, 0);
    ck_assert_uint_eq(r.consumed, RP_CHUNK_LINE_MAX);
}
END_TEST

START_TEST(limit_trailer)
{
    size_t n;
    result_t r;
    char *in = stretched("0;ext\r\nA:", RP_CHUNK_TRAILER_MAX - 6, "\r\n\r\n", &n);

    decode(&r, in, n, 0, n);
    ck_assert_str_eq(r.end, "done");
    ck_assert_uint_eq(r.trailer_len, RP_CHUNK_TRAILER_MAX);
    in = stretched("0;ext\r\nA:", RP_CHUNK_TRAILER_MAX - 5, "\r\n\r\n", &n);
    decode(&r, in, n, 0, n);
    ck_assert_str_eq(r.end, "trailer-too-large");
    decode(&r, in, n, 999, 0);
    ck_assert_str_eq(r.end, "trailer-too-large");
}
END_TEST

START_TEST(many_short_trailers_are_too_many)
{
    size_t lines = RP_CHUNK_TRAILER_MAX / 4 + 1;
    char *in = apr_palloc(pool, 3 + lines * 4);
    result_t r;
    size_t i;

    memcpy(in, "0\r\n", 3);
    for (i = 0; i < lines; i++) {
        memcpy(in + 3 + i * 4, "A:\r\n", 4);
    }
    decode(&r, in, 3 + lines * 4, 0, 3 + lines * 4);
    ck_assert_str_eq(r.end, "trailer-too-large");
}
END_TEST

static const struct {
    apr_uint64_t size;
    const char *want;
} sizes[] = {
    { 0, "0\r\n" },
    { 1, "1\r\n" },
    { 15, "f\r\n" },
    { 16, "10\r\n" },
    { 8192, "2000\r\n" },
    { 0xabcdef, "abcdef\r\n" },
    { APR_UINT64_C(0x7fffffffffffffff), "7fffffffffffffff\r\n" },
    { APR_UINT64_C(0xffffffffffffffff), "ffffffffffffffff\r\n" },
};

/** n chunks of size bytes, each with an extension of ext bytes, ';' included; then the last chunk. */
static const char *extended(size_t n, size_t size, size_t ext, size_t *len)
{
    char *in = apr_palloc(pool, n * (size + ext + 20) + 10);
    char *p = in;
    size_t i;

    for (i = 0; i < n; i++) {
        p += apr_snprintf(p, 20, "%x", (unsigned)size);
        memset(p, 'x', ext + 2 + size);
        p[0] = ext ? ';' : '\r';
        p += ext;
        p[0] = '\r';
        p[1] = '\n';
        p += 2 + size;
        *p++ = '\r';
        *p++ = '\n';
    }
    memcpy(p, "0\r\n\r\n", 6);
    *len = (size_t)(p - in) + 5;
    return in;
}

static const struct {
    const char *name;
    size_t n, size, ext;
    const char *end;
} extensions[] = {
    { "signed chunks of a large upload", 1000, 8192, 85, "done" },
    { "tiny chunks without extensions", 20000, 1, 0, "done" },
    { "as long as the data", 2000, 64, 64, "done" },
    { "tiny chunks with long extensions", 400, 1, 100, "too-many-chunk-extensions" },
    { "a little more than the data, for long", 20000, 20, 22, "too-many-chunk-extensions" },
    { "four lines of the greatest length", 5, 1, RP_CHUNK_LINE_MAX - 3, "too-many-chunk-extensions" },
};

START_TEST(extensions_are_paid_by_data)
{
    size_t n;
    const char *in = extended(extensions[_i].n, extensions[_i].size, extensions[_i].ext, &n);
    result_t r;

    decode(&r, in, n, 0, n);
    ck_assert_str_eq(r.end, extensions[_i].end);
    if (strcmp(r.end, "done") == 0) {
        ck_assert_uint_eq(r.data_len, extensions[_i].n * extensions[_i].size);
        ck_assert_uint_eq(r.consumed, n);
    }
}
END_TEST

START_TEST(limit_of_extensions)
{
    size_t n;
    const char *in = extended(RP_CHUNK_EXT_EXCESS_MAX / 16, 16, 32, &n);
    result_t r;

    decode(&r, in, n, 0, n); /* the last one pays the last 16 too late */
    ck_assert_str_eq(r.end, "too-many-chunk-extensions");
    in = extended(RP_CHUNK_EXT_EXCESS_MAX / 16 - 1, 16, 32, &n);
    decode(&r, in, n, 0, n);
    ck_assert_str_eq(r.end, "done");
}
END_TEST

START_TEST(chunk_head_text)
{
    char *out = exact_copy("******************", RP_CHUNK_HEAD_MAX);
    apr_size_t n = rp_chunk_head(out, sizes[_i].size);

    ck_assert_uint_eq(n, strlen(sizes[_i].want));
    ck_assert_int_eq(memcmp(out, sizes[_i].want, n), 0);
    free(out);
}
END_TEST

START_TEST(random_bodies_come_back)
{
    uint32_t seed = (uint32_t)_i;
    size_t len = random_next(&seed) % 5000;
    char *body = apr_palloc(pool, len + 1);
    char *wire = apr_palloc(pool, len * 24 + 64);
    size_t n = 0;
    size_t at = 0;
    result_t r;

    for (at = 0; at < len; at++) {
        body[at] = (char)random_next(&seed);
    }
    for (at = 0; at < len;) {
        size_t size = 1 + random_next(&seed) % (_i % 3 ? 700 : 3);

        size = size < len - at ? size : len - at;
        n += rp_chunk_head(wire + n, size);
        memcpy(wire + n, body + at, size);
        memcpy(wire + n + size, "\r\n", 2);
        n += size + 2;
        at += size;
    }
    memcpy(wire + n, "0\r\n\r\nnext", 9);
    decode(&r, wire, n + 9, random_next(&seed) % 90, random_next(&seed) % (n + 9));
    ck_assert_str_eq(r.end, "done");
    ck_assert_uint_eq(r.consumed, n + 5);
    ck_assert_uint_eq(r.data_len, len);
    ck_assert_int_eq(memcmp(r.data, body, len), 0);
}
END_TEST

START_TEST(done_stays_done)
{
    rp_chunk_dec_t d;
    apr_size_t used;
    rp_slice_t data;

    memset(&d, 0, sizeof(d));
    ck_assert_int_eq(rp_chunk_decode(&d, "0\r\n\r\n", 5, &used, &data), APR_SUCCESS);
    ck_assert_int_eq(d.state, RP_CHUNK_DONE);
    ck_assert_int_eq(rp_chunk_decode(&d, "5\r\nhello", 8, &used, &data), APR_SUCCESS);
    ck_assert_uint_eq(used, 0);
    ck_assert_uint_eq(data.n, 0);
    ck_assert_ptr_null(data.p);
}
END_TEST

START_TEST(err_str_is_whole_and_distinct)
{
    int i;
    int k;

    for (i = RP_CHUNK_OK; i <= RP_CHUNK_EXT_EXCESS; i++) {
        ck_assert_str_ne(rp_chunk_err_str((rp_chunk_err_e)i), "unknown");
        for (k = RP_CHUNK_OK; k < i; k++) {
            ck_assert_str_ne(rp_chunk_err_str((rp_chunk_err_e)i),
                             rp_chunk_err_str((rp_chunk_err_e)k));
        }
    }
    ck_assert_str_eq(rp_chunk_err_str((rp_chunk_err_e)99), "unknown");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wire/chunked");
    TCase *table = case_new(s, "table");
    TCase *limits = case_new(s, "limits");
    TCase *other = case_new(s, "other");

    tcase_add_loop_test(table, chunk_row_any_split, 0, ROWS(rows));
    tcase_add_loop_test(table, byte_behind_size, 0, 256);
    tcase_add_loop_test(table, byte_in_extension, 0, 256);
    tcase_add_test(limits, limit_size_line);
    tcase_add_test(limits, limit_trailer);
    tcase_add_test(limits, many_short_trailers_are_too_many);
    tcase_add_loop_test(limits, extensions_are_paid_by_data, 0, ROWS(extensions));
    tcase_add_test(limits, limit_of_extensions);
    tcase_add_loop_test(other, chunk_head_text, 0, ROWS(sizes));
    tcase_add_loop_test(other, random_bodies_come_back, 0, 100);
    tcase_add_test(other, done_stays_done);
    tcase_add_test(other, err_str_is_whole_and_distinct);
    return suite_main(s);
}
