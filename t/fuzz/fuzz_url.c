/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URLs and paths. Input: one byte of options (bit 0: unix: is allowed, bit 1: keep %2F), then a
 * first text up to the first newline, then a second one: the URL or the uri, and the rule that the
 * uri is matched with. Held: the normal form of a URL is its own normal form; an encoded path is a
 * request target and decodes to what it was; the one spelling of a path means the same and is its
 * own; a prefix match lies inside the uri; a servlet match leaves no dot segment and no parameter to
 * interpret.
 */
#include "fuzz_wire.h"

#include <apr_strings.h>

#include "wire/chars_int.h"
#include "wire/url.h"

static void try_url(apr_pool_t *pool, const char *text, int allow_uds)
{
    rp_url_t u;
    rp_url_t again;
    rp_url_err_e err;
    const char *str;

    if (rp_url_parse(pool, text, allow_uds, &u, &err) != APR_SUCCESS) {
        FUZZ_ASSERT(err != RP_URL_OK && rp_url_err_str(err)[0] && !u.host);
        return;
    }
    FUZZ_ASSERT(err == RP_URL_OK && u.host[0] && u.scheme[0]);
    FUZZ_ASSERT(strlen(u.host) <= RP_URL_HOST_MAX && strlen(u.scheme) <= RP_URL_SCHEME_MAX);
    FUZZ_ASSERT(u.port >= 0 && u.port <= 65535);
    FUZZ_ASSERT(!u.path[0] || strchr("/?#", u.path[0]));
    FUZZ_ASSERT(!u.uds || (allow_uds && u.uds[0] && strlen(u.uds) <= RP_URL_UDS_MAX));
    FUZZ_ASSERT(!strpbrk(u.host, "/?#@[]\\ ") && (u.ipv6 || !strchr(u.host, ':')));
    str = rp_url_str(pool, &u);
    FUZZ_ASSERT(strstr(str, rp_url_authority(pool, &u)));
    if (strlen(str) > RP_URL_MAX) {
        return; /* "localhost" was added to a URL of full length */
    }
    FUZZ_ASSERT(rp_url_parse(pool, str, 0, &again, &err) == APR_SUCCESS);
    FUZZ_ASSERT(strcmp(rp_url_str(pool, &again), str) == 0);
    FUZZ_ASSERT(strcmp(again.host, u.host) == 0 && again.port == u.port && again.ipv6 == u.ipv6);
    FUZZ_ASSERT(strcmp(again.path, u.path) == 0 && again.port_default == u.port_default);
}

static void try_encode(apr_pool_t *pool, const char *text, size_t n, int keep)
{
    const char *coded = rp_path_encode(pool, text, n, keep);
    size_t len = strlen(coded);
    size_t i;
    size_t at = 0;

    FUZZ_ASSERT(rp_target_ok(coded, len) && len >= n && len <= 3 * n);
    for (i = 0; i < len; i++) {
        char c = coded[i];

        FUZZ_ASSERT(at < n);
        if (c != '%') {
            FUZZ_ASSERT(c == text[at]);
            at++;
            continue;
        }
        FUZZ_ASSERT(i + 2 < len && rp_ch_hex(coded[i + 1]) >= 0 && rp_ch_hex(coded[i + 2]) >= 0);
        c = (char)(rp_ch_hex(coded[i + 1]) * 16 + rp_ch_hex(coded[i + 2]));
        if (c == '/') { /* only when it was kept */
            FUZZ_ASSERT(keep && memcmp(text + at, coded + i, 3) == 0);
            at += 3;
        }
        else {
            FUZZ_ASSERT(c == text[at]);
            at++;
        }
        i += 2;
    }
    FUZZ_ASSERT(at == n);
    FUZZ_ASSERT(rp_target_ok(text, n)
                == !(rp_ctl_find(text, n) < n || memchr(text, ' ', n) || memchr(text, '\t', n)));
}

/** One byte of an encoded path, as it is meant; *escaped: it stood as an escape. @return how long it is */
static size_t meant(const char *p, char *c, int *escaped)
{
    *escaped = p[0] == '%' && rp_ch_hex(p[1]) >= 0 && rp_ch_hex(p[2]) >= 0;
    *c = *escaped ? (char)(rp_ch_hex(p[1]) * 16 + rp_ch_hex(p[2])) : p[0];
    return *escaped ? 3 : 1;
}

static void try_normal(apr_pool_t *pool, const char *path)
{
    const char *normal = rp_path_normal(pool, path);
    const char *out = normal;
    char a = 0, b = 0;
    int a_escaped, b_escaped;

    FUZZ_ASSERT(strcmp(rp_path_normal(pool, normal), normal) == 0);
    while (*path && *path != '?') {
        FUZZ_ASSERT(*out && *out != '?');
        path += meant(path, &a, &a_escaped);
        out += meant(out, &b, &b_escaped);
        FUZZ_ASSERT(a == b && (a != '/' || a_escaped == b_escaped));
        FUZZ_ASSERT(b_escaped || rp_ch_is(b, RP_CH_PATH));
    }
    FUZZ_ASSERT(strcmp(path, out) == 0);
}

/** 1 when a segment of path is "." or "..", parameters apart. */
static int has_dots(const char *path)
{
    while (*path) {
        size_t n;

        path += strspn(path, "/");
        n = strcspn(path, ";/");
        if ((n == 1 || n == 2) && strspn(path, ".") >= n) {
            return 1;
        }
        path += strcspn(path, "/");
    }
    return 0;
}

static void try_match(apr_pool_t *pool, const char *uri, const char *rule)
{
    const char *rest;
    const char *clean;
    size_t used = rp_prefix_match(uri, rule);

    FUZZ_ASSERT(used <= strlen(uri));
    FUZZ_ASSERT(!used || uri[used] == '\0' || uri[used] == '/' || uri[used - 1] == '/');
    if (rp_servlet_match(pool, uri, rule, &rest, &clean) != APR_SUCCESS) {
        FUZZ_ASSERT(!rest && !clean);
        return;
    }
    FUZZ_ASSERT(clean[0] == '/' && !strchr(clean, ';') && !strstr(clean, "//"));
    FUZZ_ASSERT(!has_dots(rest) && !has_dots(clean));
    FUZZ_ASSERT(strlen(rest) <= strlen(uri) && strlen(clean) <= strlen(uri) + 1);
    FUZZ_ASSERT(rp_prefix_match(clean, rule) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    const char *lf;
    size_t n;
    char *first;
    char *second;

    if (size == 0) {
        return 0;
    }
    lf = memchr(data + 1, '\n', size - 1);
    n = lf ? (size_t)(lf - (const char *)data) - 1 : size - 1;
    first = fuzz_copy(data + 1, n);
    try_encode(pool, first, n, (data[0] & 2) != 0);
    free(first);
    first = fuzz_string(data + 1, n);
    second = lf ? fuzz_string(lf + 1, size - n - 2) : fuzz_string("/a", 2);
    try_url(pool, first, data[0] & 1);
    try_normal(pool, first);
    try_match(pool, first, second);
    free(first);
    free(second);
    return 0;
}
