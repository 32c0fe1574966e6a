/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request's way to the backend: gather the first bytes of the body, choose its framing, write head and body.
 * `out` holds framed bytes only; it is refilled from the client when it is empty, so memory stays bounded.
 */
#include "exchange/exchange_int.h"

#include <apr_strings.h>

#define SEND_IOV 16
#define LOOK_EVERY 32768 /* bytes sent between two looks for an early answer, when the upload itself never pauses */
#define BODY_READ_MAX 65536 /* asked of the client at once */

static rp_move_e prefetch_done(rp_exchange_t *ex)
{
    if (ex->body_eos) {
        ex->framing = RP_REQ_LENGTH;
        ex->length = ex->kept_len;
    }
    else if (ex->conf.body_length >= 0 && !ex->conf.body_may_change) {
        ex->framing = RP_REQ_LENGTH;
        ex->length = ex->conf.body_length;
    }
    else {
        ex->framing = RP_REQ_CHUNKED;
    }
    return rp_ex_go(ex, RP_EX_TAKE);
}

int rp_exchange_spools(const rp_exchange_conf_t *conf)
{
    if (!conf->has_body || (conf->body_length >= 0 && !conf->body_may_change)) {
        return 0;
    }
    if (conf->body_length >= 0) { /* a filter may change its size */
        return conf->body_policy != RP_BODY_SENDCHUNKED;
    }
    return conf->body_policy == RP_BODY_SENDCL;
}

/* ---- prefetch ---- */

/* Copy `in` to kept_buf. 0: it does not fit. */
static int keep_in_memory(rp_exchange_t *ex, apr_off_t len)
{
    apr_size_t used, n;

    if (ex->kept_buf == NULL) {
        int known = ex->conf.body_length >= 0 && ex->conf.body_length < RP_PREFETCH_MAX && !ex->conf.body_may_change;
        ex->kept_size = known ? (apr_size_t)ex->conf.body_length + 1 : RP_PREFETCH_MAX;
        ex->kept_buf = apr_palloc(ex->pool, ex->kept_size);
        ex->kept_mem = apr_bucket_immortal_create(ex->kept_buf, 0, ex->ba);
        APR_BRIGADE_INSERT_HEAD(ex->kept, ex->kept_mem);
    }
    used = ex->kept_mem->length;
    if ((apr_off_t)used < ex->kept_len || len > (apr_off_t)(ex->kept_size - used)) {
        return 0;
    }
    n = (apr_size_t)len;
    if (apr_brigade_flatten(ex->in, ex->kept_buf + used, &n) != APR_SUCCESS || (apr_off_t)n != len) {
        return 0;
    }
    ex->kept_mem->length += n;
    apr_brigade_cleanup(ex->in);
    return 1;
}

/* Append what was spooled; pieces of a file that follow each other become one bucket, however many there are. */
static void keep_spooled(rp_exchange_t *ex)
{
    while (!APR_BRIGADE_EMPTY(ex->in)) {
        apr_bucket *b = APR_BRIGADE_FIRST(ex->in);
        apr_bucket *last = APR_BRIGADE_LAST(ex->kept);

        APR_BUCKET_REMOVE(b);
        if (APR_BUCKET_IS_FILE(b) && APR_BUCKET_IS_FILE(last)
            && ((apr_bucket_file *)b->data)->fd == ((apr_bucket_file *)last->data)->fd
            && last->start + (apr_off_t)last->length == b->start) {
            last->length += b->length;
            apr_bucket_destroy(b);
        }
        else {
            APR_BRIGADE_INSERT_TAIL(ex->kept, b);
        }
    }
}

/* Keep what is in `in`, len bytes. */
static apr_status_t keep(rp_exchange_t *ex, apr_off_t len, rp_reason_e *why)
{
    apr_status_t rv;

    if (!keep_in_memory(ex, len)) {
        rv = ex->ops->spool(ex->ctx, ex->in, why);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        keep_spooled(ex);
    }
    ex->kept_len += len;
    return APR_SUCCESS;
}

