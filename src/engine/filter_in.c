/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input of an owned connection, two filters. RPROXY_IN stands above mod_ssl: it gathers whole request heads, holds back the end of
 * chunked bodies, and serves everybody from its own brigade, the pipelining check without a system call. RPROXY_NET_IN stands above the
 * core's and reads the socket. Both refuse to wait on a loop's thread: whoever asks for that is a bug that the log names, not
 * a loop that stands still.
 */
#include "engine/owned_int.h"

#include <errno.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>
#include <strings.h>
#include <sys/socket.h>

#include "upstream/buffer.h"
#include "upstream/socket_io.h"

#define READ_SIZE 16384     /* bytes asked of the filters below at once */
#define CORE_ASK 65536      /* more than CORE_IN ever holds */

static ap_filter_rec_t *in_rec, *net_rec;

static int has_body(const request_rec *r)
{
    return r != NULL && (apr_table_get(r->headers_in, "Content-Length") || apr_table_get(r->headers_in, "Transfer-Encoding"));
}

/* A blocking read with nothing there, on the loop. */
static apr_status_t refuse_to_wait(rp_owned_t *o)
{
    /* Running out of time for a head is no bug: httpd is told by this time-out. Nor is the rest of a body that nobody wants. */
    if (!o->head_late && o->state == RP_OWNED_REQUEST && !has_body(o->r)) {
        ap_log_cerror(APLOG_MARK, APLOG_ERR, 0, o->c,
                      "RP0300: something asked to wait for the client on an event loop; the connection is closed. Set \"RProxyLane handoff\" "
                      "for this place and report it with the configuration");
    }
    o->c->keepalive = AP_CONN_CLOSE;
    return APR_TIMEUP;
}

/* ---- the socket ---- */

static ssize_t receive(const rp_owned_t *o, char *buf, apr_size_t size)
{
    ssize_t n;

    do {
        n = rp_socket_recv(o->fd, buf, size, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n;
}

/* The buffer is the thread's again when its last byte was served: a client that waits, or is idle, has none. */
static apr_status_t sock_read(rp_owned_t *o, apr_bucket_brigade *bb)
{
    apr_size_t size = o->read_large ? RP_BUFFER_LARGE : RP_BUFFER_SMALL;
    char *buf = rp_buffer_get(size);
    ssize_t n = receive(o, buf, size);
    int err = errno;

    if (n > 0) {
        o->read_large = (apr_size_t)n == size;
        if ((apr_size_t)n < size && !o->peer_eof && o->on_loop) {
            o->readable = 0; /* edge-triggered: more will be announced */
        }
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_heap_create(buf, (apr_size_t)n, rp_buffer_free, o->c->bucket_alloc));
        return APR_SUCCESS;
    }
    rp_buffer_free(buf);
    if (n == 0) {
        return APR_EOF;
    }
    if (o->on_loop) {
        o->readable = 0;
    }
    return err;
}

/* What CORE_IN read ahead before the connection was ours. */
static apr_status_t core_read(rp_owned_t *o, ap_filter_t *f, apr_bucket_brigade *bb)
{
    apr_off_t len = 0;
    apr_status_t rv = ap_get_brigade(f->next, bb, AP_MODE_READBYTES, APR_NONBLOCK_READ, CORE_ASK);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    (void)apr_brigade_length(bb, 0, &len);
    if (len < CORE_ASK) {
        o->core_drained = 1; /* it went on until the socket had no more */
    }
    return len > 0 ? APR_SUCCESS : APR_EAGAIN;
}

/* Copies of the first n bytes of a brigade. */
static apr_status_t copy_front(apr_bucket_brigade *from, apr_bucket_brigade *to, apr_off_t n)
{
    apr_bucket *end, *b;
    apr_status_t rv = apr_brigade_partition(from, n, &end);

    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE) {
        return rv;
    }
    for (b = APR_BRIGADE_FIRST(from); b != end && b != APR_BRIGADE_SENTINEL(from); b = APR_BUCKET_NEXT(b)) {
        apr_bucket *copy;

        rv = apr_bucket_copy(b, &copy);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        APR_BRIGADE_INSERT_TAIL(to, copy);
    }
    return APR_SUCCESS;
}

