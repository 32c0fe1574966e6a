/* SPDX-License-Identifier: Apache-2.0 */
/* What the backend answers when no script says otherwise: the first segment of the path chooses,
 * query arguments bend it.
 *
 * For every path: status=N reason=TEXT h=Name:Value (repeatable, %-decoded, sent as it is)
 * te=chunked chunk=BYTES cl=none (until close) proto=1.0 close=1 type=MIME wait=SIGNAL (before the
 * answer's head) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "be_int.h"

#define BE_BLOCK (32u * 1024)

typedef enum be_end_e { BE_END_LENGTH, BE_END_CHUNKED, BE_END_CLOSE } be_end_e;

typedef struct be_reply_t {
    unsigned status;
    char reason[256];
    char type[128];
    be_str_t extra; /* header lines */
    be_end_e end;
    uint64_t chunk; /* bytes a chunk, 0: as they come */
    int minor;
    int close;
} be_reply_t;

static const char *reason_of(unsigned status)
{
    switch (status) {
    case 200:
        return "OK";
    case 204:
        return "No Content";
    case 302:
        return "Found";
    case 304:
        return "Not Modified";
    case 401:
        return "Unauthorized";
    case 404:
        return "Not Found";
    case 413:
        return "Content Too Large";
    default:
        return "Scripted";
    }
}

static void reply_init(be_reply_t *o, const be_req_t *q, unsigned status)
{
    char text[2048];
    int i, len;
    memset(o, 0, sizeof(*o));
    o->status = (unsigned)be_arg_num(q, "status", status);
    if (be_arg(q, "reason", 0, o->reason, sizeof(o->reason)) < 0) {
        (void)snprintf(o->reason, sizeof(o->reason), "%s", reason_of(o->status));
    }
    if (be_arg(q, "type", 0, o->type, sizeof(o->type)) < 0) {
        (void)snprintf(o->type, sizeof(o->type), "%s", "text/plain");
    }
    for (i = 0; (len = be_arg(q, "h", i, text, sizeof(text))) >= 0; i++) {
        be_str_add(&o->extra, text, (size_t)len);
        be_str_add(&o->extra, "\r\n", 2);
    }
    o->chunk = be_arg_num(q, "chunk", 0);
    if (be_arg(q, "te", 0, text, sizeof(text)) > 0 || o->chunk) {
        o->end = BE_END_CHUNKED;
    }
    if (be_arg(q, "cl", 0, text, sizeof(text)) > 0 && strcmp(text, "none") == 0) {
        o->end = BE_END_CLOSE;
    }
    o->minor = be_arg(q, "proto", 0, text, sizeof(text)) > 0 && strcmp(text, "1.0") == 0 ? 0 : 1;
    if (o->minor == 0 || q->minor == 0) {
        o->end = o->end == BE_END_CHUNKED ? BE_END_CLOSE : o->end;
    }
    o->close =
        q->close || o->end == BE_END_CLOSE || o->minor == 0 || be_arg_num(q, "close", 0) != 0;
}

static int no_body(const be_req_t *q, const be_reply_t *o)
{
    return strcmp(q->method, "HEAD") == 0 || o->status == 204 || o->status == 304;
}

static void reply_marks(be_conn_t *c, const be_req_t *q, be_str_t *h)
{
    be_str_addf(h, "X-Backend: %s\r\nX-Backend-Conn: %u\r\nX-Backend-Req: %u\r\n", c->be->name,
                c->ordinal, c->requests);
    if (strlen(q->target) < 1500) {
        be_str_addf(h, "X-Backend-Target: %s\r\n", q->target);
    }
    if (c->is_tls) {
        be_str_addf(h, "X-Backend-Sni: %s\r\nX-Backend-Peer: %s\r\n", c->sni[0] ? c->sni : "-",
                    c->peer_cn[0] ? c->peer_cn : "-");
    }
}

