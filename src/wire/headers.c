/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file headers.c
 * Names, lists and the Connection header.
 */
#include "wire/headers.h"

#include <string.h>

#include "wire/chars_int.h"

/** The candidate's length is the case label's, so only the bytes are compared. */
#define MATCH(literal, id)                                     \
    do {                                                       \
        if (rp_ch_equal(name, literal, sizeof(literal) - 1)) { \
            return id;                                         \
        }                                                      \
    } while (0)

/** Names of up to 10 bytes. */
static rp_hdr_e short_id(const char *name, apr_size_t n)
{
    switch (n) {
    case 2: MATCH("te", RP_HDR_TE); break;
    case 3: MATCH("via", RP_HDR_VIA); break;
    case 4:
        MATCH("date", RP_HDR_DATE);
        MATCH("host", RP_HDR_HOST);
        break;
    case 6:
        MATCH("server", RP_HDR_SERVER);
        MATCH("expect", RP_HDR_EXPECT);
        break;
    case 7:
        MATCH("expires", RP_HDR_EXPIRES);
        MATCH("upgrade", RP_HDR_UPGRADE);
        MATCH("trailer", RP_HDR_TRAILER);
        MATCH("warning", RP_HDR_WARNING);
        break;
    case 8:
        MATCH("location", RP_HDR_LOCATION);
        MATCH("if-match", RP_HDR_IF_MATCH);
        MATCH("if-range", RP_HDR_IF_RANGE);
        break;
    case 10:
        MATCH("connection", RP_HDR_CONNECTION);
        MATCH("set-cookie", RP_HDR_SET_COOKIE);
        MATCH("keep-alive", RP_HDR_KEEP_ALIVE);
        break;
    default: break;
    }
    return RP_HDR_OTHER;
}

/** Names of more than 10 bytes. */
static rp_hdr_e long_id(const char *name, apr_size_t n)
{
    switch (n) {
    case 12:
        MATCH("content-type", RP_HDR_CONTENT_TYPE);
        MATCH("max-forwards", RP_HDR_MAX_FORWARDS);
        break;
    case 13:
        MATCH("last-modified", RP_HDR_LAST_MODIFIED);
        MATCH("authorization", RP_HDR_AUTHORIZATION);
        MATCH("if-none-match", RP_HDR_IF_NONE_MATCH);
        break;
    case 14: MATCH("content-length", RP_HDR_CONTENT_LENGTH); break;
    case 15: MATCH("x-forwarded-for", RP_HDR_X_FORWARDED_FOR); break;
    case 16:
        MATCH("x-forwarded-host", RP_HDR_X_FORWARDED_HOST);
        MATCH("www-authenticate", RP_HDR_WWW_AUTHENTICATE);
        MATCH("proxy-connection", RP_HDR_PROXY_CONNECTION);
        break;
    case 17:
        MATCH("transfer-encoding", RP_HDR_TRANSFER_ENCODING);
        MATCH("x-forwarded-proto", RP_HDR_X_FORWARDED_PROTO);
        MATCH("if-modified-since", RP_HDR_IF_MODIFIED_SINCE);
        break;
    case 18:
        MATCH("x-forwarded-server", RP_HDR_X_FORWARDED_SERVER);
        MATCH("proxy-authenticate", RP_HDR_PROXY_AUTHENTICATE);
        break;
    case 19:
        MATCH("if-unmodified-since", RP_HDR_IF_UNMODIFIED_SINCE);
        MATCH("proxy-authorization", RP_HDR_PROXY_AUTHORIZATION);
        break;
    default: break;
    }
    return RP_HDR_OTHER;
}

rp_hdr_e rp_hdr_id(const char *name, apr_size_t n)
{
    return n <= 10 ? short_id(name, n) : long_id(name, n);
}

int rp_hdr_name_ok(const char *name, apr_size_t n)
{
    apr_size_t i;

    for (i = 0; i < n; i++) {
        if (!rp_ch_is(name[i], RP_CH_TCHAR)) {
            return 0;
        }
    }
    return n > 0;
}

int rp_hdr_value_ok(const char *value, apr_size_t n)
{
    return rp_ctl_find(value, n) == n;
}

/** First byte behind the quoted string that starts at p; the terminator when it is not closed. */
static const char *quoted_end(const char *p)
{
    for (p++; *p && *p != '"'; p++) {
        if (*p == '\\' && p[1]) {
            p++;
        }
    }
    return *p ? p + 1 : p;
}