/* Read once, into `ahead`. */
static apr_status_t read_ahead(rp_owned_t *o, ap_filter_t *f)
{
    return o->core_drained ? sock_read(o, o->ahead) : core_read(o, f, o->ahead);
}

/* A look at what comes next (mod_reqtimeout takes one before each request), or the bytes themselves. */
static apr_status_t serve_ahead(rp_owned_t *o, apr_bucket_brigade *bb, ap_input_mode_t mode, apr_off_t readbytes)
{
    if (mode == AP_MODE_SPECULATIVE) {
        return copy_front(o->ahead, bb, readbytes);
    }
    APR_BRIGADE_CONCAT(bb, o->ahead);
    return APR_SUCCESS;
}

static apr_status_t net_filter(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode, apr_read_type_e block, apr_off_t readbytes)
{
    rp_owned_t *o = f->ctx;
    int ours = mode == AP_MODE_READBYTES || mode == AP_MODE_SPECULATIVE;
    apr_status_t rv;

    if (!APR_BRIGADE_EMPTY(o->ahead) && ours) {
        return serve_ahead(o, bb, mode, readbytes);
    }
    if (!ours || (!o->on_loop && block == APR_BLOCK_READ)) {
        o->core_drained = 0; /* it may keep some of what it reads */
        return ap_get_brigade(f->next, bb, mode, block, readbytes);
    }
    rv = read_ahead(o, f);
    if (rv == APR_SUCCESS) {
        return serve_ahead(o, bb, mode, readbytes);
    }
    if (!APR_STATUS_IS_EAGAIN(rv)) {
        return rv;
    }
    return block == APR_NONBLOCK_READ ? APR_SUCCESS : refuse_to_wait(o); /* as the core: nothing there is an empty brigade */
}

/* ---- gathering ---- */

/* Count what came and look at it. */
static void examine(rp_owned_t *o, apr_bucket_brigade *bb)
{
    server_rec *s = o->c->base_server;
    rp_head_limits_t limits = {(size_t)s->limit_req_line, (size_t)s->limit_req_fieldsize, (size_t)s->limit_req_fields};
    apr_bucket *b;

    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb); b = APR_BUCKET_NEXT(b)) {
        const char *p;
        apr_size_t n;

        if (APR_BUCKET_IS_METADATA(b) || apr_bucket_read(b, &p, &n, APR_NONBLOCK_READ) != APR_SUCCESS) {
            continue;
        }
        o->in_len += (apr_off_t)n;
        if (o->gated) {
            rp_chunk_gate(&o->gate, p, n);
        }
        else if (o->scanning) {
            (void)rp_head_scan(&o->scan, &limits, p, n);
        }
    }
}

/* What is kept lives in a buffer of mod_ssl, which the next read fills anew. */
static apr_status_t own_what_is_here(rp_owned_t *o)
{
    apr_bucket *b;

    for (b = APR_BRIGADE_FIRST(o->in); b != APR_BRIGADE_SENTINEL(o->in); b = APR_BUCKET_NEXT(b)) {
        if (APR_BUCKET_IS_TRANSIENT(b)) {
            apr_status_t rv = apr_bucket_setaside(b, o->c->pool);

            if (rv != APR_SUCCESS) {
                return rv;
            }
        }
    }
    return APR_SUCCESS;
}

/* Read once. APR_SUCCESS: something came. */
static apr_status_t gather(rp_owned_t *o, apr_read_type_e block)
{
    apr_status_t rv;

    if (o->in_status != APR_SUCCESS) {
        return o->in_status;
    }
    rv = own_what_is_here(o);
    if (rv == APR_SUCCESS) {
        rv = ap_get_brigade(o->in_filter->next, o->in_new, AP_MODE_READBYTES, block, READ_SIZE);
    }
    if (rv == APR_SUCCESS && APR_BRIGADE_EMPTY(o->in_new)) {
        rv = APR_EAGAIN;
    }
    if (rv == APR_SUCCESS && APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(o->in_new))) {
        apr_bucket_delete(APR_BRIGADE_LAST(o->in_new));
        o->in_status = APR_EOF;
        rv = APR_BRIGADE_EMPTY(o->in_new) ? APR_EOF : APR_SUCCESS;
    }
    if (rv == APR_SUCCESS) {
        examine(o, o->in_new);
        APR_BRIGADE_CONCAT(o->in, o->in_new);
    }
    else if (!APR_STATUS_IS_EAGAIN(rv) && !APR_STATUS_IS_TIMEUP(rv)) {
        o->in_status = rv;
    }
    return rv;
}

