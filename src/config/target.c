/* SPDX-License-Identifier: Apache-2.0 */
#include "config/target.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#define SCHEME_MAX 15
#define BALANCER_PREFIX "balancer://"

/* Behind "unix:/path|", or the URL itself. */
static const char *skip_socket(const char *url)
{
    if (strncasecmp(url, "unix:", 5) == 0) {
        const char *bar = strchr(url, '|');

        return bar ? bar + 1 : "";
    }
    return url;
}

rp_target_e rp_target_kind(apr_pool_t *pool, const char *url, const char **scheme)
{
    static const char *const spoken[] = {"http", "https", "ws", "wss", NULL};
    static const char *const unspoken[] = {"fcgi", "ajp",   "scgi", "uwsgi", "ftp",
                                           "h2",   "h2c",   "fd",   "gopher", NULL};
    const char *p = skip_socket(url);
    char *name = apr_pcalloc(pool, SCHEME_MAX + 1);
    apr_size_t n = 0;

    while (n < SCHEME_MAX && (apr_isalnum(p[n]) || (p[n] && strchr("+-.", p[n])))) {
        name[n] = (char)apr_tolower(p[n]);
        n++;
    }
    if (p[n] != ':') {
        name[0] = '\0';
    }
    if (scheme) {
        *scheme = name;
    }
    if (strcmp(name, "balancer") == 0) {
        return RP_TARGET_BALANCER;
    }
    for (int i = 0; spoken[i]; i++) {
        if (strcmp(name, spoken[i]) == 0) {
            return RP_TARGET_DIRECT;
        }
    }
    for (int i = 0; unspoken[i]; i++) {
        if (strcmp(name, unspoken[i]) == 0) {
            return RP_TARGET_UNSPOKEN;
        }
    }
    return RP_TARGET_UNKNOWN;
}

/* Offset of the first byte behind scheme, host and port. */
static apr_size_t authority_end(const char *url)
{
    const char *p = skip_socket(url);
    const char *sep = strstr(p, "://");

    if (sep) {
        p = sep + 3;
    }
    return (apr_size_t)(p - url) + strcspn(p, "/?#");
}

rp_varies_e rp_target_varies(const char *url, int groups, int variables, apr_size_t *fixed)
{
    for (const char *p = url; *p; p++) {
        if (groups && *p == '\\' && p[1]) {
            p++;
            continue;
        }
        if (*p == '$' && ((groups && apr_isdigit(p[1])) || (variables && p[1] == '{'))) {
            *fixed = (apr_size_t)(p - url);
            return *fixed < authority_end(url) ? RP_VARIES_AUTHORITY : RP_VARIES_PATH;
        }
    }
    *fixed = strlen(url);
    return RP_VARIES_NOTHING;
}

const char *rp_target_balancer(apr_pool_t *pool, const char *url, const char **name,
                               const char **rest)
{
    apr_size_t prefix = sizeof(BALANCER_PREFIX) - 1;
    apr_size_t n;
    char *lower;

    if (strncasecmp(url, BALANCER_PREFIX, prefix) != 0) {
        return "does not start with balancer://";
    }
    n = strcspn(url + prefix, "/?#");
    if (n == 0) {
        return "has no name";
    }
    for (apr_size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)url[prefix + i];

        if (c <= ' ' || c == 0x7f || c == '|' || c == '"') {
            return "has a space, a control character, '|' or '\"' in its name";
        }
    }
    if (prefix + n > RP_BALANCER_NAME_MAX) {
        return "is longer than 95 bytes";
    }
    lower = apr_pstrmemdup(pool, url, prefix + n);
    for (char *p = lower; *p; p++) {
        *p = (char)apr_tolower(*p);
    }
    *name = lower;
    *rest = url + prefix + n;
    return NULL;
}

int rp_target_wild(apr_pool_t *pool, const char *url, const char **pattern)
{
    const char *host = strstr(url, "://[");
    const char *end = host ? strchr(host, ']') : NULL;
    apr_size_t open;

    *pattern = url;
    if (end == NULL) {
        return strpbrk(url, "*?[") != NULL;
    }
    open = (apr_size_t)(host - url) + 3;
    *pattern = apr_pstrcat(pool, apr_pstrmemdup(pool, url, open), "\\", host + 3, NULL);
    return strpbrk(end, "*?[") != NULL;
}
