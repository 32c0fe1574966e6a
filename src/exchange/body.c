/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The response body: read, take the framing off, pass it on. Bytes are read into heap buckets and cut by splitting them, so they
 * are copied nowhere. No more is read while the client side has a backlog.
 */
#include "exchange/exchange_int.h"

#include <string.h>

#include "upstream/buffer.h"

#define READ_FIRST RP_BUFFER_SMALL
#define READ_LARGE RP_BUFFER_LARGE /* once a body has shown to be large */
#define COMPACT_BELOW 1024 /* chunks shorter than this are moved together */

/*
 * Once the request is out, a driver that may block lets back-pressure block it. While the request is still on its way it
 * must not: a backend that echoes would fill both directions and nobody would read. So the client must be writable
 * first, and only a small piece is written at a time.
 */
static int may_wait(const rp_exchange_t *ex)
{
    return ex->send == RP_SEND_DONE || ex->send == RP_SEND_BROKEN;
}

int rp_ex_client_stuck(const rp_exchange_t *ex)
{
    if (ex->discard) {
        return 0;
    }
    return ex->ops->backlog(ex->ctx) || (!may_wait(ex) && !(ex->ready & RP_WAIT_CLIENT_WRITE));
}

static apr_status_t write_client(rp_exchange_t *ex, int flush)
{
    int wait = may_wait(ex);

    flush = flush || !wait;
    if (!wait) {
        ex->ready &= ~(unsigned)RP_WAIT_CLIENT_WRITE;
    }
    ex->unflushed = !flush;
    return ex->ops->write(ex->ctx, ex->bb, flush, wait);
}

apr_status_t rp_ex_flush_client(rp_exchange_t *ex)
{
    if (ex->discard || ex->recv == RP_RECV_DONE) {
        ex->unflushed = 0;
        return APR_SUCCESS;
    }
    return rp_ex_client_stuck(ex) ? APR_SUCCESS : write_client(ex, 1);
}

static void body_done(rp_exchange_t *ex)
{
    ex->recv = RP_RECV_DONE;
}

/* Cut len bytes off the front of b into ex->bb; returns the bucket that holds the rest, or NULL. b is owned. */
static apr_bucket *take_front(rp_exchange_t *ex, apr_bucket *b, apr_size_t len, int keep)
{
    apr_bucket *rest = NULL;

    if (len < b->length) {
        APR_BRIGADE_INSERT_TAIL(ex->in, b); /* a split needs a ring */
        (void)apr_bucket_split(b, len);
        rest = APR_BUCKET_NEXT(b);
        APR_BUCKET_REMOVE(rest);
        APR_BUCKET_REMOVE(b);
    }
    if (keep) {
        APR_BRIGADE_INSERT_TAIL(ex->bb, b);
    }
    else {
        apr_bucket_destroy(b);
    }
    return rest;
}

/* Gather the trailer section. The decoder bounds it. */
static void trailer_add(rp_exchange_t *ex, const rp_slice_t *part)
{
    if (part->n == 0 || ex->ops->trailers == NULL) {
        return;
    }
    if (ex->trailer_len + part->n > ex->trailer_size) {
        apr_size_t size = ex->trailer_size ? ex->trailer_size : 256;
        char *bigger;

        while (size < ex->trailer_len + part->n) {
            size *= 2;
        }
        bigger = apr_palloc(ex->pool, size);
        if (ex->trailer_len > 0) {
            memcpy(bigger, ex->trailer, ex->trailer_len);
        }
        ex->trailer = bigger;
        ex->trailer_size = size;
    }
    memcpy(ex->trailer + ex->trailer_len, part->p, part->n);
    ex->trailer_len += part->n;
}

/* The body ended. Trailers that can not be understood are left out: nobody needs them for the answer. */
static void trailers_done(rp_exchange_t *ex)
{
    rp_h1_resp_t trailers;

    if (ex->trailer_len > 2 && !ex->discard
        && rp_h1_fields_parse(&trailers, ex->pool, &ex->conf.limits, ex->trailer, ex->trailer_len) == APR_SUCCESS
        && trailers.nfields > 0) {
        ex->ops->trailers(ex->ctx, &trailers);
    }
}

/** A run of body bytes in a buffer that is being unframed. */
typedef struct piece_t {
    apr_bucket *rest;  /* the buffer from offset cut on, NULL: used up */
    apr_size_t cut;
    apr_size_t start, end; /* the piece, offsets in the buffer; empty: none yet */
} piece_t;

/* Give the piece to ex->bb. */
static void piece_emit(rp_exchange_t *ex, piece_t *p)
{
    if (p->end == p->start) {
        return;
    }
    if (p->start > p->cut) {
        p->rest = take_front(ex, p->rest, p->start - p->cut, 0);
    }
    p->rest = take_front(ex, p->rest, p->end - p->start, 1);
    p->cut = p->end;
}