static rp_move_e prefetch_read(rp_exchange_t *ex, apr_off_t max)
{
    rp_reason_e why = RP_FAIL_CLIENT_BODY_BAD;
    apr_off_t len = 0;
    apr_status_t rv = ex->ops->read_body(ex->ctx, ex->in, max, &ex->body_eos, &why);

    if (APR_STATUS_IS_EAGAIN(rv)) {
        ex->ready &= ~(unsigned)RP_WAIT_CLIENT_READ;
        if (ex->client_wait_us == 0) {
            ex->client_wait_us = ex->now_us;
        }
        return rp_ex_wait(ex, RP_WAIT_CLIENT_READ, ex->client_wait_us + ex->conf.client_us,
                          RP_FAIL_CLIENT_BODY_TIMEOUT);
    }
    if (rv != APR_SUCCESS) {
        return rp_ex_fail(ex, why, rv, NULL);
    }
    ex->client_wait_us = 0;
    rv = apr_brigade_length(ex->in, 1, &len);
    if (rv == APR_SUCCESS) {
        rv = keep(ex, len, &why);
    }
    return rv == APR_SUCCESS ? RP_MOVE_ON : rp_ex_fail(ex, why, rv, NULL);
}

rp_move_e rp_ex_prefetch(rp_exchange_t *ex)
{
    while (!ex->body_eos) {
        int spooling = rp_exchange_spools(&ex->conf);
        rp_move_e move;

        if (!spooling && (ex->kept_len >= RP_PREFETCH_MAX || ex->conf.expect_100)) {
            break;
        }
        move = prefetch_read(ex, spooling ? BODY_READ_MAX : RP_PREFETCH_MAX - ex->kept_len);
        if (ex->state != RP_EX_PREFETCH) {
            return RP_MOVE_ON;
        }
        if (move == RP_MOVE_WAIT) {
            if (ex->conf.prefetch_nonblocking && !spooling) {
                break;
            }
            return RP_MOVE_WAIT;
        }
    }
    return prefetch_done(ex);
}

/* ---- framing into `out` ---- */

static void put_bytes(rp_exchange_t *ex, apr_bucket_brigade *bb, const char *p, apr_size_t n)
{
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_heap_create(p, n, NULL, ex->ba));
}

static void put_const(rp_exchange_t *ex, const char *p, apr_size_t n)
{
    APR_BRIGADE_INSERT_TAIL(ex->out, apr_bucket_immortal_create(p, n, ex->ba));
}

/* Move the data of body (len bytes) into `out` with its framing. */
static void frame_data(rp_exchange_t *ex, apr_bucket_brigade *body, apr_off_t len)
{
    if (len <= 0) {
        apr_brigade_cleanup(body);
        return;
    }
    if (ex->framing == RP_REQ_CHUNKED) {
        char line[RP_CHUNK_HEAD_MAX];
        put_bytes(ex, ex->out, line, rp_chunk_head(line, (apr_uint64_t)len));
    }
    APR_BRIGADE_CONCAT(ex->out, body);
    if (ex->framing == RP_REQ_CHUNKED) {
        put_const(ex, "\r\n", 2);
    }
    ex->body_sent += len;
}

/* The body has ended. RP_FAIL_NONE, or the reason when the announced length was not met. */
static rp_reason_e frame_end(rp_exchange_t *ex)
{
    if (ex->framing == RP_REQ_LENGTH && ex->body_sent != ex->length) {
        return RP_FAIL_CLIENT_BODY_BAD;
    }
    if (ex->framing == RP_REQ_CHUNKED) {
        put_const(ex, "0\r\n\r\n", 5);
    }
    if (ex->conf.extra_crlf) {
        put_const(ex, "\r\n", 2);
    }
    return RP_FAIL_NONE;
}

