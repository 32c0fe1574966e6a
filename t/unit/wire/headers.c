/* SPDX-License-Identifier: Apache-2.0 */
/* Header names and what becomes of them; comma-separated lists; the Connection header. */
#include "wire_unit.h"

#include <ctype.h>

#include "wire/headers.h"

#define REQ 1  /* never forwarded in a request */
#define RESP 2 /* never forwarded in a response */

static const struct {
    const char *name;
    rp_hdr_e id;
    int dropped;
} known[] = {
    { "Connection", RP_HDR_CONNECTION, REQ | RESP },
    { "Proxy-Connection", RP_HDR_PROXY_CONNECTION, REQ | RESP },
    { "Keep-Alive", RP_HDR_KEEP_ALIVE, REQ | RESP },
    { "TE", RP_HDR_TE, REQ | RESP },
    { "Trailer", RP_HDR_TRAILER, REQ | RESP },
    { "Upgrade", RP_HDR_UPGRADE, REQ | RESP },
    { "Transfer-Encoding", RP_HDR_TRANSFER_ENCODING, REQ | RESP },
    { "Content-Length", RP_HDR_CONTENT_LENGTH, REQ | RESP },
    { "Content-Type", RP_HDR_CONTENT_TYPE, 0 },
    { "Host", RP_HDR_HOST, REQ },
    { "Expect", RP_HDR_EXPECT, REQ },
    { "Max-Forwards", RP_HDR_MAX_FORWARDS, 0 },
    { "Via", RP_HDR_VIA, 0 },
    { "Date", RP_HDR_DATE, 0 },
    { "Expires", RP_HDR_EXPIRES, 0 },
    { "Last-Modified", RP_HDR_LAST_MODIFIED, 0 },
    { "Set-Cookie", RP_HDR_SET_COOKIE, 0 },
    { "Warning", RP_HDR_WARNING, 0 },
    { "Proxy-Authenticate", RP_HDR_PROXY_AUTHENTICATE, RESP },
    { "Proxy-Authorization", RP_HDR_PROXY_AUTHORIZATION, 0 },
    { "Authorization", RP_HDR_AUTHORIZATION, 0 },
    { "WWW-Authenticate", RP_HDR_WWW_AUTHENTICATE, 0 },
    { "X-Forwarded-For", RP_HDR_X_FORWARDED_FOR, 0 },
    { "X-Forwarded-Host", RP_HDR_X_FORWARDED_HOST, 0 },
    { "X-Forwarded-Server", RP_HDR_X_FORWARDED_SERVER, 0 },
    { "X-Forwarded-Proto", RP_HDR_X_FORWARDED_PROTO, 0 },
    { "If-Match", RP_HDR_IF_MATCH, 0 },
    { "If-None-Match", RP_HDR_IF_NONE_MATCH, 0 },
    { "If-Modified-Since", RP_HDR_IF_MODIFIED_SINCE, 0 },
    { "If-Unmodified-Since", RP_HDR_IF_UNMODIFIED_SINCE, 0 },
    { "If-Range", RP_HDR_IF_RANGE, 0 },
    { "Location", RP_HDR_LOCATION, 0 },
    { "Server", RP_HDR_SERVER, 0 },
};

START_TEST(id_known_name_in_any_case)
{
    const char *name = known[_i].name;
    size_t n = strlen(name);
    char text[64];
    size_t i;

    ck_assert_int_eq(known[_i].id, _i + 1); /* the table is complete and in order */
    ck_assert_int_eq(rp_hdr_id(name, n), known[_i].id);
    for (i = 0; i < n; i++) {
        text[i] = (char)toupper((unsigned char)name[i]);
    }
    ck_assert_int_eq(rp_hdr_id(text, n), known[_i].id);
    for (i = 0; i < n; i++) {
        text[i] = (char)tolower((unsigned char)name[i]);
    }
    ck_assert_int_eq(rp_hdr_id(text, n), known[_i].id);
}
END_TEST

START_TEST(id_one_byte_off_is_other)
{
    const char *name = known[_i].name;
    size_t n = strlen(name);
    char text[64];
    size_t i;

    for (i = 0; i < n; i++) {
        memcpy(text, name, n);
        text[i] = '_';
        ck_assert_int_eq(rp_hdr_id(text, n), RP_HDR_OTHER);
    }
    memcpy(text, name, n);
    text[n] = 's';
    ck_assert_int_eq(rp_hdr_id(text, n + 1), RP_HDR_OTHER);
    ck_assert_int_eq(rp_hdr_id(text, n - 1), RP_HDR_OTHER);
}
END_TEST

