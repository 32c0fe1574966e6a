/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file h1_req.c
 * Request heads: each piece is measured once, checked and written. What was written before an error
 * was found is dropped.
 */
#include "wire/h1_req.h"

#include <string.h>

#include "wire/chars_int.h"
#include "wire/headers.h"
#include "wire/url.h"

#define LENGTH_DIGITS_MAX 20
#define ROOM_FIRST 1024 /* bytes for the head at the start; doubles when full */

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

/** The head as far as it is written. */
typedef struct sink_t {
    apr_pool_t *pool;
    char *text;
    apr_size_t n;    /* bytes written */
    apr_size_t room; /* bytes that fit into text */
    int too_large;   /* something did not fit into RP_REQ_HEAD_MAX and is missing */
} sink_t;

/** Where the next n bytes go; NULL when the head would be too large. */
static char *more_room(sink_t *s, apr_size_t n)
{
    apr_size_t room = s->room ? s->room : ROOM_FIRST;
    char *text;

    if (n > RP_REQ_HEAD_MAX - s->n) {
        s->too_large = 1;
        return NULL;
    }
    while (room - s->n < n) {
        room *= 2;
    }
    text = apr_palloc(s->pool, room);
    if (s->n) {
        memcpy(text, s->text, s->n);
    }
    s->text = text;
    s->room = room;
    return text + s->n;
}

static inline char *room_for(sink_t *s, apr_size_t n)
{
    return n <= s->room - s->n ? s->text + s->n : more_room(s, n);
}

static inline void put(sink_t *s, const char *text, apr_size_t n)
{
    char *p = room_for(s, n);

    if (p) {
        memcpy(p, text, n);
        s->n += n;
    }
}

#define PUT_LITERAL(s, literal) put((s), (literal), sizeof(literal) - 1)

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

/** `name: value` */
static inline void put_field(sink_t *s, const char *name, apr_size_t name_len, const char *value,
                             apr_size_t value_len)
{
    char *p = room_for(s, name_len + value_len + 4);

    if (p) {
        memcpy(p, name, name_len);
        p += name_len;
        memcpy(p, ": ", 2);
        memcpy(p + 2, value, value_len);
        memcpy(p + 2 + value_len, "\r\n", 2);
        s->n += name_len + value_len + 4;
    }
}