/* Small runs are moved up to the piece, so that a body in tiny chunks does not become a bucket for each of them. */
static void piece_add(rp_exchange_t *ex, piece_t *p, char *buf, const rp_slice_t *run)
{
    if (p->end > p->start && run->n < COMPACT_BELOW) {
        memmove(buf + p->end, run->p, run->n);
        p->end += run->n;
    }
    else {
        piece_emit(ex, p);
        p->start = (apr_size_t)(run->p - buf);
        p->end = p->start + run->n;
    }
}

/* Take the chunked framing off bucket b, whose bytes are at buf and ours. Takes ownership of b. */
static void eat_chunked(rp_exchange_t *ex, apr_bucket *b, char *buf)
{
    apr_size_t len = b->length;
    apr_size_t pos = 0;
    piece_t p = {b, 0, 0, 0};
    apr_status_t rv = APR_SUCCESS;

    while (pos < len && ex->chunk.state != RP_CHUNK_DONE && (rv == APR_SUCCESS || APR_STATUS_IS_EAGAIN(rv))) {
        apr_size_t used = 0;
        rp_slice_t run = {NULL, 0};

        rv = rp_chunk_decode(&ex->chunk, buf + pos, len - pos, &used, &run);
        if (run.n > 0) {
            piece_add(ex, &p, buf, &run);
        }
        trailer_add(ex, &ex->chunk.trailer);
        pos += used;
    }
    piece_emit(ex, &p);
    if (p.rest != NULL) {
        apr_bucket_destroy(p.rest);
    }
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(rv)) {
        (void)rp_ex_fail(ex, RP_FAIL_BODY_BAD_CHUNK, APR_SUCCESS, rp_chunk_err_str(ex->chunk.err));
    }
    else if (ex->chunk.state == RP_CHUNK_DONE) {
        ex->extra_bytes = pos < len;
        trailers_done(ex);
        body_done(ex);
    }
}

static void eat_length(rp_exchange_t *ex, apr_bucket *b)
{
    if ((apr_int64_t)b->length > ex->resp_left) {
        ex->extra_bytes = 1;
        b = take_front(ex, b, (apr_size_t)ex->resp_left, 1);
        apr_bucket_destroy(b);
        ex->resp_left = 0;
    }
    else {
        ex->resp_left -= (apr_int64_t)b->length;
        APR_BRIGADE_INSERT_TAIL(ex->bb, b);
    }
    if (ex->resp_left == 0) {
        body_done(ex);
    }
}

/* Take ownership of bucket b with bytes at data. */
static void eat(rp_exchange_t *ex, apr_bucket *b, char *data)
{
    switch (ex->resp_framing.kind) {
    case RP_FRAMING_LENGTH:
        eat_length(ex, b);
        return;
    case RP_FRAMING_CHUNKED:
        eat_chunked(ex, b, data);
        return;
    case RP_FRAMING_CLOSE:
        APR_BRIGADE_INSERT_TAIL(ex->bb, b);
        return;
    case RP_FRAMING_NONE:
    case RP_FRAMING_TUNNEL:
    case RP_FRAMING_REJECT:
        ex->extra_bytes = 1;
        apr_bucket_destroy(b);
        return;
    }
}

/* The n bytes behind the head; the buffer is the bucket's from here on. */
static apr_bucket *leftover(rp_exchange_t *ex, apr_size_t n)
{
    apr_bucket *b = apr_bucket_heap_create(ex->head_buf, ex->head_end, rp_buffer_free, ex->ba);

    b->start += (apr_off_t)ex->head_start;
    b->length = n;
    ex->head_buf = NULL;
    return b;
}

void rp_ex_body_leftover(rp_exchange_t *ex)
{
    apr_size_t n = ex->head_end - ex->head_start;
    char *data = ex->head_buf + ex->head_start;

    if (ex->resp_framing.kind == RP_FRAMING_NONE
        || (ex->resp_framing.kind == RP_FRAMING_LENGTH && ex->resp_left == 0)) {
        ex->extra_bytes = n > 0;
        body_done(ex);
        rp_ex_head_free(ex);
        return;
    }
    if (n > 0) {
        if (may_wait(ex) && (ex->ready & RP_WAIT_BACKEND_READ)) { /* the head's read was full: there is more */
            ex->read_size = READ_LARGE;
            ex->gather = 1;
        }
        eat(ex, leftover(ex, n), data);
    }
    rp_ex_head_free(ex);
}

/* An unwanted body is read for the connection's sake, but not at any price. */
static void discard(rp_exchange_t *ex)
{
    apr_off_t len = 0;

    (void)apr_brigade_length(ex->bb, 0, &len);
    apr_brigade_cleanup(ex->bb);
    ex->discarded += (apr_size_t)len;
    if (ex->recv == RP_RECV_BODY && (ex->discarded > RP_DISCARD_MAX || ex->resp_left > RP_DISCARD_MAX)) {
        ex->gave_up = 1;
        body_done(ex);
    }
}

