/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file h1_req.c
 * Request heads: check and measure everything, then write it into one allocation.
 */
#include "wire/h1_req.h"

#include <string.h>

#include "wire/chars_int.h"
#include "wire/headers.h"
#include "wire/url.h"

#define LENGTH_DIGITS_MAX 20

const char *rp_req_err_str(rp_req_err_e err)
{
    switch (err) {
    case RP_REQ_OK: return "ok";
    case RP_REQ_BAD_METHOD: return "bad-method";
    case RP_REQ_BAD_TARGET: return "bad-target";
    case RP_REQ_BAD_HOST: return "bad-host";
    case RP_REQ_BAD_NAME: return "bad-field-name";
    case RP_REQ_BAD_VALUE: return "bad-field-value";
    case RP_REQ_OWN_FIELD: return "field-of-the-writer";
    case RP_REQ_TOO_LARGE: return "head-too-large";
    case RP_REQ_BAD_FRAMING: return "bad-framing";
    default: return "unknown";
    }
}

/** Writes when p is set, measures in any case. The same calls in the same order do both. */
typedef struct sink_t {
    char *p;
    apr_size_t n;
} sink_t;

static inline void put(sink_t *s, const char *text, apr_size_t n)
{
    if (s->p) {
        memcpy(s->p + s->n, text, n);
    }
    s->n += n;
}

#define PUT_LITERAL(s, literal) put((s), (literal), sizeof(literal) - 1)

static inline void put_str(sink_t *s, const char *text)
{
    put(s, text, strlen(text));
}

static void put_number(sink_t *s, apr_int64_t v)
{
    char digits[LENGTH_DIGITS_MAX];
    char *p = digits + sizeof(digits);

    do {
        *--p = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    put(s, p, (apr_size_t)(digits + sizeof(digits) - p));
}

static void put_connection(sink_t *s, const rp_req_head_t *h)
{
    switch (h->conn) {
    case RP_REQ_CONN_KEEPALIVE: PUT_LITERAL(s, "Connection: Keep-Alive\r\n"); break;
    case RP_REQ_CONN_CLOSE: PUT_LITERAL(s, "Connection: close\r\n"); break;
    case RP_REQ_CONN_UPGRADE:
        PUT_LITERAL(s, "Connection: Upgrade\r\nUpgrade: ");
        put_str(s, h->upgrade);
        PUT_LITERAL(s, "\r\n");
        break;
    case RP_REQ_CONN_NONE: break;
    }
}

static void put_head(sink_t *s, const rp_req_head_t *h)
{
    int i;

    put_str(s, h->method);
    PUT_LITERAL(s, " ");
    put_str(s, h->target);
    put(s, h->http10 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n", 11);
    if (h->host[0]) {
        PUT_LITERAL(s, "Host: ");
        put_str(s, h->host);
        PUT_LITERAL(s, "\r\n");
    }
    for (i = 0; i < h->nfields; i++) {
        put_str(s, h->fields[i].name);
        PUT_LITERAL(s, ": ");
        put_str(s, h->fields[i].value);
        PUT_LITERAL(s, "\r\n");
    }
    if (h->framing == RP_REQ_LENGTH) {
        PUT_LITERAL(s, "Content-Length: ");
        put_number(s, h->length);
        PUT_LITERAL(s, "\r\n");
    }
    else if (h->framing == RP_REQ_CHUNKED) {
        PUT_LITERAL(s, "Transfer-Encoding: chunked\r\n");
    }
    if (h->expect_100) {
        PUT_LITERAL(s, "Expect: 100-continue\r\n");
    }
    put_connection(s, h);
    PUT_LITERAL(s, "\r\n");
}

/** A Host value that could end the line, the header or the authority early is refused (RFC
 * 9110 7.2). */
static int host_ok(const rp_req_head_t *h)
{
    apr_size_t n = strlen(h->host);

    return n > 0 ? rp_target_ok(h->host, n) && !strpbrk(h->host, "/\\?#@") : h->http10;
}

static rp_req_err_e field_check(const rp_req_head_t *h, const rp_req_field_t *f)
{
    apr_size_t name_len = strlen(f->name);

    if (!rp_hdr_name_ok(f->name, name_len)) {
        return RP_REQ_BAD_NAME;
    }
    if (!rp_hdr_value_ok(f->value, strlen(f->value))) {
        return RP_REQ_BAD_VALUE;
    }
    switch (rp_hdr_id(f->name, name_len)) {
    case RP_HDR_HOST:
    case RP_HDR_CONTENT_LENGTH:
    case RP_HDR_TRANSFER_ENCODING:
    case RP_HDR_CONNECTION:
    case RP_HDR_UPGRADE: return RP_REQ_OWN_FIELD;
    case RP_HDR_EXPECT: return h->expect_100 ? RP_REQ_OWN_FIELD : RP_REQ_OK;
    default: return RP_REQ_OK;
    }
}

/** Everything but the size. */
static rp_req_err_e head_check(const rp_req_head_t *h, int *bad)
{
    int i;

    if (!rp_hdr_name_ok(h->method, strlen(h->method))) {
        return RP_REQ_BAD_METHOD;
    }
    if (!h->target[0] || !rp_target_ok(h->target, strlen(h->target))) {
        return RP_REQ_BAD_TARGET;
    }
    if (!host_ok(h)) {
        return RP_REQ_BAD_HOST;
    }
    if ((h->framing == RP_REQ_LENGTH && h->length < 0)
        || (h->framing == RP_REQ_CHUNKED && h->http10)) {
        return RP_REQ_BAD_FRAMING;
    }
    if (h->conn == RP_REQ_CONN_UPGRADE
        && (!h->upgrade || !h->upgrade[0] || !rp_hdr_value_ok(h->upgrade, strlen(h->upgrade)))) {
        return RP_REQ_BAD_VALUE;
    }
    for (i = 0; i < h->nfields; i++) {
        rp_req_err_e err = field_check(h, &h->fields[i]);

        if (err != RP_REQ_OK) {
            *bad = i;
            return err;
        }
    }
    return RP_REQ_OK;
}

apr_status_t rp_req_write(const rp_req_head_t *h, apr_pool_t *pool, const char **out,
                          apr_size_t *out_len, rp_req_err_e *err, int *bad)
{
    sink_t s = { NULL, 0 };

    *out = NULL;
    *out_len = 0;
    *bad = -1;
    *err = head_check(h, bad);
    if (*err != RP_REQ_OK) {
        return APR_EINVAL;
    }
    put_head(&s, h);
    if (s.n > RP_REQ_HEAD_MAX) {
        *err = RP_REQ_TOO_LARGE;
        return APR_EINVAL;
    }
    s.p = apr_palloc(pool, s.n);
    s.n = 0;
    put_head(&s, h);
    *out = s.p;
    *out_len = s.n;
    return APR_SUCCESS;
}
