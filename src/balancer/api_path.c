/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/api_path.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

static const char *const methods[] = { [RP_API_NONE] = "",
                                       [RP_API_INDEX] = "GET, HEAD",
                                       [RP_API_BALANCERS] = "GET, HEAD",
                                       [RP_API_BALANCER] = "GET, HEAD, PATCH",
                                       [RP_API_MEMBERS] = "GET, HEAD, POST",
                                       [RP_API_MEMBER] = "GET, HEAD, PATCH, DELETE",
                                       [RP_API_DRAIN] = "POST, DELETE",
                                       [RP_API_POOLS] = "GET, HEAD",
                                       [RP_API_LOOPS] = "GET, HEAD",
                                       [RP_API_HEALTH] = "GET, HEAD",
                                       [RP_API_EVENTS] = "GET, HEAD",
                                       [RP_API_IN_FLIGHT] = "GET, HEAD" };

const char *rp_api_resource_methods(rp_api_resource_e resource) { return methods[resource]; }

#define SEGMENTS_MAX 5

/* The segments of a path that begins with '/', or -1: too many, or an empty one. */
static int split(apr_pool_t *pool, const char *path, const char *segment[SEGMENTS_MAX])
{
    int n = 0;

    while (*path == '/') {
        apr_size_t len = strcspn(path + 1, "/");

        if (len == 0) {
            return path[1] == '\0' ? n : -1;
        }
        if (n == SEGMENTS_MAX || len > RP_API_NAME_MAX) {
            return -1;
        }
        segment[n++] = apr_pstrmemdup(pool, path + 1, len);
        path += 1 + len;
    }
    return n;
}

static rp_api_resource_e plain(const char *name)
{
    static const struct {
        const char *name;
        rp_api_resource_e resource;
    } all[] = { { "balancers", RP_API_BALANCERS },
                { "pools", RP_API_POOLS },
                { "loops", RP_API_LOOPS },
                { "health", RP_API_HEALTH },
                { "events", RP_API_EVENTS },
                { "in-flight", RP_API_IN_FLIGHT } };
    size_t i;

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(all[i].name, name) == 0) {
            return all[i].resource;
        }
    }
    return RP_API_NONE;
}

/* path: what is behind "/v1". */
static rp_api_path_t resource_of(apr_pool_t *pool, const char *path)
{
    static const rp_api_resource_e by_depth[] = { RP_API_NONE,    RP_API_BALANCERS, RP_API_BALANCER,
                                                  RP_API_MEMBERS, RP_API_MEMBER,    RP_API_DRAIN };
    rp_api_path_t out = {RP_API_NONE, NULL, NULL};
    const char *segment[SEGMENTS_MAX];
    int n = split(pool, path, segment);

    if (n <= 1) {
        out.resource = n < 0 ? RP_API_NONE : n == 0 ? RP_API_INDEX : plain(segment[0]);
        return out;
    }
    if (strcmp(segment[0], "balancers") != 0 || (n > 2 && strcmp(segment[2], "members") != 0)
        || (n > 4 && strcmp(segment[4], "drain") != 0)) {
        return out;
    }
    out.resource = by_depth[n];
    out.balancer = segment[1];
    out.member = n > 3 ? segment[3] : NULL;
    return out;
}

rp_api_path_t rp_api_path_parse(apr_pool_t *pool, const char *uri)
{
    rp_api_path_t out = {RP_API_NONE, NULL, NULL};
    const char *at;

    for (at = uri; out.resource == RP_API_NONE && (at = strstr(at, "/v1")) != NULL; at += 3) {
        if (at[3] == '\0' || at[3] == '/') {
            out = resource_of(pool, at + 3);
        }
    }
    return out;
}

/* ---- queries and forms ---- */

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static char *decode(apr_pool_t *pool, const char *s, apr_size_t n)
{
    char *out = apr_palloc(pool, n + 1), *to = out;
    apr_size_t i;

    for (i = 0; i < n; i++) {
        if (s[i] == '%') {
            int high = n - i > 2 ? hex_value(s[i + 1]) : -1, low = n - i > 2 ? hex_value(s[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0) {
                return NULL;
            }
            *to++ = (char)(high << 4 | low);
            i += 2;
        }
        else {
            *to++ = s[i] == '+' ? ' ' : s[i];
        }
    }
    *to = '\0';
    return out;
}

apr_table_t *rp_api_query_parse(apr_pool_t *pool, const char *text, int max)
{
    apr_table_t *all = apr_table_make(pool, 8);

    while (text != NULL && *text != '\0') {
        apr_size_t len = strcspn(text, "&");
        const char *equals = memchr(text, '=', len);
        apr_size_t name_len = equals ? (apr_size_t)(equals - text) : len;
        char *name = decode(pool, text, name_len);
        char *value = decode(pool, text + name_len + (equals != NULL), len - name_len - (equals != NULL));

        if (name == NULL || value == NULL || max-- == 0) {
            return NULL;
        }
        if (*name != '\0') {
            apr_table_setn(all, name, value);
        }
        text += len + (text[len] == '&');
    }
    return all;
}

/* ---- members ---- */

const char *rp_api_member_id(apr_pool_t *pool, const char *url)
{
    apr_uint64_t h = APR_UINT64_C(14695981039346656037);

    for (; *url != '\0'; url++) {
        h = (h ^ (unsigned char)*url) * APR_UINT64_C(1099511628211);
    }
    return apr_psprintf(pool, "%08x%08x", (unsigned)(h >> 32), (unsigned)(h & 0xffffffffu));
}

const char *rp_api_member_url_refused(const char *url)
{
    static const char *const schemes[] = {"http://", "https://", "ws://", "wss://"};
    const char *rest = NULL, *p;
    size_t i;

    for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]) && rest == NULL; i++) {
        rest = strncasecmp(url, schemes[i], strlen(schemes[i])) == 0 ? url + strlen(schemes[i]) : NULL;
    }
    if (rest == NULL) {
        return "members that are added while the server runs begin with http://, https://, ws:// or wss://; sockets "
               "and other schemes "
               "need a line in the configuration";
    }
    for (p = url; *p != '\0'; p++) {
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f || strchr("\"<>\\^`{|}?#$@", *p)) {
            return "the URL of a member has a host, perhaps a port and a path, and none of the characters \" < > \\ ^ "
                   "` { | } ? # $ @";
        }
    }
    return *rest == '\0' || *rest == '/' || *rest == ':' ? "the URL of a member names a host" : NULL;
}