int rp_list_next(const char **cursor, rp_slice_t *out)
{
    const char *p = *cursor;
    const char *start;

    while (*p == ',' || rp_ch_is(*p, RP_CH_BLANK)) {
        p++;
    }
    start = p;
    while (*p && *p != ',') {
        p = *p == '"' ? quoted_end(p) : p + 1;
    }
    *cursor = p;
    while (p > start && rp_ch_is(p[-1], RP_CH_BLANK)) {
        p--;
    }
    out->p = start;
    out->n = (apr_size_t)(p - start);
    return out->n > 0;
}

int rp_list_has_token(const char *list, const char *token)
{
    rp_slice_t member;
    apr_size_t n = strlen(token);

    if (!list) {
        return 0;
    }
    while (rp_list_next(&list, &member)) {
        if (member.n == n && rp_ch_equal(member.p, token, n)) {
            return 1;
        }
    }
    return 0;
}

/** 1 when the slice is the literal, whatever the case of its letters. */
static int slice_is(const rp_slice_t *s, const char *literal, apr_size_t n)
{
    return s->n == n && rp_ch_equal(s->p, literal, n);
}

apr_status_t rp_conntok_add(rp_conntok_t *set, const char *value)
{
    rp_slice_t tok;

    while (rp_list_next(&value, &tok)) {
        if (!rp_hdr_name_ok(tok.p, tok.n)) {
            return APR_EINVAL;
        }
        if (set->n == RP_CONNTOK_MAX) {
            return APR_ENOSPC;
        }
        set->tok[set->n++] = tok;
        set->close |= slice_is(&tok, "close", 5);
        set->keepalive |= slice_is(&tok, "keep-alive", 10);
        set->upgrade |= slice_is(&tok, "upgrade", 7);
    }
    return APR_SUCCESS;
}

int rp_conntok_has(const rp_conntok_t *set, const char *name, apr_size_t n)
{
    int i;

    for (i = 0; i < set->n; i++) {
        if (slice_is(&set->tok[i], name, n)) {
            return 1;
        }
    }
    return 0;
}

int rp_hdr_req_dropped(rp_hdr_e id)
{
    switch (id) {
    case RP_HDR_CONNECTION:
    case RP_HDR_PROXY_CONNECTION:
    case RP_HDR_KEEP_ALIVE:
    case RP_HDR_TE:
    case RP_HDR_TRAILER:
    case RP_HDR_UPGRADE:
    case RP_HDR_TRANSFER_ENCODING:
    case RP_HDR_CONTENT_LENGTH:
    case RP_HDR_HOST:
    case RP_HDR_EXPECT: return 1;
    default: return 0;
    }
}

int rp_hdr_resp_dropped(rp_hdr_e id)
{
    switch (id) {
    case RP_HDR_CONNECTION:
    case RP_HDR_PROXY_CONNECTION:
    case RP_HDR_KEEP_ALIVE:
    case RP_HDR_PROXY_AUTHENTICATE:
    case RP_HDR_TE:
    case RP_HDR_TRAILER:
    case RP_HDR_UPGRADE:
    case RP_HDR_TRANSFER_ENCODING:
    case RP_HDR_CONTENT_LENGTH: return 1;
    default: return 0;
    }
}

int rp_hdr_trailer_ok(const char *name, apr_size_t n)
{
    /* What is not in rp_hdr_e: routing, request modifiers, authentication, response control,
     * content format. */
    static const char *const forbidden[] = {
        "accept-ranges",
        "age",
        "authentication-info",
        "cache-control",
        "content-encoding",
        "content-location",
        "content-range",
        "cookie",
        "cookie2",
        "forwarded",
        "http2-settings",
        "pragma",
        "proxy-authentication-info",
        "range",
        "retry-after",
        "set-cookie2",
        "strict-transport-security",
        "vary",
        "x-real-ip",
    };
    apr_size_t i;

    if (!rp_hdr_name_ok(name, n) || rp_hdr_id(name, n) != RP_HDR_OTHER) {
        return 0;
    }
    for (i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        if (strlen(forbidden[i]) == n && rp_ch_equal(name, forbidden[i], n)) {
            return 0;
        }
    }
    return 1;
}
