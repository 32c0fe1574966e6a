/* SPDX-License-Identifier: Apache-2.0 */
/* Request heads: what is written, and what is refused to be written. */
#include "wire_unit.h"

#include <apr_strings.h>

#include "wire/h1_req.h"
#include "wire/headers.h"

static const rp_req_field_t two_fields[] = { { "Accept", "*/*", 0, 0 }, { "X-Empty", "", 0, 0 } };

/** A plain GET that each test changes. */
static rp_req_head_t plain(void)
{
    rp_req_head_t h;

    memset(&h, 0, sizeof(h));
    h.method = "GET";
    h.target = "/x?y=1";
    h.host = "h.example";
    return h;
}

/** The head as text; "error index" when it is refused. */
static const char *head_text(const rp_req_head_t *h)
{
    const char *out = "unset";
    apr_size_t n = 99;
    rp_req_err_e err;
    int bad = 99;
    apr_status_t rv = rp_req_write(h, pool, &out, &n, &err, &bad);

    if (rv != APR_SUCCESS) {
        ck_assert_int_eq(rv, APR_EINVAL);
        ck_assert_ptr_null(out);
        ck_assert_uint_eq(n, 0);
        ck_assert_int_ne(err, RP_REQ_OK);
        return apr_psprintf(pool, "%s %d", rp_req_err_str(err), bad);
    }
    ck_assert_int_eq(err, RP_REQ_OK);
    ck_assert_int_eq(bad, -1);
    return apr_pstrmemdup(pool, out, n);
}

START_TEST(write_plain)
{
    rp_req_head_t h = plain();

    ck_assert_str_eq(head_text(&h),
                     "GET /x?y=1 HTTP/1.1\r\nHost: h.example\r\nConnection: Keep-Alive\r\n\r\n");
}
END_TEST

START_TEST(write_everything_in_order)
{
    rp_req_head_t h = plain();

    h.method = "M-SEARCH";
    h.target = "*";
    h.host = "[::1]:8080";
    h.fields = two_fields;
    h.nfields = 2;
    h.framing = RP_REQ_LENGTH;
    h.length = 1234567890123;
    h.expect_100 = 1;
    h.conn = RP_REQ_CONN_UPGRADE;
    h.upgrade = "websocket";
    ck_assert_str_eq(head_text(&h), "M-SEARCH * HTTP/1.1\r\nHost: [::1]:8080\r\nAccept: */*\r\n"
                                    "X-Empty: \r\nContent-Length: 1234567890123\r\n"
                                    "Expect: 100-continue\r\nConnection: Upgrade\r\n"
                                    "Upgrade: websocket\r\n\r\n");
}
END_TEST

