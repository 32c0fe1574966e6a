/* SPDX-License-Identifier: Apache-2.0 */
#include "mapping/target.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

int rp_text_is_uds(const char *text)
{
    return strncasecmp(text, "unix:", 5) == 0;
}

int rp_authority_find(const char *text, int uds, apr_size_t *start, apr_size_t *end)
{
    const char *p = text;
    apr_size_t n;

    *start = *end = 0;
    if (uds) {
        p = strchr(text, '|');
        if (!p) {
            return 0;
        }
        p++;
    }
    n = strcspn(p, ":/?#");
    if (n == 0 || p[n] != ':') {
        return 0;
    }
    p += n + 1;
    if (p[0] == '/' && p[1] == '/') {
        p += 2;
        *start = (apr_size_t)(p - text);
        *end = *start + strcspn(p, "/?#");
    }
    else {
        *start = *end = (apr_size_t)(p - text);
    }
    return 1;
}

/* 1 when the URL has no path, so that what is put behind it would continue host or port. */
static int has_no_path(const char *url, const rp_base_t *base)
{
    apr_size_t a, z;

    if (base) {
        return url[base->written] == '\0';
    }
    return rp_authority_find(url, rp_text_is_uds(url), &a, &z) && url[z] == '\0';
}

apr_status_t rp_target_join(apr_pool_t *pool, const char *url, const rp_base_t *base,
                            const char *rest, const char **out, rp_map_err_e *err)
{
    apr_size_t url_len = strlen(url);
    apr_size_t rest_len = strlen(rest);
    char *p;

    *err = RP_MAP_OK;
    *out = p = apr_palloc(pool, RP_PROXY_PREFIX_LEN + url_len + rest_len + 2);
    memcpy(p, RP_PROXY_PREFIX, RP_PROXY_PREFIX_LEN);
    p += RP_PROXY_PREFIX_LEN;
    memcpy(p, url, url_len);
    p += url_len;
    if (rest[0] && rest[0] != '/' && has_no_path(url, base)) {
        if (rest[0] != '?' && rest[0] != ';') {
            *out = NULL;
            *err = RP_MAP_NO_SLASH;
            return APR_EINVAL;
        }
        *p++ = '/';
    }
    memcpy(p, rest, rest_len + 1);
    return APR_SUCCESS;
}

static const char *balancer_name(apr_pool_t *pool, const rp_url_t *url)
{
    if (strcmp(url->scheme, "balancer") != 0) {
        return NULL;
    }
    return url->port_given ? apr_psprintf(pool, "balancer://%s:%d", url->host, url->port)
                           : apr_pstrcat(pool, "balancer://", url->host, NULL);
}

apr_status_t rp_base_parse(apr_pool_t *pool, const char *text, int allow_uds, rp_base_t *out,
                           rp_url_err_e *err)
{
    apr_size_t a = 0;
    int uds = allow_uds && rp_text_is_uds(text);
    apr_status_t rv;

    memset(out, 0, sizeof(*out));
    if (!rp_authority_find(text, uds, &a, &out->written)) {
        *err = uds ? RP_URL_BAD_UDS : RP_URL_NO_SCHEME;
        return APR_EINVAL;
    }
    rv = rp_url_parse(pool, apr_pstrmemdup(pool, text, out->written), uds, &out->url, err);
    if (rv == APR_SUCCESS) {
        out->text = apr_pstrcat(pool, RP_PROXY_PREFIX, rp_url_str(pool, &out->url), NULL);
        out->len = strlen(out->text);
        out->balancer = balancer_name(pool, &out->url);
    }
    return rv;
}

const char *rp_target_normal(apr_pool_t *pool, const char *text, const rp_base_t *base, int encoded)
{
    const char *path = text + base->written;
    const char *front = base->text + RP_PROXY_PREFIX_LEN;

    path = rp_path_normal(pool, encoded ? path : rp_path_encode(pool, path, strlen(path), 1));
    if (base->url.uds != NULL) {
        return apr_pstrcat(pool, "unix:", base->url.uds, "|", front, path, NULL);
    }
    return apr_pstrcat(pool, front, path, NULL);
}

int rp_target_begins(const char *url, const char *prefix)
{
    apr_size_t n = strlen(prefix);
    apr_size_t a, z;

    if (strncmp(url, prefix, n) != 0) {
        return 0;
    }
    if (!rp_authority_find(prefix, rp_text_is_uds(prefix), &a, &z) || z < n) {
        return 1; /* it has a path, so its host is whole */
    }
    return url[n] == '\0' || url[n] == '/' || url[n] == '?';
}

const char *rp_base_path(apr_pool_t *pool, const char *rest)
{
    if (rest[0] == '/') {
        return rest;
    }
    return rest[0] ? apr_pstrcat(pool, "/", rest, NULL) : "/";
}

const char *rp_target_raw(const char *unparsed)
{
    const char *p;

    if (!unparsed || unparsed[0] == '/') {
        return unparsed;
    }
    p = strstr(unparsed, "://");
    if (!p) {
        return NULL;
    }
    p += 3;
    p += strcspn(p, "/?#");
    return *p == '/' ? p : NULL;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)apr_tolower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; malformed escapes and %00 stay as they are. */
static void percent_decode(char *s)
{
    char *w = s;

    while (*s) {
        int hi = s[0] == '%' ? hex_value(s[1]) : -1;
        int lo = hi >= 0 ? hex_value(s[2]) : -1;

        if (lo >= 0 && (hi || lo)) {
            *w++ = (char)(hi * 16 + lo);
            s += 3;
        }
        else {
            *w++ = *s++;
        }
    }
    *w = '\0';
}

/* needle is not empty */
static int find_nocase(const char *text, const char *needle)
{
    const char first[] = { (char)apr_tolower(*needle), (char)apr_toupper(*needle), '\0' };
    apr_size_t n = strlen(needle);

    while ((text = strpbrk(text, first)) != NULL) {
        if (strncasecmp(text, needle, n) == 0) {
            return 1;
        }
        text++;
    }
    return 0;
}

int rp_text_contains(apr_pool_t *pool, const char *text, const char *needle)
{
    char *decoded;
    int round;

    if (find_nocase(text, needle)) {
        return 1;
    }
    if (!strchr(text, '%')) {
        return 0;
    }
    decoded = apr_pstrdup(pool, text);
    for (round = 0; round < 2; round++) {
        percent_decode(decoded);
        if (find_nocase(decoded, needle)) {
            return 1;
        }
    }
    return 0;
}