static int reply_head(be_conn_t *c, const be_req_t *q, be_reply_t *o, uint64_t length)
{
    be_str_t h = {NULL, 0, 0};
    char name[64];
    int rc;
    if (be_arg(q, "wait", 0, name, sizeof(name)) > 0 && be_signal_wait(c->be, name) != 0) {
        return -1;
    }
    if (q->ended && be_pending(c)) { /* nothing was answered yet: no next request may be there */
        be_violation(c, "bytes after the end of the request");
    }
    be_str_addf(&h, "HTTP/1.%d %u %s\r\n", o->minor, o->status, o->reason);
    if (o->status != 204 && o->status != 304) {
        be_str_addf(&h, "Content-Type: %s\r\n", o->type);
    }
    if (o->end == BE_END_CHUNKED) {
        be_str_addf(&h, "Transfer-Encoding: chunked\r\n");
    }
    else if (o->end == BE_END_LENGTH && o->status != 204 && o->status != 304) {
        be_str_addf(&h, "Content-Length: %llu\r\n", (unsigned long long)length);
    }
    reply_marks(c, q, &h);
    if (o->extra.len) {
        be_str_add(&h, o->extra.p, o->extra.len);
    }
    be_str_addf(&h, "%s\r\n", o->close ? "Connection: close\r\n" : "");
    rc = be_write(c, h.p, h.len);
    be_str_free(&h);
    be_str_free(&o->extra);
    return rc;
}

static int put_chunk(be_conn_t *c, const char *p, size_t n)
{
    char size[32];
    int len = snprintf(size, sizeof(size), "%zx\r\n", n);
    return be_write(c, size, (size_t)len) == 0 && be_write(c, p, n) == 0 &&
                   be_write(c, "\r\n", 2) == 0
               ? 0
               : -1;
}

static int reply_data(be_conn_t *c, const be_reply_t *o, const char *p, size_t n)
{
    size_t step = o->chunk ? (size_t)o->chunk : n;
    if (o->end != BE_END_CHUNKED) {
        return be_write(c, p, n);
    }
    while (n) {
        size_t now = n < step ? n : step;
        if (put_chunk(c, p, now) != 0) {
            return -1;
        }
        p += now;
        n -= now;
    }
    return 0;
}

static int reply_end(be_conn_t *c, const be_req_t *q, const be_reply_t *o)
{
    if (o->end == BE_END_CHUNKED && !no_body(q, o) && be_write(c, "0\r\n\r\n", 5) != 0) {
        return -1;
    }
    return c->write_failed || o->close ? -1 : 0;
}

static int reply_bytes(be_conn_t *c, const be_req_t *q, be_reply_t *o, const char *p, size_t n)
{
    /* before the answer: once its last byte is out, the next request may come at any time */
    if (be_pending(c) && q->ended) {
        be_violation(c, "bytes after the end of the request");
    }
    if (reply_head(c, q, o, n) != 0) {
        return -1;
    }
    if (!no_body(q, o) && reply_data(c, o, p, n) != 0) {
        return -1;
    }
    return reply_end(c, q, o);
}

static int reply_text(be_conn_t *c, be_req_t *q, unsigned status, const char *p, size_t n)
{
    be_reply_t o;
    if (be_body_all(c, q, NULL, 0) != 0) {
        return -1;
    }
    reply_init(&o, q, status);
    return reply_bytes(c, q, &o, p, n);
}

/* number after the first segment: /bytes/N */
static uint64_t path_num(const be_req_t *q, uint64_t dflt)
{
    const char *p = strchr(q->path + 1, '/');
    uint64_t n;
    return p && be_num(p + 1, p + 1 + strcspn(p + 1, "/"), &n) == 0 ? n : dflt;
}

/* /: any path without a meaning; names itself */
static int do_default(be_conn_t *c, be_req_t *q)
{
    be_str_t text = {NULL, 0, 0};
    int rc;
    be_str_addf(&text, "%s %s\n", q->method, q->target);
    rc = reply_text(c, q, 200, text.p, text.len);
    be_str_free(&text);
    return rc;
}

/* /headers: the request head, byte for byte */
static int do_headers(be_conn_t *c, be_req_t *q)
{
    return reply_text(c, q, 200, q->head.p, q->head.len);
}

/* /status/N: that status; body=TEXT */
static int do_status(be_conn_t *c, be_req_t *q)
{
    char body[1024];
    int len = be_arg(q, "body", 0, body, sizeof(body));
    if (len < 0) {
        len = snprintf(body, sizeof(body), "status %llu\n", (unsigned long long)path_num(q, 200));
    }
    return reply_text(c, q, (unsigned)path_num(q, 200), body, (size_t)len);
}

