/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file url.c
 * Backend URLs: taking them apart and writing their normal form. Paths: url_path.c.
 */
#include "wire/url.h"

#include <arpa/inet.h>
#include <string.h>

#include <apr_strings.h>

#include "wire/chars_int.h"

static const char uds_prefix[] = "unix:";
#define UDS_PREFIX_LEN (sizeof(uds_prefix) - 1)

static const struct {
    const char *scheme;
    int port;
} default_ports[] = {
    { "http", 80 },   { "https", 443 }, { "ws", 80 },     { "wss", 443 },
    { "fcgi", 8000 }, { "ajp", 8009 },  { "scgi", 4000 }, { "uwsgi", 3031 },
    { "ftp", 21 },    { "h2c", 80 },    { "h2", 443 },
};

const char *rp_url_err_str(rp_url_err_e err)
{
    switch (err) {
    case RP_URL_OK: return "is a URL";
    case RP_URL_TOO_LONG: return "is longer than 8192 bytes";
    case RP_URL_NO_SCHEME: return "has no scheme";
    case RP_URL_BAD_SCHEME:
        return "has a scheme that is not 1..15 letters, digits, '+', '-' or '.'";
    case RP_URL_NO_HOST: return "has no host";
    case RP_URL_BAD_HOST: return "has a host that is no name or address of 1..255 bytes";
    case RP_URL_BAD_PORT: return "has a port that is not 1..65535";
    case RP_URL_BAD_UDS: return "is not unix:/socket|scheme://host with 1..95 bytes of socket path";
    case RP_URL_CTL: return "has a control character or space";
    default: return "is not understood";
    }
}

int rp_url_default_port(const char *scheme)
{
    apr_size_t i;

    for (i = 0; i < sizeof(default_ports) / sizeof(default_ports[0]); i++) {
        if (strcmp(scheme, default_ports[i].scheme) == 0) {
            return default_ports[i].port;
        }
    }
    return 0;
}

/** 1 when s starts with "unix:", whatever the case. */
static int uds_is(const char *s)
{
    return strlen(s) >= UDS_PREFIX_LEN && rp_ch_equal(s, uds_prefix, UDS_PREFIX_LEN);
}

static char *lower_copy(apr_pool_t *pool, const char *s, apr_size_t n)
{
    char *copy = apr_pstrmemdup(pool, s, n);
    apr_size_t i;

    for (i = 0; i < n; i++) {
        copy[i] = rp_ch_lower(copy[i]);
    }
    return copy;
}

/** `/socket|`: sets u->uds and moves *s behind it. */
static rp_url_err_e uds_parse(apr_pool_t *pool, const char **s, rp_url_t *u)
{
    const char *path = *s + UDS_PREFIX_LEN;
    const char *bar = strchr(path, '|');

    if (!bar || bar == path || bar - path > RP_URL_UDS_MAX) {
        return RP_URL_BAD_UDS;
    }
    u->uds = apr_pstrmemdup(pool, path, (apr_size_t)(bar - path));
    *s = bar + 1;
    return RP_URL_OK;
}

/** `scheme:`: sets u->scheme and the default port, moves *s behind it. */
static rp_url_err_e scheme_parse(apr_pool_t *pool, const char **s, rp_url_t *u)
{
    const char *p = *s;

    while (rp_ch_is(*p, RP_CH_SCHEME)) {
        p++;
    }
    if (*p != ':' || p == *s) {
        return RP_URL_NO_SCHEME;
    }
    if (!rp_ch_is(**s, RP_CH_ALPHA) || p - *s > RP_URL_SCHEME_MAX) {
        return RP_URL_BAD_SCHEME;
    }
    u->scheme = lower_copy(pool, *s, (apr_size_t)(p - *s));
    u->port = rp_url_default_port(u->scheme);
    *s = p + 1;
    return strcmp(u->scheme, "unix") == 0 ? RP_URL_BAD_SCHEME : RP_URL_OK;
}

/** `:port` in s[0..n), n > 0. An empty port is the default one (RFC 3986 3.2.3). */
static rp_url_err_e port_parse(const char *s, apr_size_t n, rp_url_t *u)
{
    apr_size_t i;
    int port = 0;

    if (s[0] != ':') {
        return RP_URL_BAD_HOST; /* behind the ']' of an address */
    }
    for (i = 1; i < n; i++) {
        if (!rp_ch_is(s[i], RP_CH_DIGIT)) {
            return RP_URL_BAD_PORT;
        }
        port = port * 10 + (s[i] - '0');
        if (port > 65535) {
            return RP_URL_BAD_PORT;
        }
    }
    if (n > 1) {
        if (port == 0) {
            return RP_URL_BAD_PORT;
        }
        u->port = port;
        u->port_given = 1;
    }
    return RP_URL_OK;
}

/** `[address]` at s[0..n): *used is its length with brackets. No zone ids: they mean nothing to a
 * backend. */