/* 1: an attempt may give bytes. TLS may hold some although the socket has none, so there only an attempt tells. Nor does a helper
 * know: it looks at the socket by itself, and what the loop heard is for the loop. */
static int may_have_more(const rp_owned_t *o)
{
    return !o->on_loop || o->readable || o->peer_eof || o->in_maybe || !APR_BRIGADE_EMPTY(o->ahead);
}

static apr_status_t gather_nonblocking(rp_owned_t *o)
{
    apr_status_t rv;

    if (!may_have_more(o)) {
        return o->in_status != APR_SUCCESS ? o->in_status : APR_EAGAIN;
    }
    rv = gather(o, APR_NONBLOCK_READ);
    o->in_maybe = rv == APR_SUCCESS && !o->plain;
    if (APR_STATUS_IS_EAGAIN(rv) && o->on_loop) {
        o->readable = 0;
    }
    return rv;
}

/* As the caller wishes; on a loop nobody waits. */
static apr_status_t gather_more(rp_owned_t *o, apr_read_type_e block)
{
    return o->on_loop || block == APR_NONBLOCK_READ ? gather_nonblocking(o) : gather(o, APR_BLOCK_READ);
}

void rp_owned_fill_head(rp_owned_t *o)
{
    while (!o->scan.done && gather_nonblocking(o) == APR_SUCCESS) {
        /* until a head is whole or there is no more */
    }
}

int rp_owned_head_ready(const rp_owned_t *o)
{
    return o->scan.done;
}

static apr_off_t servable(const rp_owned_t *o);

int rp_owned_may_read(const rp_owned_t *o)
{
    return servable(o) > 0 || may_have_more(o) || o->in_status != APR_SUCCESS;
}

/* What is here already is looked at with other eyes. */
static void examine_again(rp_owned_t *o)
{
    o->in_served = 0;
    o->in_len = 0;
    examine(o, o->in);
}

/* mod_reqtimeout times what it sees, and takes all for handshake or body until httpd begins to read a request. But here the next head
 * is read before that, and a client may be idle for longer than its body may take. Heads have their time from head_time.c. */
static void reqtimeout_out(rp_owned_t *o)
{
    ap_filter_t *f = o->in_filter;

    if (o->reqtimeout == NULL) {
        return;
    }
    while (f->next != NULL && f->next != o->reqtimeout) {
        f = f->next;
    }
    if (f->next != NULL) {
        f->next = o->reqtimeout->next;
    }
    else {
        o->reqtimeout = NULL; /* somebody has removed it */
    }
}

void rp_owned_reqtimeout_in(rp_owned_t *o)
{
    ap_filter_t *f = o->in_filter;

    if (o->reqtimeout == NULL) {
        return;
    }
    while (f->next != NULL && f->next != o->reqtimeout->next) {
        f = f->next;
    }
    f->next = o->reqtimeout;
}

void rp_owned_next_head(rp_owned_t *o)
{
    reqtimeout_out(o);
    o->gated = 0;
    o->scanning = 1;
    rp_head_scan_reset(&o->scan);
    examine_again(o);
}

void rp_owned_gate_body(rp_owned_t *o)
{
    rp_chunk_gate_reset(&o->gate);
    o->gated = 1;
    examine_again(o);
}

/* ---- serving ---- */