/* Copy the kept bytes (they may be needed again) and frame them. */
static apr_status_t frame_kept(rp_exchange_t *ex)
{
    apr_bucket *b;

    for (b = APR_BRIGADE_FIRST(ex->kept); b != APR_BRIGADE_SENTINEL(ex->kept); b = APR_BUCKET_NEXT(b)) {
        apr_bucket *copy;
        apr_status_t rv = apr_bucket_copy(b, &copy);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        APR_BRIGADE_INSERT_TAIL(ex->in, copy);
    }
    frame_data(ex, ex->in, ex->kept_len);
    return APR_SUCCESS;
}

int rp_ex_client_may_release(const rp_exchange_t *ex)
{
    return ex->send == RP_SEND_HOLD && ex->conf.ping_us == 0 && !ex->body_eos && ex->kept_len == 0;
}

void rp_ex_release_body(rp_exchange_t *ex)
{
    rp_reason_e why = RP_FAIL_NONE;

    if (ex->send != RP_SEND_HOLD) {
        return;
    }
    ex->send = RP_SEND_BODY;
    ex->client_wait_us = ex->now_us;
    if (frame_kept(ex) != APR_SUCCESS) {
        (void)rp_ex_fail(ex, RP_FAIL_INTERNAL, APR_ENOMEM, "request body");
        return;
    }
    if (ex->body_eos) {
        why = frame_end(ex);
        ex->send = RP_SEND_HEAD; /* `out` holds the rest of the request */
    }
    if (why != RP_FAIL_NONE) {
        (void)rp_ex_fail(ex, why, APR_SUCCESS, "shorter than its Content-Length");
    }
}

/* In front of `out`. Nearly always the socket takes it at once, and nobody has to keep it. */
static void borrow_head(rp_exchange_t *ex, const char *head, apr_size_t len)
{
    APR_BRIGADE_INSERT_HEAD(ex->out, apr_bucket_transient_create(head, len, ex->ba));
    ex->head_borrowed = 1;
}

/* The first attempt to send was made: what is left of the head becomes ours. */
static apr_status_t own_head(rp_exchange_t *ex)
{
    apr_bucket *b = APR_BRIGADE_FIRST(ex->out);

    if (!ex->head_borrowed) {
        return APR_SUCCESS;
    }
    ex->head_borrowed = 0;
    return b != APR_BRIGADE_SENTINEL(ex->out) && APR_BUCKET_IS_TRANSIENT(b) ? apr_bucket_setaside(b, ex->pool) : APR_SUCCESS;
}

static rp_move_e write_head(rp_exchange_t *ex)
{
    const char *head;
    apr_size_t len;
    apr_status_t rv;

    if (!ex->conf.has_body) {
        ex->framing = RP_REQ_NO_BODY;
    }
    rv = ex->ops->request_head(ex->ctx, ex->framing, ex->length, &head, &len);
    if (rv != APR_SUCCESS) {
        return rp_ex_fail(ex, RP_FAIL_BAD_REQUEST, rv, NULL);
    }
    borrow_head(ex, head, len);
    ex->body_sent = 0;
    if (!ex->conf.has_body) {
        ex->send = RP_SEND_HEAD;
        return RP_MOVE_ON;
    }
    ex->send = RP_SEND_HOLD;
    if (!ex->conf.expect_100) {
        rp_ex_release_body(ex);
    }
    return RP_MOVE_ON;
}

/* Nothing of `out` was sent, so its first bucket is the whole head: put one for the present member in its place. */
static rp_move_e replace_head(rp_exchange_t *ex)
{
    const char *head;
    apr_size_t len;
    apr_status_t rv = ex->ops->request_head(ex->ctx, ex->framing, ex->length, &head, &len);

    if (rv != APR_SUCCESS) {
        return rp_ex_fail(ex, RP_FAIL_BAD_REQUEST, rv, NULL);
    }
    apr_bucket_delete(APR_BRIGADE_FIRST(ex->out));
    borrow_head(ex, head, len);
    return RP_MOVE_ON;
}

/*
 * The connection is ready. When an earlier attempt handed over nothing, `out` still holds the request from its first byte
 * (it may hold body bytes that can not be read again): send just that, to another member with a head of its own.
 */