static rp_url_err_e ipv6_parse(apr_pool_t *pool, const char *s, apr_size_t n, rp_url_t *u,
                               apr_size_t *used)
{
    const char *close = memchr(s, ']', n);
    struct in6_addr addr;

    if (!close) {
        return RP_URL_BAD_HOST;
    }
    u->host = lower_copy(pool, s + 1, (apr_size_t)(close - s) - 1);
    u->ipv6 = 1;
    *used = (apr_size_t)(close - s) + 1;
    return inet_pton(AF_INET6, u->host, &addr) == 1 ? RP_URL_OK : RP_URL_BAD_HOST;
}

/** 1 when s[0..n) is a userinfo (RFC 3986 3.2.1); in `h\@other` readers differ on what the host is.
 */
static int userinfo_ok(const char *s, apr_size_t n)
{
    apr_size_t i;

    for (i = 0; i < n; i++) {
        if (!rp_ch_is(s[i], RP_CH_PATH) && s[i] != '%') {
            return 0;
        }
    }
    return 1;
}

/**
 * `[userinfo@]host[:port]` in s[0..n). The first '@' ends the userinfo; a second one is no byte of
 * a host.
 */
static rp_url_err_e authority_parse(apr_pool_t *pool, const char *s, apr_size_t n, rp_url_t *u)
{
    const char *at = memchr(s, '@', n);
    apr_size_t host_len = 0;

    if (at && !userinfo_ok(s, (apr_size_t)(at - s))) {
        return RP_URL_BAD_HOST;
    }
    if (at) {
        n -= (apr_size_t)(at + 1 - s);
        s = at + 1;
    }
    if (n > 0 && s[0] == '[') {
        rp_url_err_e err = ipv6_parse(pool, s, n, u, &host_len);

        if (err != RP_URL_OK) {
            return err;
        }
    }
    else {
        while (host_len < n && rp_ch_is(s[host_len], RP_CH_HOST)) {
            host_len++;
        }
        if (host_len < n && s[host_len] != ':') {
            return RP_URL_BAD_HOST;
        }
        if (host_len == 0) {
            return RP_URL_NO_HOST;
        }
        if (host_len > RP_URL_HOST_MAX) {
            return RP_URL_BAD_HOST;
        }
        u->host = lower_copy(pool, s, host_len);
    }
    return host_len < n ? port_parse(s + host_len, n - host_len, u) : RP_URL_OK;
}

/** What is behind `scheme:`. */
static rp_url_err_e rest_parse(apr_pool_t *pool, const char *s, rp_url_t *u)
{
    apr_size_t n;

    if (strncmp(s, "//", 2) != 0) {
        if (!u->uds || !strchr("/?#", *s)) {
            return RP_URL_NO_HOST;
        }
        u->host = "localhost";
        u->path = apr_pstrdup(pool, s);
        return RP_URL_OK;
    }
    s += 2;
    n = strcspn(s, "/?#");
    if (n == 0 && u->uds) {
        u->host = "localhost";
    }
    else {
        rp_url_err_e err = authority_parse(pool, s, n, u);

        if (err != RP_URL_OK) {
            return err;
        }
    }
    u->path = apr_pstrdup(pool, s + n);
    return RP_URL_OK;
}

apr_status_t rp_url_parse(apr_pool_t *pool, const char *s, int allow_uds, rp_url_t *out,
                          rp_url_err_e *err)
{
    apr_size_t n = strlen(s);

    memset(out, 0, sizeof(*out));
    *err = RP_URL_OK;
    if (n > RP_URL_MAX) {
        *err = RP_URL_TOO_LONG;
    }
    else if (!rp_target_ok(s, n)) {
        *err = RP_URL_CTL;
    }
    else if (allow_uds && uds_is(s)) {
        *err = uds_parse(pool, &s, out);
    }
    if (*err == RP_URL_OK) {
        *err = scheme_parse(pool, &s, out);
    }
    if (*err == RP_URL_OK) {
        *err = rest_parse(pool, s, out);
    }
    if (*err != RP_URL_OK) {
        memset(out, 0, sizeof(*out));
        return APR_EINVAL;
    }
    out->port_default = out->port == rp_url_default_port(out->scheme);
    return APR_SUCCESS;
}

const char *rp_url_authority(apr_pool_t *pool, const rp_url_t *u)
{
    const char *host = u->ipv6 ? apr_pstrcat(pool, "[", u->host, "]", NULL) : u->host;

    if (u->port == 0 || u->port == rp_url_default_port(u->scheme)) {
        return host;
    }
    return apr_psprintf(pool, "%s:%d", host, u->port);
}

const char *rp_url_str(apr_pool_t *pool, const rp_url_t *u)
{
    return apr_pstrcat(pool, u->scheme, "://", rp_url_authority(pool, u), u->path, NULL);
}