/* Bytes that may be served now. Behind a whole chunked body everything may: it is asked for by the pipelining check. */
static apr_off_t servable(const rp_owned_t *o)
{
    apr_off_t safe;

    if (!o->gated || o->gate.state == RP_GATE_BAD || (o->gate.state == RP_GATE_DONE && o->in_served >= o->gate.safe)) {
        return o->in_len;
    }
    safe = o->gate.safe - o->in_served;
    return safe < o->in_len ? safe : o->in_len;
}

/* Make something servable. block: the caller's wish. */
static apr_status_t want(rp_owned_t *o, apr_read_type_e block)
{
    for (;;) {
        apr_status_t rv;

        if (servable(o) > 0) {
            return APR_SUCCESS;
        }
        rv = gather_more(o, block);
        if (APR_STATUS_IS_EAGAIN(rv)) {
            return block == APR_NONBLOCK_READ ? APR_EAGAIN : refuse_to_wait(o);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
}

/* Move the first n bytes to bb. */
static apr_status_t move_bytes(rp_owned_t *o, apr_bucket_brigade *bb, apr_off_t n)
{
    apr_bucket *end;
    apr_status_t rv = apr_brigade_partition(o->in, n, &end);

    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE) {
        return rv;
    }
    while (APR_BRIGADE_FIRST(o->in) != end && !APR_BRIGADE_EMPTY(o->in)) {
        apr_bucket *b = APR_BRIGADE_FIRST(o->in);

        APR_BUCKET_REMOVE(b);
        APR_BRIGADE_INSERT_TAIL(bb, b);
    }
    o->in_len -= n;
    o->in_served += n;
    return APR_SUCCESS;
}

/* Length of the line at the start of what may be served, its LF included, 0: no LF in there. */
static apr_off_t line_length(const rp_owned_t *o, apr_off_t limit)
{
    apr_off_t before = 0;
    apr_bucket *b;

    for (b = APR_BRIGADE_FIRST(o->in); b != APR_BRIGADE_SENTINEL(o->in) && before < limit; b = APR_BUCKET_NEXT(b)) {
        const char *p, *lf;
        apr_size_t n;

        if (APR_BUCKET_IS_METADATA(b) || apr_bucket_read(b, &p, &n, APR_NONBLOCK_READ) != APR_SUCCESS) {
            continue;
        }
        if ((apr_off_t)n > limit - before) {
            n = (apr_size_t)(limit - before);
        }
        lf = memchr(p, '\n', n);
        if (lf != NULL) {
            return before + (lf - p) + 1;
        }
        before += (apr_off_t)n;
    }
    return 0;
}

/* Most lines lie in one bucket, and end in it: no need to look for where. n bytes at most, of which servable() told. */
static int serve_short_line(rp_owned_t *o, apr_bucket_brigade *bb, apr_off_t n)
{
    apr_bucket *b = APR_BRIGADE_FIRST(o->in);
    const char *p, *lf;
    apr_size_t len;

    if (n <= 0 || APR_BUCKET_IS_METADATA(b) || apr_bucket_read(b, &p, &len, APR_NONBLOCK_READ) != APR_SUCCESS) {
        return 0;
    }
    lf = memchr(p, '\n', n < (apr_off_t)len ? (apr_size_t)n : len);
    if (lf == NULL) {
        return 0;
    }
    len = (apr_size_t)(lf - p) + 1;
    if (len >= HUGE_STRING_LEN || (len < b->length && apr_bucket_split(b, len) != APR_SUCCESS)) {
        return 0;
    }
    APR_BUCKET_REMOVE(b);
    APR_BRIGADE_INSERT_TAIL(bb, b);
    o->in_len -= (apr_off_t)len;
    o->in_served += (apr_off_t)len;
    return 1;
}

/* A line, or a part of it when more can not be had without waiting. A blocking caller gets a whole one or an error. */
static apr_status_t serve_line(rp_owned_t *o, apr_bucket_brigade *bb, apr_read_type_e block)
{
    for (;;) {
        apr_off_t some = servable(o);
        apr_off_t line;
        apr_status_t rv;

        if (serve_short_line(o, bb, some)) {
            return APR_SUCCESS;
        }
        line = line_length(o, some);
        if (line > 0 || some >= HUGE_STRING_LEN) {
            return move_bytes(o, bb, line > 0 && line < HUGE_STRING_LEN ? line : HUGE_STRING_LEN);
        }
        rv = gather_more(o, block);
        if (rv == APR_SUCCESS) {
            continue;
        }
        if (some > 0 && (block == APR_NONBLOCK_READ || !APR_STATUS_IS_EAGAIN(rv))) {
            return move_bytes(o, bb, some);
        }
        if (APR_STATUS_IS_EAGAIN(rv)) {
            return block == APR_NONBLOCK_READ ? APR_EAGAIN : refuse_to_wait(o);
        }
        return rv;
    }
}

/* CR and LF at the start are thrown away. */
static apr_status_t eat_crlf(rp_owned_t *o)
{
    while (o->in_len > 0) {
        apr_bucket *b = APR_BRIGADE_FIRST(o->in);
        const char *p;
        apr_size_t n;

        if (apr_bucket_read(b, &p, &n, APR_NONBLOCK_READ) != APR_SUCCESS || n == 0) {
            apr_bucket_delete(b);
            continue;
        }
        if (*p != '\r' && *p != '\n') {
            return APR_SUCCESS;
        }
        (void)apr_bucket_split(b, 1);
        apr_bucket_delete(b);
        o->in_len--;
    }
    return APR_EAGAIN;
}

static apr_status_t in_filter(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode, apr_read_type_e block, apr_off_t readbytes)
{
    rp_owned_t *o = f->ctx;
    apr_status_t rv;
    apr_off_t n;

    switch (mode) {
    case AP_MODE_GETLINE: return serve_line(o, bb, block);
    case AP_MODE_EATCRLF: return eat_crlf(o);
    case AP_MODE_READBYTES:
    case AP_MODE_SPECULATIVE: break;
    case AP_MODE_EXHAUSTIVE:
    case AP_MODE_INIT:
    default: return ap_get_brigade(f->next, bb, mode, block, readbytes);
    }
    rv = want(o, block);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    n = servable(o) < readbytes ? servable(o) : readbytes;
    return mode == AP_MODE_READBYTES ? move_bytes(o, bb, n) : copy_front(o->in, bb, n);
}

apr_status_t rp_owned_discard(rp_owned_t *o)
{
    char buf[READ_SIZE];
    ssize_t n;

    if (!o->readable && !o->peer_eof) {
        return APR_EAGAIN;
    }
    n = receive(o, buf, sizeof(buf));
    if (n > 0) {
        return APR_SUCCESS;
    }
    if (n == 0) {
        return APR_EOF;
    }
    o->readable = 0;
    return errno;
}

/* ---- registration ---- */

void rp_owned_input_register(void)
{
    in_rec = ap_register_input_filter("RPROXY_IN", in_filter, NULL, AP_FTYPE_CONNECTION);
    net_rec = ap_register_input_filter("RPROXY_NET_IN", net_filter, NULL, AP_FTYPE_NETWORK - 1);
}

/* Filters that hold no bytes back: when the socket has none, they have none. */
static int holds_nothing(const char *name)
{
    return !strcasecmp(name, "RPROXY_NET_IN") || !strcasecmp(name, "LOG_INPUT_OUTPUT") || !strcasecmp(name, "REQTIMEOUT")
           || !strcasecmp(name, "CORE_IN");
}

void rp_owned_input_add(rp_owned_t *o)
{
    ap_filter_t *f;

    (void)ap_add_input_filter_handle(net_rec, o, NULL, o->c);
    o->in_filter = ap_add_input_filter_handle(in_rec, o, NULL, o->c);
    o->in = apr_brigade_create(o->c->pool, o->c->bucket_alloc);
    o->in_new = apr_brigade_create(o->c->pool, o->c->bucket_alloc);
    o->ahead = apr_brigade_create(o->c->pool, o->c->bucket_alloc);
    o->plain = 1;
    for (f = o->in_filter->next; f != NULL; f = f->next) {
        o->plain &= holds_nothing(f->frec->name);
        if (!strcasecmp(f->frec->name, "REQTIMEOUT")) {
            o->reqtimeout = f;
        }
    }
    rp_owned_next_head(o);
}