START_TEST(dropped_as_listed)
{
    ck_assert_int_eq(rp_hdr_req_dropped(known[_i].id), (known[_i].dropped & REQ) != 0);
    ck_assert_int_eq(rp_hdr_resp_dropped(known[_i].id), (known[_i].dropped & RESP) != 0);
    ck_assert_int_eq(rp_hdr_trailer_ok(known[_i].name, strlen(known[_i].name)), 0);
}
END_TEST

START_TEST(other_is_kept_and_table_is_whole)
{
    ck_assert_int_eq(ROWS(known), RP_HDR_COUNT - 1);
    ck_assert_int_eq(rp_hdr_id("", 0), RP_HDR_OTHER);
    ck_assert_int_eq(rp_hdr_id("Accept", 6), RP_HDR_OTHER);
    ck_assert_int_eq(rp_hdr_req_dropped(RP_HDR_OTHER), 0);
    ck_assert_int_eq(rp_hdr_resp_dropped(RP_HDR_OTHER), 0);
}
END_TEST

static const struct {
    bytes_t name;
    int ok;
} trailers[] = {
    { BYTES("Server-Timing"), 1 },
    { BYTES("Grpc-Status"), 1 },
    { BYTES("Digest"), 1 },
    { BYTES("X-Checksum"), 1 },
    { BYTES("Content-Encoding"), 0 },
    { BYTES("CONTENT-RANGE"), 0 },
    { BYTES("Cache-Control"), 0 },
    { BYTES("cookie"), 0 },
    { BYTES("Set-Cookie2"), 0 },
    { BYTES("Forwarded"), 0 },
    { BYTES("Vary"), 0 },
    { BYTES("Range"), 0 },
    { BYTES("Age"), 0 },
    { BYTES("X-Real-IP"), 0 },
    { BYTES(""), 0 },
    { BYTES("X Y"), 0 },
    { BYTES("X:Y"), 0 },
};

START_TEST(trailer_allowed_as_listed)
{
    ck_assert_int_eq(rp_hdr_trailer_ok(trailers[_i].name.p, trailers[_i].name.n), trailers[_i].ok);
}
END_TEST

START_TEST(name_ok_is_token)
{
    int c;

    ck_assert_int_eq(rp_hdr_name_ok("", 0), 0);
    for (c = 0; c < 256; c++) {
        char s[3] = { 'a', (char)c, 'b' };
        int token = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                    || (c && strchr("!#$%&'*+-.^_`|~", c));

        ck_assert_int_eq(rp_hdr_name_ok(s, 3), token);
        ck_assert_int_eq(rp_hdr_value_ok(s, 3), c >= 32 ? c != 127 : c == 9);
    }
    ck_assert_int_eq(rp_hdr_value_ok("", 0), 1);
}
END_TEST

static const struct {
    const char *list;
    const char *members; /* each in brackets */
} lists[] = {
    { "", "" },
    { " , \t,,", "" },
    { "a", "[a]" },
    { "a,b", "[a][b]" },
    { " a \t, b c ,,\td ", "[a][b c][d]" },
    { "a=\"x, y\", b", "[a=\"x, y\"][b]" },
    { "a=\"x\\\", y\", b", "[a=\"x\\\", y\"][b]" },
    { "a=\"x\\\\\", b", "[a=\"x\\\\\"][b]" },
    { "a=\"open, b", "[a=\"open, b]" },
    { "a=\"open\\", "[a=\"open\\]" },
    { "\"\",b", "[\"\"][b]" },
    { ",a,", "[a]" },
};

START_TEST(list_next_members)
{
    char *list = exact_copy(lists[_i].list, strlen(lists[_i].list) + 1);
    const char *cursor = list;
    char got[128] = "";
    rp_slice_t m;

    while (rp_list_next(&cursor, &m)) {
        ck_assert_uint_gt(m.n, 0);
        strncat(got, "[", sizeof(got) - strlen(got) - 1);
        strncat(got, m.p, m.n);
        strncat(got, "]", sizeof(got) - strlen(got) - 1);
    }
    ck_assert_str_eq(got, lists[_i].members);
    ck_assert_int_eq(rp_list_next(&cursor, &m), 0);
    ck_assert_uint_eq(m.n, 0);
    free(list);
}
END_TEST

