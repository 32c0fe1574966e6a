/* SPDX-License-Identifier: Apache-2.0 */
#include "mapping/expand.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "mapping/target.h"

const char *rp_map_err_str(rp_map_err_e err)
{
    switch (err) {
    case RP_MAP_OK: return "is fine";
    case RP_MAP_TOO_LONG: return "is longer than 65536 bytes when filled in";
    case RP_MAP_TOO_MANY_REFS: return "has more than 32 references and variables";
    case RP_MAP_NO_SLASH:
        return "has no path, so the rest of the request's path would become part of host or port";
    case RP_MAP_CLIENT_HOST:
        return "would get its host or port changed by text from the request's path";
    case RP_MAP_CLIENT_SOCKET: return "would get its unix socket chosen by what is filled in";
    case RP_MAP_CLIENT_SCHEME: return "would get its scheme from the request's path";
    }
    return "is in an unknown state";
}

/** Growing output with a hard limit; `out` may be NULL to count only. */
typedef struct sink_t {
    char *out;
    apr_size_t len;
} sink_t;

static int sink_add(sink_t *s, const char *text, apr_size_t n)
{
    if (n > RP_EXPAND_MAX - s->len) {
        return 0;
    }
    if (s->out && n > 0) {
        memcpy(s->out + s->len, text, n);
    }
    s->len += n;
    return 1;
}

/* Add filled in text and remember where it is. */
static rp_map_err_e add_span(sink_t *s, const char *text, apr_size_t n, int captured,
                             rp_expansion_t *ex)
{
    rp_span_t *span = &ex->spans[ex->nspans];

    if (ex->nspans == RP_EXPAND_SPANS_MAX) {
        return RP_MAP_TOO_MANY_REFS;
    }
    span->start = s->len;
    if (!sink_add(s, text, n)) {
        return RP_MAP_TOO_LONG;
    }
    span->end = s->len;
    span->captured = captured;
    ex->nspans++;
    ex->refs += captured;
    return RP_MAP_OK;
}

static rp_map_err_e add_capture(sink_t *s, const rp_expand_t *in, int no, rp_expansion_t *ex)
{
    const rp_capture_t *c = &in->captures[no];
    int some = c->start >= 0 && c->end > c->start;

    return add_span(s, some ? in->subject + c->start : "",
                    some ? (apr_size_t)(c->end - c->start) : 0, 1, ex);
}

/* One pass over the template; run twice, first to count. */
static rp_map_err_e run(apr_pool_t *pool, const char *tmpl, const rp_expand_t *in, sink_t *s,
                        rp_expansion_t *ex)
{
    const char *p = tmpl;
    rp_map_err_e err = RP_MAP_OK;

    ex->refs = ex->nspans = 0;
    while (*p && err == RP_MAP_OK) {
        const char *close = NULL;

        if (in->captures && p[0] == '$' && apr_isdigit(p[1])) {
            err = add_capture(s, in, p[1] - '0', ex);
            p += 2;
        }
        else if (in->lookup && p[0] == '$' && p[1] == '{' && (close = strchr(p + 2, '}')) != NULL) {
            const char *name = apr_pstrmemdup(pool, p + 2, (apr_size_t)(close - p - 2));
            const char *v = in->lookup(in->baton, name);

            err = add_span(s, v ? v : "", v ? strlen(v) : 0, 0, ex);
            p = close + 1;
        }
        else {
            if (in->captures && p[0] == '\\' && p[1]) {
                p++;
            }
            if (!sink_add(s, p, 1)) {
                err = RP_MAP_TOO_LONG;
            }
            p++;
        }
    }
    return err;
}

apr_status_t rp_expand(apr_pool_t *pool, const char *tmpl, const rp_expand_t *in,
                       rp_expansion_t *out, rp_map_err_e *err)
{
    sink_t s = { NULL, 0 };
    char *text;

    out->text = "";
    out->len = 0;
    *err = run(pool, tmpl, in, &s, out);
    if (*err != RP_MAP_OK) {
        return APR_EINVAL;
    }
    text = apr_palloc(pool, s.len + 1);
    s.out = text;
    s.len = 0;
    *err = run(pool, tmpl, in, &s, out); /* same input, same lengths */
    if (*err != RP_MAP_OK) {
        return APR_EINVAL;
    }
    text[s.len] = '\0';
    out->text = text;
    out->len = s.len;
    return APR_SUCCESS;
}