/** Request line and Host. */
static rp_req_err_e first_lines(sink_t *s, const rp_req_head_t *h)
{
    apr_size_t method_len = strlen(h->method);
    apr_size_t target_len = strlen(h->target);
    apr_size_t host_len = strlen(h->host);

    if (!rp_hdr_name_ok(h->method, method_len)) {
        return RP_REQ_BAD_METHOD;
    }
    if (target_len == 0 || !rp_target_ok(h->target, target_len)) {
        return RP_REQ_BAD_TARGET;
    }
    /* It must not end the line, the header or the authority early (RFC 9110 7.2). */
    if (host_len == 0 ? !h->http10
                      : !rp_target_ok(h->host, host_len) || strpbrk(h->host, "/\\?#@")) {
        return RP_REQ_BAD_HOST;
    }
    put(s, h->method, method_len);
    PUT_LITERAL(s, " ");
    put(s, h->target, target_len);
    put(s, h->http10 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n", 11);
    if (host_len > 0) {
        put_field(s, "Host", 4, h->host, host_len);
    }
    return RP_REQ_OK;
}

/** 1 for a field that is written from a member of h, or that would be read as one. */
static int own_field(const rp_req_head_t *h, rp_hdr_e id)
{
    switch (id) {
    case RP_HDR_HOST:
    case RP_HDR_CONTENT_LENGTH:
    case RP_HDR_TRANSFER_ENCODING:
    case RP_HDR_CONNECTION:
    case RP_HDR_UPGRADE: return 1;
    case RP_HDR_EXPECT: return h->expect_100;
    default: return 0;
    }
}

static rp_req_err_e field_line(sink_t *s, const rp_req_head_t *h, const rp_req_field_t *f)
{
    apr_size_t name_len = f->name_len ? f->name_len : strlen(f->name);
    apr_size_t value_len = strlen(f->value);
    rp_hdr_e id = f->name_len ? (rp_hdr_e)f->id : rp_hdr_id(f->name, name_len);

    if (id == RP_HDR_OTHER && !rp_hdr_name_ok(f->name, name_len)) { /* a known name is a token */
        return RP_REQ_BAD_NAME;
    }
    if (!rp_hdr_value_ok(f->value, value_len)) {
        return RP_REQ_BAD_VALUE;
    }
    if (own_field(h, id)) {
        return RP_REQ_OWN_FIELD;
    }
    put_field(s, f->name, name_len, f->value, value_len);
    return RP_REQ_OK;
}

static rp_req_err_e framing_line(sink_t *s, const rp_req_head_t *h)
{
    switch (h->framing) {
    case RP_REQ_NO_BODY: break;
    case RP_REQ_LENGTH:
        if (h->length < 0) {
            return RP_REQ_BAD_FRAMING;
        }
        PUT_LITERAL(s, "Content-Length: ");
        put_number(s, h->length);
        PUT_LITERAL(s, "\r\n");
        break;
    case RP_REQ_CHUNKED:
        if (h->http10) {
            return RP_REQ_BAD_FRAMING;
        }
        PUT_LITERAL(s, "Transfer-Encoding: chunked\r\n");
        break;
    }
    return RP_REQ_OK;
}

static rp_req_err_e connection_lines(sink_t *s, const rp_req_head_t *h)
{
    apr_size_t n;

    switch (h->conn) {
    case RP_REQ_CONN_KEEPALIVE: PUT_LITERAL(s, "Connection: Keep-Alive\r\n"); break;
    case RP_REQ_CONN_CLOSE: PUT_LITERAL(s, "Connection: close\r\n"); break;
    case RP_REQ_CONN_UPGRADE:
        n = h->upgrade ? strlen(h->upgrade) : 0;
        if (n == 0 || !rp_hdr_value_ok(h->upgrade, n)) {
            return RP_REQ_BAD_VALUE;
        }
        PUT_LITERAL(s, "Connection: Upgrade\r\n");
        put_field(s, "Upgrade", 7, h->upgrade, n);
        break;
    case RP_REQ_CONN_NONE: break;
    }
    return RP_REQ_OK;
}

/** The whole head. @param bad index of the field that the error is about, or -1 */
static rp_req_err_e write_head(sink_t *s, const rp_req_head_t *h, int *bad)
{
    rp_req_err_e err = first_lines(s, h);
    int i;

    *bad = -1;
    for (i = 0; i < h->nfields && err == RP_REQ_OK; i++) {
        err = field_line(s, h, &h->fields[i]);
        if (err != RP_REQ_OK) {
            *bad = i;
        }
    }
    if (err == RP_REQ_OK) {
        err = framing_line(s, h);
    }
    if (err == RP_REQ_OK && h->expect_100) {
        PUT_LITERAL(s, "Expect: 100-continue\r\n");
    }
    if (err == RP_REQ_OK) {
        err = connection_lines(s, h);
    }
    PUT_LITERAL(s, "\r\n");
    return err == RP_REQ_OK && s->too_large ? RP_REQ_TOO_LARGE : err;
}

apr_status_t rp_req_write(const rp_req_head_t *h, apr_pool_t *pool, const char **out,
                          apr_size_t *out_len, rp_req_err_e *err, int *bad)
{
    sink_t s = { pool, NULL, 0, 0, 0 };

    *out = NULL;
    *out_len = 0;
    *err = write_head(&s, h, bad);
    if (*err != RP_REQ_OK) {
        return APR_EINVAL;
    }
    *out = s.text;
    *out_len = s.n;
    return APR_SUCCESS;
}