START_TEST(list_has_token_whole_members_only)
{
    ck_assert_int_eq(rp_list_has_token(NULL, "close"), 0);
    ck_assert_int_eq(rp_list_has_token("", "close"), 0);
    ck_assert_int_eq(rp_list_has_token("Close", "close"), 1);
    ck_assert_int_eq(rp_list_has_token("foo , CLOSE,bar", "close"), 1);
    ck_assert_int_eq(rp_list_has_token("closed", "close"), 0);
    ck_assert_int_eq(rp_list_has_token("clos", "close"), 0);
    ck_assert_int_eq(rp_list_has_token("not close", "close"), 0);
    ck_assert_int_eq(rp_list_has_token("\"close\"", "close"), 0);
}
END_TEST

static const struct {
    const char *value;
    apr_status_t rv;
    int n;
    const char *flags; /* c close, k keep-alive, u upgrade */
} connections[] = {
    { "", APR_SUCCESS, 0, "" },
    { "close", APR_SUCCESS, 1, "c" },
    { "Keep-Alive, Upgrade", APR_SUCCESS, 2, "ku" },
    { "CLOSE,x-one , , X-Two", APR_SUCCESS, 3, "c" },
    { "closed, keep_alive, upgrades", APR_SUCCESS, 3, "" },
    { "x y", APR_EINVAL, 0, "" },
    { "x, y:z", APR_EINVAL, 1, "" },
    { "\"close\"", APR_EINVAL, 0, "" },
    { "close;q=1", APR_EINVAL, 0, "" },
};

START_TEST(conntok_add_value)
{
    rp_conntok_t set;
    char flags[4] = "";

    memset(&set, 0, sizeof(set));
    ck_assert_int_eq(rp_conntok_add(&set, connections[_i].value), connections[_i].rv);
    ck_assert_int_eq(set.n, connections[_i].n);
    strncat(flags, "c", (size_t)set.close);
    strncat(flags, "k", (size_t)set.keepalive);
    strncat(flags, "u", (size_t)set.upgrade);
    ck_assert_str_eq(flags, connections[_i].flags);
}
END_TEST

START_TEST(conntok_has_over_several_values)
{
    rp_conntok_t set;

    memset(&set, 0, sizeof(set));
    ck_assert_int_eq(rp_conntok_add(&set, "X-One, close"), APR_SUCCESS);
    ck_assert_int_eq(rp_conntok_add(&set, "x-two"), APR_SUCCESS);
    ck_assert_int_eq(rp_conntok_has(&set, "x-one", 5), 1);
    ck_assert_int_eq(rp_conntok_has(&set, "X-TWO", 5), 1);
    ck_assert_int_eq(rp_conntok_has(&set, "x-twos", 6), 0);
    ck_assert_int_eq(rp_conntok_has(&set, "x-tw", 4), 0);
    ck_assert_int_eq(rp_conntok_has(&set, "Host", 4), 0);
    ck_assert_int_eq(set.close, 1);
}
END_TEST

START_TEST(conntok_bounded)
{
    rp_conntok_t set;
    int i;

    memset(&set, 0, sizeof(set));
    for (i = 0; i < RP_CONNTOK_MAX; i++) {
        ck_assert_int_eq(rp_conntok_add(&set, "x"), APR_SUCCESS);
    }
    ck_assert_int_eq(rp_conntok_add(&set, " , "), APR_SUCCESS);
    ck_assert_int_eq(rp_conntok_add(&set, "close"), APR_ENOSPC);
    ck_assert_int_eq(set.n, RP_CONNTOK_MAX);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wire/headers");
    TCase *names = case_new(s, "names");
    TCase *lists_case = case_new(s, "lists");

    tcase_add_loop_test(names, id_known_name_in_any_case, 0, ROWS(known));
    tcase_add_loop_test(names, id_one_byte_off_is_other, 0, ROWS(known));
    tcase_add_loop_test(names, dropped_as_listed, 0, ROWS(known));
    tcase_add_test(names, other_is_kept_and_table_is_whole);
    tcase_add_loop_test(names, trailer_allowed_as_listed, 0, ROWS(trailers));
    tcase_add_test(names, name_ok_is_token);
    tcase_add_loop_test(lists_case, list_next_members, 0, ROWS(lists));
    tcase_add_test(lists_case, list_has_token_whole_members_only);
    tcase_add_loop_test(lists_case, conntok_add_value, 0, ROWS(connections));
    tcase_add_test(lists_case, conntok_has_over_several_values);
    tcase_add_test(lists_case, conntok_bounded);
    return suite_main(s);
}
