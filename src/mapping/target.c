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

apr_status_t rp_target_join(apr_pool_t *pool, const char *url, const char *rest, const char **out,
                            rp_map_err_e *err)
{
    apr_size_t a, z;
    const char *between = "";

    *err = RP_MAP_OK;
    *out = NULL;
    if (rp_authority_find(url, rp_text_is_uds(url), &a, &z) && url[z] == '\0' && rest[0]
        && rest[0] != '/') {
        if (rest[0] != '?' && rest[0] != ';') {
            *err = RP_MAP_NO_SLASH;
            return APR_EINVAL;
        }
        between = "/";
    }
    *out = apr_pstrcat(pool, url, between, rest, NULL);
    return APR_SUCCESS;
}

apr_status_t rp_target_split(apr_pool_t *pool, const char *text, int allow_uds, rp_url_t *out,
                             const char **path, rp_url_err_e *err)
{
    apr_size_t a = 0, z = 0;
    int uds = allow_uds && rp_text_is_uds(text);

    *path = "/";
    memset(out, 0, sizeof(*out));
    if (!rp_authority_find(text, uds, &a, &z)) {
        *err = uds ? RP_URL_BAD_UDS : RP_URL_NO_SCHEME;
        return APR_EINVAL;
    }
    if (text[z] == '/') {
        *path = text + z;
    }
    else if (text[z]) {
        *path = apr_pstrcat(pool, "/", text + z, NULL);
    }
    return rp_url_parse(pool, apr_pstrmemdup(pool, text, z), uds, out, err);
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
