/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tunnel after 101: two pumps, one buffer each, so back-pressure is the full buffer; an idle tunnel has none. Half-close goes through: the end of one
 * direction shuts the other side's writing half and leaves the opposite direction open (RFC 9110 9.3.6 for the spirit of it).
 */
#include "exchange/exchange_int.h"

#include "upstream/buffer.h"

static void pump_empty(rp_pump_t *p)
{
    rp_buffer_free(p->buf);
    p->buf = NULL;
    p->start = p->end = 0;
}

void rp_ex_tunnel_free(rp_exchange_t *ex)
{
    pump_empty(&ex->to_backend);
    pump_empty(&ex->to_client);
}

rp_move_e rp_ex_tunnel_open(rp_exchange_t *ex, const rp_h1_resp_t *resp)
{
    apr_status_t rv;

    ex->to_backend.size = ex->to_client.size = RP_BUFFER_SMALL;
    if (ex->head_end > ex->head_start) { /* bytes behind the 101 belong to the client */
        ex->to_client.buf = ex->head_buf;
        ex->to_client.size = ex->head_size;
        ex->to_client.start = ex->head_start;
        ex->to_client.end = ex->head_end;
        ex->head_buf = NULL;
    }
    rp_ex_head_free(ex);
    rv = ex->ops->tunnel_start(ex->ctx, resp);
    if (rv != APR_SUCCESS) {
        return rp_ex_fail(ex, rp_ex_client_reason(rv), APR_SUCCESS, rv == APR_EINVAL ? "bad-connection-field" : NULL);
    }
    ex->tunnel = 1;
    ex->head_sent = 1;
    ex->ready |= RP_WAIT_BACKEND_READ | RP_WAIT_BACKEND_WRITE | RP_WAIT_CLIENT_READ | RP_WAIT_CLIENT_WRITE;
    return rp_ex_go(ex, RP_EX_TUNNEL);
}

static apr_status_t read_side(rp_exchange_t *ex, int from_client, char *buf, apr_size_t *n)
{
    return from_client ? ex->ops->tunnel_read(ex->ctx, buf, n) : rp_ex_recv(ex, buf, n);
}

static apr_status_t write_side(rp_exchange_t *ex, int to_client, const char *buf, apr_size_t *n)
{
    if (to_client) {
        return ex->ops->tunnel_write(ex->ctx, buf, n);
    }
    else {
        struct iovec vec = {(void *)buf, *n};
        *n = 0;
        return ex->conn->ops->sendv(ex->conn, &vec, 1, n);
    }
}

static apr_status_t shut_side(rp_exchange_t *ex, int to_client)
{
    return to_client ? ex->ops->tunnel_shutdown(ex->ctx) : ex->conn->ops->shutdown_write(ex->conn);
}

/* Fill the empty buffer. 0, or -1: the side is broken. */
static int pump_in(rp_exchange_t *ex, rp_pump_t *p, int to_client, unsigned rd, int *progress)
{
    apr_size_t n = p->size;
    apr_status_t rv;

    p->buf = rp_buffer_get(p->size);
    rv = read_side(ex, !to_client, p->buf, &n);
    if (rv == APR_SUCCESS) {
        p->end = n;
        p->size = n == p->size ? RP_BUFFER_LARGE : RP_BUFFER_SMALL;
        *progress = 1;
        ex->at->received += to_client ? (apr_off_t)n : 0;
        return 0;
    }
    pump_empty(p);
    if (APR_STATUS_IS_EAGAIN(rv)) {
        ex->ready &= ~rd;
        return 0;
    }
    p->eof = APR_STATUS_IS_EOF(rv);
    *progress = 1;
    return p->eof ? 0 : -1;
}