/* /id/N: a body that names N and the request's X-Test-Id, so that a mixed-up answer shows */
static int do_id(be_conn_t *c, be_req_t *q)
{
    const be_field_t *id = be_field(q, "X-Test-Id");
    be_str_t text = {NULL, 0, 0};
    int rc;
    be_str_addf(&text, "id %llu %.*s\n", (unsigned long long)path_num(q, 0),
                id ? (int)id->value_len : 1, id ? id->value : "-");
    rc = reply_text(c, q, 200, text.p, text.len);
    be_str_free(&text);
    return rc;
}

/* /bytes/N?seed=S: pseudo-random bytes; `digest N S` on the control port says what must arrive */
static int do_bytes(be_conn_t *c, be_req_t *q)
{
    uint64_t left = path_num(q, 0), state = be_random_start(be_arg_num(q, "seed", 1));
    char *buf = be_alloc(BE_BLOCK);
    be_reply_t o;
    int rc = be_body_all(c, q, NULL, 0);
    if (rc == 0) {
        reply_init(&o, q, 200);
        rc = reply_head(c, q, &o, left);
    }
    while (rc == 0 && left && !no_body(q, &o)) {
        size_t n = left < BE_BLOCK ? (size_t)left : BE_BLOCK;
        be_random(&state, buf, n);
        rc = reply_data(c, &o, buf, n);
        left -= n;
    }
    free(buf);
    return rc == 0 ? reply_end(c, q, &o) : -1;
}

/* /echo: the body back, once all of it is here */
static int do_echo(be_conn_t *c, be_req_t *q)
{
    be_str_t body = {NULL, 0, 0};
    be_reply_t o;
    int rc = be_body_all(c, q, &body, BE_ECHO_MAX);
    if (rc == 0) {
        reply_init(&o, q, 200);
        rc = reply_bytes(c, q, &o, body.p, body.len);
    }
    be_str_free(&body);
    return rc;
}

/* /stream: the body back while it arrives */
static int do_stream(be_conn_t *c, be_req_t *q)
{
    char *buf = be_alloc(BE_BLOCK);
    uint64_t length = q->framing == BE_BODY_LENGTH ? q->left : 0;
    ssize_t n = 0;
    be_reply_t o;
    int rc;
    reply_init(&o, q, 200);
    o.end = q->framing == BE_BODY_CHUNKED ? BE_END_CHUNKED : o.end;
    rc = reply_head(c, q, &o, length);
    while (rc == 0 && (n = be_body_some(c, q, buf, BE_BLOCK)) > 0) {
        rc = reply_data(c, &o, buf, (size_t)n);
    }
    free(buf);
    return rc == 0 && n == 0 ? reply_end(c, q, &o) : -1;
}

/* /sink: what arrived, as text: "bytes N sha256 HEX". before=SIGNAL: wait for it before the body is
 * read */
static int do_sink(be_conn_t *c, be_req_t *q)
{
    be_str_t text = {NULL, 0, 0};
    char name[64];
    be_sha256_t sum;
    char hex[65];
    int rc;
    if (be_arg(q, "before", 0, name, sizeof(name)) > 0 && be_signal_wait(c->be, name) != 0) {
        return -1;
    }
    if (be_body_all(c, q, NULL, 0) != 0) {
        return -1;
    }
    sum = q->sha;
    if (q->framing == BE_BODY_NONE) {
        be_sha256_hex(&sum, hex);
    }
    else if (q->rec) {
        memcpy(hex, q->rec->sha, sizeof(hex));
    }
    else {
        hex[0] = '\0';
    }
    be_str_addf(&text, "bytes %llu sha256 %s\n", (unsigned long long)q->body_len, hex);
    rc = reply_text(c, q, 200, text.p, text.len);
    be_str_free(&text);
    return rc;
}

/* /sse?n=N&wait-each=SIGNAL: server-sent events, each after one signal (the first at once) */
static int do_sse(be_conn_t *c, be_req_t *q)
{
    uint64_t n = be_arg_num(q, "n", 3), i;
    be_str_t event = {NULL, 0, 0};
    char name[64];
    be_reply_t o;
    int rc, wait = be_arg(q, "wait-each", 0, name, sizeof(name)) > 0;
    if (be_body_all(c, q, NULL, 0) != 0) {
        return -1;
    }
    reply_init(&o, q, 200);
    (void)snprintf(o.type, sizeof(o.type), "text/event-stream");
    o.end = o.end == BE_END_LENGTH ? BE_END_CHUNKED : o.end;
    rc = reply_head(c, q, &o, 0);
    for (i = 1; rc == 0 && i <= n; i++) {
        if (wait && i > 1 && be_signal_wait(c->be, name) != 0) {
            rc = -1;
            break;
        }
        event.len = 0;
        be_str_addf(&event, "id: %llu\ndata: event %llu\n\n", (unsigned long long)i,
                    (unsigned long long)i);
        rc = reply_data(c, &o, event.p, event.len);
    }
    be_str_free(&event);
    return rc == 0 ? reply_end(c, q, &o) : -1;
}

