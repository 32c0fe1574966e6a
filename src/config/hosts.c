/* SPDX-License-Identifier: Apache-2.0 */
#include "config/hosts.h"

#include <string.h>
#include <strings.h>

#include <apr_strings.h>

int rp_net_looks(const char *text)
{
    return strchr(text, ':') != NULL || (*text && strspn(text, "0123456789./") == strlen(text));
}

/* "192.168.112" stands for "192.168.112.0", which is what the parser wants in front of a mask. */
static const char *fill_up(apr_pool_t *pool, const char *ip)
{
    int dots = 0;
    const char *p;

    for (p = ip; *p; p++) {
        dots += *p == '.';
    }
    for (; dots < 3 && strchr(ip, ':') == NULL; dots++) {
        ip = apr_pstrcat(pool, ip, ".0", NULL);
    }
    return ip;
}

apr_status_t rp_net_parse(apr_pool_t *pool, const char *text, apr_ipsubnet_t **net)
{
    const char *slash = strchr(text, '/');
    const char *ip = text;

    if (slash != NULL) {
        apr_size_t digits = strspn(slash + 1, "0123456789");

        if (digits == 0 || slash[1 + digits] != '\0' || slash == text) {
            return APR_EINVAL;
        }
        ip = fill_up(pool, apr_pstrmemdup(pool, text, (apr_size_t)(slash - text)));
    }
    if (*ip == '\0' || ip[strlen(ip) - 1] == '.') {
        return APR_EINVAL;
    }
    return apr_ipsubnet_create(net, ip, slash ? slash + 1 : NULL, pool) == APR_SUCCESS ? APR_SUCCESS : APR_EINVAL;
}

/* ---- NoProxy ---- */

static int is_in_domain(const char *host, const char *domain)
{
    apr_size_t n = strlen(domain);
    apr_size_t h = strlen(host);

    return domain[0] == '.' && h > n && strcasecmp(host + h - n, domain) == 0;
}

int rp_host_exempt(apr_pool_t *pool, const apr_array_header_t *names, const char *host)
{
    apr_sockaddr_t *addrs = NULL;
    int asked = 0;
    int i;

    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        const apr_sockaddr_t *a;
        apr_ipsubnet_t *net;

        if (strcasecmp(name, host) == 0 || is_in_domain(host, name)) {
            return 1;
        }
        if (!rp_net_looks(name) || rp_net_parse(pool, name, &net) != APR_SUCCESS) {
            continue;
        }
        if (!asked && apr_sockaddr_info_get(&addrs, host, APR_UNSPEC, 0, 0, pool) != APR_SUCCESS) {
            addrs = NULL;
        }
        asked = 1;
        for (a = addrs; a != NULL; a = a->next) {
            if (apr_ipsubnet_test(net, (apr_sockaddr_t *)a)) {
                return 1;
            }
        }
    }
    return 0;
}

/* ---- ProxyBlock ---- */

static int contains(const char *host, const char *word)
{
    apr_size_t n = strlen(word);

    for (; *host; host++) {
        if (strncasecmp(host, word, n) == 0) {
            return 1;
        }
    }
    return 0;
}

const char *rp_host_blocked(const apr_array_header_t *names, const char *host)
{
    int i;

    for (i = 0; i < names->nelts; i++) {
        const char *word = APR_ARRAY_IDX(names, i, const char *);

        if (strcmp(word, "*") == 0 || contains(host, word)) {
            return word;
        }
    }
    return NULL;
}

apr_array_header_t *rp_blocked_addrs(apr_pool_t *pool, const apr_array_header_t *names)
{
    apr_array_header_t *out = apr_array_make(pool, 4, sizeof(rp_blocked_addr_t));
    int i;

    for (i = 0; i < names->nelts; i++) {
        const char *word = APR_ARRAY_IDX(names, i, const char *);
        apr_sockaddr_t *a = NULL;

        if (strcmp(word, "*") == 0 || word[0] == '.'
            || apr_sockaddr_info_get(&a, word, APR_UNSPEC, 0, 0, pool) != APR_SUCCESS) {
            continue;
        }
        for (; a != NULL; a = a->next) {
            APR_ARRAY_PUSH(out, rp_blocked_addr_t) = (rp_blocked_addr_t){word, a};
        }
    }
    return out;
}

const char *rp_addr_blocked(const apr_array_header_t *blocked, const apr_sockaddr_t *addr)
{
    int i;

    for (i = 0; i < blocked->nelts; i++) {
        const rp_blocked_addr_t *b = &APR_ARRAY_IDX(blocked, i, rp_blocked_addr_t);

        if (apr_sockaddr_equal(b->addr, addr)) {
            return b->word;
        }
    }
    return NULL;
}