rp_move_e rp_ex_start(rp_exchange_t *ex)
{
    int retargeted = ex->retargeted;

    ex->retargeted = 0;
    ex->at->connected_us = ex->now_us;
    ex->progress_us = ex->now_us;
    ex->ready |= RP_WAIT_BACKEND_WRITE;
    ex->ready &= ~(unsigned)RP_WAIT_BACKEND_READ;
    ex->read_size = 0;
    (void)rp_ex_go(ex, RP_EX_TRANSFER);
    if (ex->streamed == 0) {
        apr_brigade_cleanup(ex->out);
        return write_head(ex);
    }
    return retargeted && !APR_BRIGADE_EMPTY(ex->out) ? replace_head(ex) : RP_MOVE_ON;
}

/* ---- moving bytes ---- */

/* Gather the front of `out` as an iovec. Empty and metadata buckets are dropped. */
static apr_status_t gather(rp_exchange_t *ex, struct iovec *vec, int *nvec, apr_size_t *total)
{
    apr_bucket *b = APR_BRIGADE_FIRST(ex->out);

    *nvec = 0;
    *total = 0;
    while (b != APR_BRIGADE_SENTINEL(ex->out) && *nvec < SEND_IOV) {
        const char *data;
        apr_size_t len;
        apr_status_t rv;
        apr_bucket *next;

        if (APR_BUCKET_IS_METADATA(b)) {
            next = APR_BUCKET_NEXT(b);
            apr_bucket_delete(b);
            b = next;
            continue;
        }
        rv = apr_bucket_read(b, &data, &len, APR_BLOCK_READ); /* memory or a spool file, never a socket */
        if (rv != APR_SUCCESS) {
            return rv;
        }
        next = APR_BUCKET_NEXT(b);
        if (len == 0) {
            apr_bucket_delete(b);
        }
        else {
            vec[*nvec].iov_base = (void *)data;
            vec[*nvec].iov_len = len;
            (*nvec)++;
            *total += len;
        }
        b = next;
    }
    return APR_SUCCESS;
}

static void consume(rp_exchange_t *ex, apr_size_t sent)
{
    while (sent > 0) {
        apr_bucket *b = APR_BRIGADE_FIRST(ex->out);
        if (b->length > sent) {
            (void)apr_bucket_split(b, sent);
        }
        sent -= b->length;
        apr_bucket_delete(b);
    }
}

/* The backend takes no more. It may have answered before it closed, so the response is still read. */
static void send_broken(rp_exchange_t *ex)
{
    ex->send = RP_SEND_BROKEN;
    ex->flushing = 0;
    apr_brigade_cleanup(ex->out);
    ex->ready |= RP_WAIT_BACKEND_READ;
}

/* Bytes that the connection took but the socket did not. */
static apr_status_t flush_backend(rp_exchange_t *ex)
{
    apr_status_t rv = ex->conn->ops->flush(ex->conn);

    ex->flushing = APR_STATUS_IS_EAGAIN(rv);
    if (rv != APR_SUCCESS && !ex->flushing) {
        send_broken(ex);
    }
    return rv;
}

/* As long as there is something to send nobody polls, so an answer would only be seen at the upload's first pause. */
static void look_now_and_then(rp_exchange_t *ex, apr_size_t sent)
{
    ex->sent_unlooked += sent;
    if (ex->sent_unlooked >= LOOK_EVERY && ex->recv == RP_RECV_HEAD) {
        ex->sent_unlooked = 0;
        ex->ready |= RP_WAIT_BACKEND_READ;
    }
}