/* Give what is in bb to the client side. */
static void pass_on(rp_exchange_t *ex)
{
    if (ex->discard) {
        discard(ex);
        return;
    }
    if (APR_BRIGADE_EMPTY(ex->bb) || rp_ex_client_stuck(ex)) {
        return;
    }
    if (write_client(ex, 0) != APR_SUCCESS) {
        (void)rp_ex_fail(ex, RP_FAIL_CLIENT_GONE, APR_SUCCESS, NULL);
    }
}

/*
 * Until close, the end of the connection is the end of the body. With TLS that must be said by close-notify: anybody on the way can
 * end a TCP stream (RFC 9112 9.8).
 */
static void body_eof(rp_exchange_t *ex, apr_status_t rv)
{
    if (ex->resp_framing.kind == RP_FRAMING_CLOSE && APR_STATUS_IS_EOF(rv)) {
        if (ex->conn->unclean_eof && !ex->conf.tls_eof_ok) {
            (void)rp_ex_fail(ex, RP_FAIL_BODY_SHORT, APR_SUCCESS, "TLS ended without close-notify");
            return;
        }
        body_done(ex);
        return;
    }
    (void)rp_ex_fail(ex, APR_STATUS_IS_ETIMEDOUT(rv) ? RP_FAIL_BODY_TIMEOUT : RP_FAIL_BODY_SHORT, APR_STATUS_IS_EOF(rv) ? APR_SUCCESS : rv, NULL);
}

/* A bucket for the n bytes in buf, which has size bytes: a small piece does not keep a large buffer. */
static apr_bucket *wrap(rp_exchange_t *ex, char **buf, apr_size_t n, apr_size_t size)
{
    if (size > RP_BUFFER_SMALL && n <= RP_BUFFER_SMALL) {
        char *smaller = rp_buffer_get(n);

        memcpy(smaller, *buf, n);
        rp_buffer_free(*buf);
        *buf = smaller;
    }
    if (n < size / 4) {
        ex->read_size = 0;
    }
    return apr_bucket_heap_create(*buf, n, rp_buffer_free, ex->ba);
}

/* How much to ask for. Where the length is known, one byte beyond it, so that what does not belong there is seen. */
static apr_size_t next_read(const rp_exchange_t *ex)
{
    apr_size_t size = ex->read_size ? ex->read_size : READ_FIRST;

    if (ex->resp_framing.kind != RP_FRAMING_LENGTH) {
        return size;
    }
    size = may_wait(ex) ? READ_LARGE : size;
    return ex->resp_left < (apr_int64_t)size ? (apr_size_t)ex->resp_left + 1 : size;
}

/* Read once. 1: bytes came. */
static int body_read(rp_exchange_t *ex)
{
    apr_bucket *b;
    apr_size_t size = next_read(ex);
    apr_size_t n = size;
    char *buf = rp_buffer_get(size);
    apr_status_t rv = rp_ex_recv(ex, buf, &n);

    if (rv != APR_SUCCESS) {
        rp_buffer_free(buf);
        ex->ready &= ~(unsigned)RP_WAIT_BACKEND_READ;
        if (!APR_STATUS_IS_EAGAIN(rv)) {
            body_eof(ex, rv);
        }
        return 0;
    }
    ex->at->received += (apr_off_t)n;
    rp_ex_progress(ex);
    if (n == size) {
        ex->read_size = may_wait(ex) ? READ_LARGE : 0; /* there may be more: nobody announces it again */
    }
    else if (ex->conn->ops->buffered(ex->conn) == 0) {
        ex->ready &= ~(unsigned)RP_WAIT_BACKEND_READ;
    }
    b = wrap(ex, &buf, n, size);
    eat(ex, b, buf);
    return 1;
}

/*
 * Bytes that came with the head go to the client at once, but when the next read is sure to bring more: then one write takes both.
 */
void rp_ex_recv_body(rp_exchange_t *ex, int *progress)
{
    int gather = ex->gather;

    ex->gather = 0;
    if (!APR_BRIGADE_EMPTY(ex->bb) && ex->recv != RP_RECV_DONE && !gather) {
        pass_on(ex);
    }
    while (rp_ex_alive(ex) && ex->recv == RP_RECV_BODY) {
        if ((!APR_BRIGADE_EMPTY(ex->bb) && !gather) || rp_ex_client_stuck(ex)) {
            return;
        }
        gather = 0;
        if (!(ex->ready & RP_WAIT_BACKEND_READ) || !body_read(ex)) {
            return;
        }
        *progress = 1;
        if (rp_ex_alive(ex) && ex->recv == RP_RECV_BODY) {
            pass_on(ex);
        }
        if (ex->send == RP_SEND_BODY) {
            return; /* let the request move between two reads */
        }
    }
}
