/* SPDX-License-Identifier: Apache-2.0 */
/* Upgrades: WebSocket echo (RFC 6455 5) and a raw echo for any other protocol. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "be_int.h"

#define BE_FRAME_MAX (1024u * 1024)

static int refuse_upgrade(be_conn_t *c, const char *protocol)
{
    be_str_t h = {NULL, 0, 0};
    int rc;
    be_str_addf(&h,
                "HTTP/1.1 426 Upgrade Required\r\nUpgrade: %s\r\nConnection: "
                "Upgrade\r\nContent-Length: 0\r\n\r\n",
                protocol);
    rc = be_write(c, h.p, h.len);
    be_str_free(&h);
    return rc;
}

static int read_full(be_conn_t *c, unsigned char *buf, size_t n)
{
    while (n) {
        ssize_t got = be_read(c, buf, n);
        if (got <= 0) {
            return -1;
        }
        buf += got;
        n -= (size_t)got;
    }
    return 0;
}

/* length and mask of a frame after its first byte */
static int frame_head(be_conn_t *c, uint64_t *len, unsigned char mask[4])
{
    unsigned char b, ext[8];
    unsigned n, i;
    if (read_full(c, &b, 1) != 0) {
        return -1;
    }
    if ((b & 0x80) == 0) {
        be_violation(c, "WebSocket frame without a mask");
        return -1;
    }
    *len = b & 0x7f;
    n = *len == 126 ? 2 : *len == 127 ? 8 : 0;
    if (n) {
        if (read_full(c, ext, n) != 0) {
            return -1;
        }
        for (*len = 0, i = 0; i < n; i++) {
            *len = *len << 8 | ext[i];
        }
    }
    return *len > BE_FRAME_MAX ? -1 : read_full(c, mask, 4);
}

static int frame_send(be_conn_t *c, unsigned char first, const unsigned char *p, size_t n)
{
    unsigned char h[10];
    size_t len = 2;
    h[0] = first;
    if (n < 126) {
        h[1] = (unsigned char)n;
    }
    else if (n < 65536) {
        h[1] = 126;
        h[2] = (unsigned char)(n >> 8);
        h[3] = (unsigned char)n;
        len = 4;
    }
    else {
        unsigned i;
        h[1] = 127;
        for (i = 0; i < 8; i++) {
            h[2 + i] = (unsigned char)((uint64_t)n >> (56 - 8 * i));
        }
        len = 10;
    }
    return be_write(c, h, len) == 0 && be_write(c, p, n) == 0 ? 0 : -1;
}

/* one frame echoed; -1 ends the connection */
static int frame_echo(be_conn_t *c)
{
    unsigned char first, mask[4], *data;
    uint64_t len, i;
    int rc = -1;
    if (read_full(c, &first, 1) != 0 || frame_head(c, &len, mask) != 0) {
        return -1;
    }
    data = be_alloc((size_t)len + 1);
    if (read_full(c, data, (size_t)len) == 0) {
        for (i = 0; i < len; i++) {
            data[i] ^= mask[i % 4];
        }
        /* a ping comes back as a pong, all else as it is */
        rc = frame_send(c, (first & 15) == 9 ? 0x8a : first, data, (size_t)len);
        if ((first & 15) == 8) {
            rc = -1;
        }
    }
    free(data);
    return rc;
}

int be_answer_ws(be_conn_t *c, be_req_t *q)
{
    const be_field_t *up = be_field(q, "Upgrade"), *key = be_field(q, "Sec-WebSocket-Key");
    be_str_t h = {NULL, 0, 0};
    char accept[29];
    int rc;
    if (up == NULL || key == NULL || !be_ieq(up->value, up->value_len, "websocket")) {
        return refuse_upgrade(c, "websocket");
    }
    be_ws_accept(key->value, key->value_len, accept);
    be_str_addf(&h,
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "X-Backend: %s\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                c->be->name, accept);
    rc = be_write(c, h.p, h.len);
    be_str_free(&h);
    while (rc == 0) {
        rc = frame_echo(c);
    }
    return -1;
}

/* /upgrade/PROTO: 101 to whatever PROTO is; greet=TEXT goes out in the same segment; echoes; after
 * the client's end of stream it says "bye" and closes, so that half-close shows. first=1: "bye" and
 * our half-close at once, then read on. */
int be_answer_upgrade(be_conn_t *c, be_req_t *q)
{
    const char *slash = strchr(q->path + 1, '/');
    char greet[512], *buf;
    be_str_t h = {NULL, 0, 0};
    ssize_t n;
    int len = be_arg(q, "greet", 0, greet, sizeof(greet));
    if (be_field(q, "Upgrade") == NULL && be_arg_num(q, "force", 0) == 0) {
        return refuse_upgrade(c, slash ? slash + 1 : "raw");
    }
    be_str_addf(&h,
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: %s\r\nConnection: Upgrade\r\n\r\n%s",
                slash ? slash + 1 : "raw", len > 0 ? greet : "");
    (void)be_write(c, h.p, h.len);
    be_str_free(&h);
    if (be_arg_num(q, "first", 0)) {
        (void)be_write(c, "bye\n", 4);
        be_half_close(c);
        be_drain(c);
        return -1;
    }
    buf = be_alloc(BE_INBUF);
    while ((n = be_read(c, buf, BE_INBUF)) > 0 && be_write(c, buf, (size_t)n) == 0) {
    }
    free(buf);
    if (n == 0) {
        (void)be_write(c, "bye\n", 4);
    }
    return -1;
}