/* /early/N: answer before the body is read. drain=1: then read it and go on; rst=1: then reset;
 * else close, gently. */
static int do_early(be_conn_t *c, be_req_t *q)
{
    char text[64];
    be_reply_t o;
    int len, drain = be_arg_num(q, "drain", 0) != 0;
    reply_init(&o, q, (unsigned)path_num(q, 401));
    o.close = drain ? o.close : 1;
    q->expect = 0;
    len = snprintf(text, sizeof(text), "early %u\n", o.status);
    (void)reply_bytes(c, q, &o, text, (size_t)len);
    if (be_arg_num(q, "rst", 0)) {
        be_lock(c->be);
        c->reset = 1;
        be_unlock(c->be);
        return -1;
    }
    if (drain) {
        return be_body_all(c, q, NULL, 0) == 0 && !o.close ? 0 : -1;
    }
    be_half_close(c);
    be_drain(c);
    return -1;
}

/* /interim/N?code=C: N interim responses (default 103, with a Link field), then 200 */
static int do_interim(be_conn_t *c, be_req_t *q)
{
    uint64_t n = path_num(q, 1), code = be_arg_num(q, "code", 103), i;
    be_str_t text = {NULL, 0, 0};
    int rc;
    for (i = 1; i <= n; i++) {
        be_str_addf(&text, "HTTP/1.1 %llu Interim\r\nLink: </%llu.css>; rel=preload\r\n\r\n",
                    (unsigned long long)code, (unsigned long long)i);
    }
    if (text.len && be_write(c, text.p, text.len) != 0) {
        be_str_free(&text);
        return -1;
    }
    text.len = 0;
    be_str_addf(&text, "after %llu interim\n", (unsigned long long)n);
    rc = reply_text(c, q, 200, text.p, text.len);
    be_str_free(&text);
    return rc;
}

/* /trailers: chunked, with two trailer fields */
static int do_trailers(be_conn_t *c, be_req_t *q)
{
    static const char body[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n"
        "Trailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 5\r\nSet-Cookie: evil=1\r\n\r\n";
    if (be_body_all(c, q, NULL, 0) != 0) {
        return -1;
    }
    return be_write(c, body, sizeof(body) - 1);
}

/* /hold: read the request and never answer */
static int do_hold(be_conn_t *c, be_req_t *q)
{
    (void)be_body_all(c, q, NULL, 0);
    be_drain(c);
    return -1;
}

/* /drop: read the request and close without an answer; /reset: by a reset */
static int do_drop(be_conn_t *c, be_req_t *q)
{
    (void)be_body_all(c, q, NULL, 0);
    return -1;
}

static int do_reset(be_conn_t *c, be_req_t *q)
{
    (void)be_body_all(c, q, NULL, 0);
    be_lock(c->be);
    c->reset = 1;
    be_unlock(c->be);
    return -1;
}

static const struct {
    const char *segment;
    int (*answer)(be_conn_t *c, be_req_t *q);
} table[] = {
    {"headers", do_headers},
    {"status", do_status},
    {"id", do_id},
    {"bytes", do_bytes},
    {"echo", do_echo},
    {"stream", do_stream},
    {"sink", do_sink},
    {"sse", do_sse},
    {"early", do_early},
    {"interim", do_interim},
    {"trailers", do_trailers},
    {"hold", do_hold},
    {"drop", do_drop},
    {"reset", do_reset},
    {"ws", be_answer_ws},
    {"upgrade", be_answer_upgrade},
};

int be_answer(be_conn_t *c, be_req_t *q)
{
    const char *p = q->path[0] == '/' ? q->path + 1 : q->path;
    size_t len = strcspn(p, "/;"), i;
    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strlen(table[i].segment) == len && memcmp(table[i].segment, p, len) == 0) {
            return table[i].answer(c, q);
        }
    }
    return do_default(c, q);
}