static int host_byte(char c)
{
    return apr_isalnum(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
}

static int all_digits(const char *p, apr_size_t n)
{
    apr_size_t i;

    for (i = 0; i < n; i++) {
        if (!apr_isdigit(p[i])) {
            return 0;
        }
    }
    return 1;
}

/* A span against the authority [a, z) of the text. */
static int span_fits_authority(const rp_expansion_t *ex, const rp_span_t *span, apr_size_t a,
                               apr_size_t z)
{
    apr_size_t from = span->start > a ? span->start : a;
    apr_size_t to = span->end < z ? span->end : z;
    apr_size_t i;
    char before;

    if (from >= to) {
        return 1; /* empty there: starts with the '/' that ends the authority, or lies elsewhere */
    }
    for (i = from; i < to; i++) {
        if (!host_byte(ex->text[i])) {
            return 0;
        }
    }
    if (from == a) {
        return 1; /* nothing configured in front: the host is the client's by intention */
    }
    before = ex->text[from - 1];
    if (before == ':') {
        return all_digits(ex->text + from, to - from);
    }
    /* The configured beginning must not be prolonged by a capture that also ends the authority; a
     * literal '/' behind it (http://app$1/) shows that a part of the name was meant. */
    if (apr_isalnum(before) && (span->end > z || ex->text[z] == '\0')) {
        return 0;
    }
    return 1;
}

/* Scheme made by captures: plain HTTP only, so that no request reaches a balancer or another
 * protocol by its path. */
static int scheme_ok(const char *url, apr_size_t n)
{
    return (n == 4 && strncasecmp(url, "http", n) == 0)
           || (n == 5 && strncasecmp(url, "https", n) == 0)
           || (n == 2 && strncasecmp(url, "ws", n) == 0)
           || (n == 3 && strncasecmp(url, "wss", n) == 0);
}

static int socket_spans_ok(const rp_expansion_t *ex, apr_size_t bar)
{
    int i;
    apr_size_t k;

    for (i = 0; i < ex->nspans; i++) {
        const rp_span_t *span = &ex->spans[i];

        for (k = span->start; k < span->end && k <= bar; k++) {
            unsigned char c = (unsigned char)ex->text[k];

            if (c == '|' || c <= ' ' || c == 0x7f) {
                return 0;
            }
            if (c == '.' && k > 0 && ex->text[k - 1] == '.') {
                return 0; /* ".." next to or in captured text: no climbing */
            }
        }
        if (span->end < bar && span->end > span->start && ex->text[span->end] == '.'
            && ex->text[span->end - 1] == '.') {
            return 0;
        }
    }
    return 1;
}

rp_map_err_e rp_expansion_check(const char *tmpl, const rp_expansion_t *ex)
{
    apr_size_t a = 0, z = 0, scheme = 0, n = 0;
    int uds = rp_text_is_uds(tmpl);
    int i;

    if (uds) {
        const char *bar = strchr(ex->text, '|');

        if (!bar || !socket_spans_ok(ex, (apr_size_t)(bar - ex->text))) {
            return RP_MAP_CLIENT_SOCKET;
        }
        scheme = (apr_size_t)(bar - ex->text) + 1;
    }
    if (!rp_authority_find(ex->text, uds, &a, &z)) {
        return RP_MAP_OK; /* no URL at all: refused where it is parsed */
    }
    n = strcspn(ex->text + scheme, ":");
    for (i = 0; i < ex->nspans; i++) {
        const rp_span_t *span = &ex->spans[i];

        if (!span->captured) {
            continue;
        }
        if (span->end > span->start && span->start <= scheme + n && span->end > scheme
            && !scheme_ok(ex->text + scheme, n)) {
            return RP_MAP_CLIENT_SCHEME;
        }
        if (!span_fits_authority(ex, span, a, z)) {
            return RP_MAP_CLIENT_HOST;
        }
    }
    return RP_MAP_OK;
}
