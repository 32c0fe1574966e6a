/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file headers.c
 * Names, lists and the Connection header.
 */
#include "wire/headers.h"

#include <string.h>

#include "wire/chars_int.h"

#define NAME_LEN_MAX 19

/** The names, by their length; each row ends with an empty entry. */
static const struct {
    const char *name;
    rp_hdr_e id;
} names[NAME_LEN_MAX + 1][5] = {
    [2] = { { "te", RP_HDR_TE } },
    [3] = { { "via", RP_HDR_VIA } },
    [4] = { { "date", RP_HDR_DATE }, { "host", RP_HDR_HOST } },
    [6] = { { "server", RP_HDR_SERVER }, { "expect", RP_HDR_EXPECT } },
    [7] = { { "expires", RP_HDR_EXPIRES },
            { "upgrade", RP_HDR_UPGRADE },
            { "trailer", RP_HDR_TRAILER },
            { "warning", RP_HDR_WARNING } },
    [8] = { { "location", RP_HDR_LOCATION },
            { "if-match", RP_HDR_IF_MATCH },
            { "if-range", RP_HDR_IF_RANGE } },
    [10] = { { "connection", RP_HDR_CONNECTION },
             { "set-cookie", RP_HDR_SET_COOKIE },
             { "keep-alive", RP_HDR_KEEP_ALIVE } },
    [12] = { { "content-type", RP_HDR_CONTENT_TYPE }, { "max-forwards", RP_HDR_MAX_FORWARDS } },
    [13] = { { "last-modified", RP_HDR_LAST_MODIFIED },
             { "authorization", RP_HDR_AUTHORIZATION },
             { "if-none-match", RP_HDR_IF_NONE_MATCH } },
    [14] = { { "content-length", RP_HDR_CONTENT_LENGTH } },
    [15] = { { "x-forwarded-for", RP_HDR_X_FORWARDED_FOR } },
    [16] = { { "x-forwarded-host", RP_HDR_X_FORWARDED_HOST },
             { "www-authenticate", RP_HDR_WWW_AUTHENTICATE },
             { "proxy-connection", RP_HDR_PROXY_CONNECTION } },
    [17] = { { "transfer-encoding", RP_HDR_TRANSFER_ENCODING },
             { "x-forwarded-proto", RP_HDR_X_FORWARDED_PROTO },
             { "if-modified-since", RP_HDR_IF_MODIFIED_SINCE } },
    [18] = { { "x-forwarded-server", RP_HDR_X_FORWARDED_SERVER },
             { "proxy-authenticate", RP_HDR_PROXY_AUTHENTICATE } },
    [19] = { { "if-unmodified-since", RP_HDR_IF_UNMODIFIED_SINCE },
             { "proxy-authorization", RP_HDR_PROXY_AUTHORIZATION } },
};

rp_hdr_e rp_hdr_id(const char *name, apr_size_t n)
{
    int i;

    if (n > NAME_LEN_MAX) {
        return RP_HDR_OTHER;
    }
    for (i = 0; names[n][i].name; i++) {
        if (rp_ch_equal(name, names[n][i].name, n)) {
            return names[n][i].id;
        }
    }
    return RP_HDR_OTHER;
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
