/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file url_path.c
 * Paths: encoding, fitness for a request line, prefix match of mapping rules. Servlet match:
 * url_servlet.c.
 */
#include "wire/url.h"

#include <string.h>

#include <apr_strings.h>

#include "wire/chars_int.h"

int rp_target_ok(const char *s, apr_size_t n)
{
    return rp_ch_visible(s, n);
}

/** 1 when s[0..n) starts with "%2F" or "%2f". */
static int slash_escape(const char *s, apr_size_t n)
{
    return n >= 3 && s[0] == '%' && s[1] == '2' && rp_ch_lower(s[2]) == 'f';
}

const char *rp_path_encode(apr_pool_t *pool, const char *path, apr_size_t n, int keep_slash_escapes)
{
    static const char hex[] = "0123456789ABCDEF";
    apr_size_t escapes = 0;
    apr_size_t i;
    char *out;
    char *p;

    for (i = 0; i < n; i++) {
        escapes += !rp_ch_is(path[i], RP_CH_PATH);
    }
    if (escapes == 0) {
        return apr_pstrmemdup(pool, path, n);
    }
    out = p = apr_palloc(pool, n + 2 * escapes + 1);
    for (i = 0; i < n; i++) {
        unsigned char c = (unsigned char)path[i];

        if (rp_ch_is(path[i], RP_CH_PATH)
            || (keep_slash_escapes && slash_escape(path + i, n - i))) {
            *p++ = path[i];
            continue;
        }
        *p++ = '%';
        *p++ = hex[c >> 4];
        *p++ = hex[c & 15];
    }
    *p = '\0';
    return out;
}

/** Write c, escaped unless it may stand in a path. @return behind it */
static char *put_path_byte(char *p, char c, int escape)
{
    static const char hex[] = "0123456789ABCDEF";

    if (!escape && rp_ch_is(c, RP_CH_PATH)) {
        *p++ = c;
        return p;
    }
    *p++ = '%';
    *p++ = hex[(unsigned char)c >> 4];
    *p++ = hex[(unsigned char)c & 15];
    return p;
}

const char *rp_path_normal(apr_pool_t *pool, const char *path)
{
    char *out = apr_palloc(pool, 3 * strlen(path) + 1);
    char *p = out;

    while (*path && *path != '?') {
        int hi = *path == '%' ? rp_ch_hex(path[1]) : -1;
        int lo = hi >= 0 ? rp_ch_hex(path[2]) : -1;

        if (lo >= 0) {
            char c = (char)(hi << 4 | lo);

            p = put_path_byte(p, c, c == '/');
            path += 3;
        }
        else {
            p = put_path_byte(p, *path++, 0);
        }
    }
    memcpy(p, path, strlen(path) + 1);
    return out;
}

/** First byte behind a run of '/'. */
static const char *slashes_end(const char *p)
{
    while (*p == '/') {
        p++;
    }
    return p;
}

apr_size_t rp_prefix_match(const char *uri, const char *rule)
{
    const char *u = uri;
    const char *r = rule;

    while (*r) {
        if (*u != *r) {
            return 0;
        }
        if (*r == '/') {
            u = slashes_end(u);
            r = slashes_end(r);
        }
        else {
            u++;
            r++;
        }
    }
    if (r == rule || (r[-1] != '/' && *u != '\0' && *u != '/')) {
        return 0;
    }
    return (apr_size_t)(u - uri);
}
