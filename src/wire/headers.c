/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file headers.c
 * Names, lists and the Connection header.
 */
#include "wire/headers.h"

#include <string.h>

#include "wire/chars_int.h"

/**
 * The place of a name in the table: no two names share one, so a look-up compares once. The
 * compiler warns when a new name falls on a taken place; then other factors have to be found. first
 * and last are in lower case.
 */
#define PLACES 64
#define PLACE(n, first, last) \
    (((unsigned int)(n) * 8 + (unsigned int)(first) * 23 + (unsigned int)(last) * 6) % PLACES)
#define NAME(first, text, last, id) \
    [PLACE(sizeof(text) - 1, first, last)] = { text, sizeof(text) - 1, id }

/** In the case that is usual: it is compared fastest. */
static const struct {
    const char *name;
    apr_size_t n;
    rp_hdr_e id;
} names[PLACES] = {
    NAME('t', "TE", 'e', RP_HDR_TE),
    NAME('v', "Via", 'a', RP_HDR_VIA),
    NAME('d', "Date", 'e', RP_HDR_DATE),
    NAME('h', "Host", 't', RP_HDR_HOST),
    NAME('s', "Server", 'r', RP_HDR_SERVER),
    NAME('e', "Expect", 't', RP_HDR_EXPECT),
    NAME('e', "Expires", 's', RP_HDR_EXPIRES),
    NAME('u', "Upgrade", 'e', RP_HDR_UPGRADE),
    NAME('t', "Trailer", 'r', RP_HDR_TRAILER),
    NAME('w', "Warning", 'g', RP_HDR_WARNING),
    NAME('l', "Location", 'n', RP_HDR_LOCATION),
    NAME('i', "If-Match", 'h', RP_HDR_IF_MATCH),
    NAME('i', "If-Range", 'e', RP_HDR_IF_RANGE),
    NAME('c', "Connection", 'n', RP_HDR_CONNECTION),
    NAME('s', "Set-Cookie", 'e', RP_HDR_SET_COOKIE),
    NAME('k', "Keep-Alive", 'e', RP_HDR_KEEP_ALIVE),
    NAME('c', "Content-Type", 'e', RP_HDR_CONTENT_TYPE),
    NAME('m', "Max-Forwards", 's', RP_HDR_MAX_FORWARDS),
    NAME('l', "Last-Modified", 'd', RP_HDR_LAST_MODIFIED),
    NAME('a', "Authorization", 'n', RP_HDR_AUTHORIZATION),
    NAME('i', "If-None-Match", 'h', RP_HDR_IF_NONE_MATCH),
    NAME('c', "Content-Length", 'h', RP_HDR_CONTENT_LENGTH),
    NAME('x', "X-Forwarded-For", 'r', RP_HDR_X_FORWARDED_FOR),
    NAME('x', "X-Forwarded-Host", 't', RP_HDR_X_FORWARDED_HOST),
    NAME('w', "WWW-Authenticate", 'e', RP_HDR_WWW_AUTHENTICATE),
    NAME('p', "Proxy-Connection", 'n', RP_HDR_PROXY_CONNECTION),
    NAME('t', "Transfer-Encoding", 'g', RP_HDR_TRANSFER_ENCODING),
    NAME('x', "X-Forwarded-Proto", 'o', RP_HDR_X_FORWARDED_PROTO),
    NAME('i', "If-Modified-Since", 'e', RP_HDR_IF_MODIFIED_SINCE),
    NAME('x', "X-Forwarded-Server", 'r', RP_HDR_X_FORWARDED_SERVER),
    NAME('p', "Proxy-Authenticate", 'e', RP_HDR_PROXY_AUTHENTICATE),
    NAME('i', "If-Unmodified-Since", 'e', RP_HDR_IF_UNMODIFIED_SINCE),
    NAME('p', "Proxy-Authorization", 'n', RP_HDR_PROXY_AUTHORIZATION),
};

rp_hdr_e rp_hdr_id(const char *name, apr_size_t n)
{
    unsigned int at;

    if (n == 0) {
        return RP_HDR_OTHER;
    }
    at = PLACE(n, rp_ch_lower(name[0]), rp_ch_lower(name[n - 1]));
    return names[at].n == n && rp_ch_equal(name, names[at].name, n) ? names[at].id : RP_HDR_OTHER;
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