/* Write what is there. 0, or -1: the side is broken. */
static int pump_out(rp_exchange_t *ex, rp_pump_t *p, int to_client, unsigned wr, int *progress)
{
    apr_size_t n = p->end - p->start;
    apr_status_t rv = write_side(ex, to_client, p->buf + p->start, &n);

    if (rv != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(rv)) {
        return -1;
    }
    if (APR_STATUS_IS_EAGAIN(rv)) {
        ex->ready &= ~wr;
        return 0;
    }
    p->start += n;
    *progress = 1;
    ex->at->sent += to_client ? 0 : (apr_off_t)n;
    if (p->start == p->end) {
        pump_empty(p);
    }
    return 0;
}

/* Move bytes one way. 0: ended or nothing to do; -1: this side is broken. */
static int pump(rp_exchange_t *ex, rp_pump_t *p, int to_client, int *progress)
{
    unsigned rd = to_client ? RP_WAIT_BACKEND_READ : RP_WAIT_CLIENT_READ;
    unsigned wr = to_client ? RP_WAIT_CLIENT_WRITE : RP_WAIT_BACKEND_WRITE;

    if (p->start == p->end && !p->eof && (ex->ready & rd) && pump_in(ex, p, to_client, rd, progress) < 0) {
        return -1;
    }
    if (p->start < p->end && (ex->ready & wr) && pump_out(ex, p, to_client, wr, progress) < 0) {
        return -1;
    }
    if (p->eof && p->start == p->end && !p->shut) {
        p->shut = 1;
        *progress = 1;
        if (shut_side(ex, to_client) == APR_ENOTIMPL) {
            ex->conf.no_halfclose = 1;
        }
    }
    return 0;
}

static int tunnel_over(const rp_exchange_t *ex)
{
    if (ex->conf.no_halfclose) {
        return ex->to_backend.shut || ex->to_client.shut;
    }
    return ex->to_backend.shut && ex->to_client.shut;
}

static rp_move_e tunnel_end(rp_exchange_t *ex)
{
    rp_ex_put(ex, RP_REFUSE_TUNNEL);
    (void)ex->ops->finish(ex->ctx, ex->bb, RP_FAIL_NONE);
    return rp_ex_go(ex, RP_EX_DONE);
}

void rp_exchange_tunnel_end(rp_exchange_t *ex, apr_time_t now_us)
{
    if (ex->state == RP_EX_TUNNEL) {
        ex->now_us = now_us;
        ex->at->reason = RP_FAIL_TUNNEL_SHUTDOWN;
        (void)tunnel_end(ex);
    }
}

static unsigned pump_wants(const rp_pump_t *p, unsigned rd, unsigned wr)
{
    if (p->start < p->end) {
        return wr;
    }
    return p->eof ? 0 : rd;
}

rp_move_e rp_ex_tunnel_step(rp_exchange_t *ex)
{
    int moved = 0;
    int progress;
    apr_status_t rv;
    unsigned mask;

    do {
        progress = 0;
        if (pump(ex, &ex->to_backend, 0, &progress) < 0 || pump(ex, &ex->to_client, 1, &progress) < 0) {
            return tunnel_end(ex);
        }
        moved |= progress;
    } while (progress);
    rv = ex->conn->ops->flush(ex->conn); /* also before the end: the last bytes may still be with us */
    if (tunnel_over(ex) && !APR_STATUS_IS_EAGAIN(rv)) {
        return tunnel_end(ex);
    }
    if (moved) {
        rp_ex_progress(ex);
    }
    if (ex->now_us >= ex->progress_us + ex->conf.tunnel_us) { /* an idle tunnel ends silently */
        ex->at->reason = RP_FAIL_TUNNEL_TIMEOUT;
        return tunnel_end(ex);
    }
    mask = pump_wants(&ex->to_backend, RP_WAIT_CLIENT_READ, RP_WAIT_BACKEND_WRITE)
           | pump_wants(&ex->to_client, RP_WAIT_BACKEND_READ, RP_WAIT_CLIENT_WRITE);
    if (APR_STATUS_IS_EAGAIN(rv)) {
        mask |= RP_WAIT_BACKEND_WRITE;
    }
    return rp_ex_wait(ex, mask, ex->progress_us + ex->conf.tunnel_us, RP_FAIL_NONE);
}