START_TEST(write_framing)
{
    rp_req_head_t h = plain();

    h.conn = RP_REQ_CONN_CLOSE;
    h.framing = RP_REQ_CHUNKED;
    ck_assert_str_eq(head_text(&h), "GET /x?y=1 HTTP/1.1\r\nHost: h.example\r\n"
                                    "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    h.framing = RP_REQ_LENGTH;
    h.length = 0;
    ck_assert_str_eq(head_text(&h), "GET /x?y=1 HTTP/1.1\r\nHost: h.example\r\n"
                                    "Content-Length: 0\r\nConnection: close\r\n\r\n");
    h.length = APR_INT64_MAX;
    ck_assert_ptr_nonnull(strstr(head_text(&h), "\r\nContent-Length: 9223372036854775807\r\n"));
    h.length = -1;
    ck_assert_str_eq(head_text(&h), "bad-framing -1");
    h.framing = RP_REQ_NO_BODY; /* length means nothing then */
    ck_assert_ptr_null(strstr(head_text(&h), "Content-Length"));
}
END_TEST

START_TEST(write_http10)
{
    rp_req_head_t h = plain();

    h.http10 = 1;
    h.conn = RP_REQ_CONN_NONE;
    ck_assert_str_eq(head_text(&h), "GET /x?y=1 HTTP/1.0\r\nHost: h.example\r\n\r\n");
    h.host = "";
    ck_assert_str_eq(head_text(&h), "GET /x?y=1 HTTP/1.0\r\n\r\n");
    h.framing = RP_REQ_CHUNKED;
    ck_assert_str_eq(head_text(&h), "bad-framing -1");
}
END_TEST

/** Which member is set to which bytes, and what comes of it. */
enum { METHOD, TARGET, HOST, NAME, VALUE, PROTOCOL };
static const struct {
    int member;
    const char *text;
    const char *want; /* NULL: written */
} members[] = {
    { METHOD, "", "bad-method -1" },
    { METHOD, "G T", "bad-method -1" },
    { METHOD, "GET\r", "bad-method -1" },
    { METHOD, "GET:", "bad-method -1" },
    { METHOD, "get", NULL },
    { METHOD, "X_Y", NULL },
    { TARGET, "", "bad-target -1" },
    { TARGET, "/a b", "bad-target -1" },
    { TARGET, "/a\tb", "bad-target -1" },
    { TARGET, "/a\r\nX: y", "bad-target -1" },
    { TARGET, "/a\nX: y", "bad-target -1" },
    { TARGET, "/a HTTP/1.1", "bad-target -1" },
    { TARGET, "/a\x7f", "bad-target -1" },
    { TARGET, "/\x01", "bad-target -1" },
    { TARGET, "/%0d%0a?\"<>\xff", NULL },
    { HOST, "", "bad-host -1" },
    { HOST, "h\r\nX: y", "bad-host -1" },
    { HOST, "h x", "bad-host -1" },
    { HOST, "h/x", "bad-host -1" },
    { HOST, "h?x", "bad-host -1" },
    { HOST, "h#x", "bad-host -1" },
    { HOST, "u@h", "bad-host -1" },
    { HOST, "h\\x", "bad-host -1" },
    { HOST, "H_1.example.:80", NULL },
    { HOST, "[::1]", NULL },
    { NAME, "", "bad-field-name 1" },
    { NAME, "X Y", "bad-field-name 1" },
    { NAME, "X ", "bad-field-name 1" },
    { NAME, " X", "bad-field-name 1" },
    { NAME, "X:", "bad-field-name 1" },
    { NAME, "X\r\nY", "bad-field-name 1" },
    { NAME, "\xe4", "bad-field-name 1" },
    { NAME, "X-1_!", NULL },
    { NAME, "Host", "field-of-the-writer 1" },
    { NAME, "HOST", "field-of-the-writer 1" },
    { NAME, "content-length", "field-of-the-writer 1" },
    { NAME, "Transfer-Encoding", "field-of-the-writer 1" },
    { NAME, "connection", "field-of-the-writer 1" },
    { NAME, "Upgrade", "field-of-the-writer 1" },
    { NAME, "Expect", NULL },
    { VALUE, "a\rb", "bad-field-value 1" },
    { VALUE, "a\nb", "bad-field-value 1" },
    { VALUE, "a\r\n b", "bad-field-value 1" },
    { VALUE, "a\x1f", "bad-field-value 1" },
    { VALUE, "a\x7f", "bad-field-value 1" },
    { VALUE, "a\tb \xff", NULL },
    { PROTOCOL, "", "bad-field-value -1" },
    { PROTOCOL, "x\r\nY: z", "bad-field-value -1" },
    { PROTOCOL, "websocket, x/1", NULL },
};

START_TEST(member_checked)
{
    rp_req_field_t fields[2] = { { "A", "b", 0, 0 }, { "X", "y", 0, 0 } };
    rp_req_head_t h = plain();
    const char *text = members[_i].text;
    const char *got;
    int measured;

    h.fields = fields;
    h.nfields = 2;
    h.conn = RP_REQ_CONN_UPGRADE;
    h.upgrade = "websocket";
    switch (members[_i].member) {
    case METHOD: h.method = text; break;
    case TARGET: h.target = text; break;
    case HOST: h.host = text; break;
    case NAME: fields[1].name = text; break;
    case VALUE: fields[1].value = text; break;
    default: h.upgrade = text; break;
    }
    for (measured = 0; measured < 2; measured++) { /* by the writer, then by the caller */
        got = head_text(&h);
        if (members[_i].want) {
            ck_assert_str_eq(got, members[_i].want);
        }
        else {
            ck_assert_ptr_nonnull(strstr(got, text));
            ck_assert_ptr_nonnull(strstr(got, "\r\n\r\n"));
        }
        fields[1].name_len = strlen(fields[1].name);
        fields[1].id = (int)rp_hdr_id(fields[1].name, fields[1].name_len);
    }
}
END_TEST

START_TEST(upgrade_without_protocol)
{
    rp_req_head_t h = plain();

    h.conn = RP_REQ_CONN_UPGRADE;
    ck_assert_str_eq(head_text(&h), "bad-field-value -1");
}
END_TEST

START_TEST(expect_is_written_once)
{
    static const rp_req_field_t expect = { "expect", "100-continue", 0, 0 };
    rp_req_head_t h = plain();

    h.fields = &expect;
    h.nfields = 1;
    ck_assert_ptr_nonnull(strstr(head_text(&h), "\r\nexpect: 100-continue\r\n"));
    h.expect_100 = 1;
    ck_assert_str_eq(head_text(&h), "field-of-the-writer 0");
}
END_TEST

/** No byte in any place makes another line of the head than the ones that were asked for. */
START_TEST(byte_in_every_place)
{
    char spot[] = "a?b";
    rp_req_field_t field = { "X", "y", 0, 0 };
    int place;

    spot[1] = (char)_i;
    for (place = METHOD; place <= PROTOCOL; place++) {
        rp_req_head_t h = plain();
        const char *got;
        const char *p;
        int lines = 0;

        field.name = place == NAME ? spot : "X";
        field.value = place == VALUE ? spot : "y";
        h.method = place == METHOD ? spot : h.method;
        h.target = place == TARGET ? spot : h.target;
        h.host = place == HOST ? spot : h.host;
        h.conn = RP_REQ_CONN_UPGRADE;
        h.upgrade = place == PROTOCOL ? spot : "x";
        h.fields = &field;
        h.nfields = 1;
        got = head_text(&h);
        if (strncmp(got, "bad-", 4) == 0) {
            ck_assert_msg(_i <= ' ' || _i == 127 || place == METHOD || place == NAME
                              || (place == HOST && strchr("/\\?#@", _i)),
                          "byte 0x%02x place %d", (unsigned int)_i, place);
            continue;
        }
        ck_assert(_i >= ' ' || _i == '\t' || _i == 0);
        ck_assert_int_ne(_i, 127);
        for (p = strchr(got, '\r'); p; p = strchr(p + 2, '\r')) {
            ck_assert_int_eq(p[1], '\n');
            lines++;
        }
        ck_assert_int_eq(lines, 6);
        for (p = strchr(got, '\n'); p; p = strchr(p + 1, '\n')) {
            ck_assert_int_eq(p[-1], '\r');
        }
    }
}
END_TEST

/** Whatever the sizes of the pieces, wherever the room for the head has to grow. */
START_TEST(every_size_is_written_whole)
{
    apr_size_t n;

    for (n = 1; n < 5000; n += 1 + n / 1500 * 13) {
        char *bytes = apr_palloc(pool, n + 1);
        rp_req_field_t fields[2] = { { bytes, "y", 0, 0 }, { "X", bytes, 0, 0 } };
        rp_req_head_t h = plain();

        memset(bytes, 'v', n);
        bytes[n] = '\0';
        h.target = bytes;
        h.fields = fields;
        h.nfields = 2;
        ck_assert_str_eq(head_text(&h),
                         apr_pstrcat(pool, "GET ", bytes, " HTTP/1.1\r\nHost: h.example\r\n", bytes,
                                     ": y\r\nX: ", bytes, "\r\nConnection: Keep-Alive\r\n\r\n",
                                     NULL));
        apr_pool_clear(pool);
    }
}
END_TEST

/** The limit counts all pieces; an error in a later field is found all the same. */
START_TEST(limit_head_size_of_the_sum)
{
    apr_size_t n = RP_REQ_HEAD_MAX / 2;
    char *value = apr_palloc(pool, n + 1);
    rp_req_field_t fields[3] = { { "X", value, 0, 0 }, { "Y", value, 0, 0 }, { "Z", "z", 0, 0 } };
    rp_req_head_t h = plain();

    memset(value, 'v', n);
    value[n] = '\0';
    h.fields = fields;
    h.nfields = 3;
    ck_assert_str_eq(head_text(&h), "head-too-large -1");
    fields[2].value = "\n";
    ck_assert_str_eq(head_text(&h), "bad-field-value 2");
}
END_TEST

START_TEST(limit_head_size)
{
    rp_req_head_t h = plain();
    apr_size_t n = RP_REQ_HEAD_MAX - strlen(head_text(&h)) - strlen("X: \r\n");
    char *value = apr_palloc(pool, n + 2);
    rp_req_field_t field = { "X", value, 0, 0 };

    memset(value, 'v', n + 1);
    value[n] = '\0';
    h.fields = &field;
    h.nfields = 1;
    ck_assert_uint_eq(strlen(head_text(&h)), RP_REQ_HEAD_MAX);
    value[n] = 'v';
    value[n + 1] = '\0';
    ck_assert_str_eq(head_text(&h), "head-too-large -1");
}
END_TEST

START_TEST(err_str_is_whole_and_distinct)
{
    int i;
    int k;

    for (i = RP_REQ_OK; i <= RP_REQ_BAD_FRAMING; i++) {
        ck_assert_str_ne(rp_req_err_str((rp_req_err_e)i), "unknown");
        for (k = RP_REQ_OK; k < i; k++) {
            ck_assert_str_ne(rp_req_err_str((rp_req_err_e)i), rp_req_err_str((rp_req_err_e)k));
        }
    }
    ck_assert_str_eq(rp_req_err_str((rp_req_err_e)99), "unknown");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wire/h1_req");
    TCase *tc = case_new(s, "h1_req");

    tcase_add_test(tc, write_plain);
    tcase_add_test(tc, write_everything_in_order);
    tcase_add_test(tc, write_framing);
    tcase_add_test(tc, write_http10);
    tcase_add_loop_test(tc, member_checked, 0, ROWS(members));
    tcase_add_test(tc, upgrade_without_protocol);
    tcase_add_test(tc, expect_is_written_once);
    tcase_add_loop_test(tc, byte_in_every_place, 0, 256);
    tcase_add_test(tc, every_size_is_written_whole);
    tcase_add_test(tc, limit_head_size_of_the_sum);
    tcase_add_test(tc, limit_head_size);
    tcase_add_test(tc, err_str_is_whole_and_distinct);
    return suite_main(s);
}