/* Write `out`. APR_SUCCESS: empty now; APR_EAGAIN: not yet; other: broken or failed (state tells). */
static apr_status_t drain_out(rp_exchange_t *ex, int *progress)
{
    while (!APR_BRIGADE_EMPTY(ex->out)) {
        struct iovec vec[SEND_IOV];
        int nvec;
        apr_size_t total, sent = 0;
        apr_status_t rv = gather(ex, vec, &nvec, &total);

        if (rv != APR_SUCCESS) {
            (void)rp_ex_fail(ex, RP_FAIL_INTERNAL, rv, "request body");
            return rv;
        }
        if (nvec == 0) {
            break;
        }
        rv = ex->conn->ops->sendv(ex->conn, vec, nvec, &sent);
        ex->at->sent += (apr_off_t)sent;
        if (sent > 0) {
            *progress = 1;
            rp_ex_progress(ex);
            consume(ex, sent);
            look_now_and_then(ex, sent);
        }
        if (APR_STATUS_IS_EAGAIN(rv) || (rv == APR_SUCCESS && sent < total)) {
            ex->ready &= ~(unsigned)RP_WAIT_BACKEND_WRITE;
            return APR_EAGAIN;
        }
        if (rv != APR_SUCCESS) {
            if (ex->at->sent == 0) { /* dead before we began: nothing to read, and it may go again */
                (void)rp_ex_fail(ex, RP_FAIL_RESET_BEFORE_HEAD, rv, NULL);
            }
            else {
                send_broken(ex);
            }
            return rv;
        }
    }
    return flush_backend(ex);
}

/* `out` is empty: what comes next. A body that was held back goes now that the client sends it. */
static void refill(rp_exchange_t *ex, int *progress)
{
    rp_reason_e why = RP_FAIL_CLIENT_BODY_BAD;
    apr_off_t len = 0;
    apr_status_t rv;

    rv = ex->ops->read_body(ex->ctx, ex->in, BODY_READ_MAX, &ex->body_eos, &why);
    if (APR_STATUS_IS_EAGAIN(rv)) {
        ex->ready &= ~(unsigned)RP_WAIT_CLIENT_READ;
        return;
    }
    if (rv == APR_SUCCESS) {
        rv = apr_brigade_length(ex->in, 1, &len);
    }
    if (rv != APR_SUCCESS) {
        (void)rp_ex_fail(ex, why, rv, NULL);
        return;
    }
    if (ex->framing == RP_REQ_LENGTH && ex->body_sent + len > ex->length) {
        (void)rp_ex_fail(ex, RP_FAIL_CLIENT_BODY_BAD, APR_SUCCESS, "longer than its Content-Length");
        return;
    }
    ex->send = RP_SEND_BODY;
    ex->streamed += len;
    ex->client_wait_us = ex->now_us;
    *progress = 1;
    frame_data(ex, ex->in, len);
    if (ex->body_eos) {
        why = frame_end(ex);
        ex->send = RP_SEND_HEAD;
        if (why != RP_FAIL_NONE) {
            (void)rp_ex_fail(ex, why, APR_SUCCESS, "shorter than its Content-Length");
        }
    }
}

void rp_ex_send_some(rp_exchange_t *ex, int *progress)
{
    if (ex->send == RP_SEND_DONE || ex->send == RP_SEND_BROKEN) {
        return;
    }
    if (ex->ready & RP_WAIT_BACKEND_WRITE) {
        apr_status_t rv = drain_out(ex, progress);

        if (own_head(ex) != APR_SUCCESS) {
            (void)rp_ex_fail(ex, RP_FAIL_INTERNAL, APR_ENOMEM, "request head");
            return;
        }
        if (rv != APR_SUCCESS || !rp_ex_alive(ex)) {
            if (APR_STATUS_IS_EAGAIN(rv)) {
                ex->ready &= ~(unsigned)RP_WAIT_BACKEND_WRITE;
            }
            return;
        }
    }
    if (!APR_BRIGADE_EMPTY(ex->out) || ex->flushing) {
        return;
    }
    if (ex->send == RP_SEND_HEAD) {
        ex->send = RP_SEND_DONE;
        ex->at->sent_us = ex->now_us;
    }
    else if (ex->send == RP_SEND_BODY || (rp_ex_client_may_release(ex) && (ex->ready & RP_WAIT_CLIENT_READ))) {
        refill(ex, progress);
    }
}
