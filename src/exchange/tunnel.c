/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tunnel after 101: two pumps, one buffer each, so back-pressure is the full buffer. Half-close goes through: the end of one
 * direction shuts the other side's writing half and leaves the opposite direction open (RFC 9110 9.3.6 for the spirit of it).
 */
#include "exchange/exchange_int.h"

#include <string.h>

rp_move_e rp_ex_tunnel_open(rp_exchange_t *ex, const rp_h1_resp_t *resp)
{
    apr_size_t early = ex->head_end - ex->head_start;
    apr_status_t rv;

    ex->to_backend.buf = apr_palloc(ex->pool, RP_TUNNEL_BUF);
    ex->to_client.buf = apr_palloc(ex->pool, RP_TUNNEL_BUF);
    if (early > 0) { /* bytes behind the 101 belong to the client; they may exceed one buffer */
        apr_size_t size = early > RP_TUNNEL_BUF ? early : RP_TUNNEL_BUF;
        if (size > RP_TUNNEL_BUF) {
            ex->to_client.buf = apr_palloc(ex->pool, size);
        }
        memcpy(ex->to_client.buf, ex->head_buf + ex->head_start, early);
        ex->to_client.end = early;
    }
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

/* Move bytes one way. 0: ended or nothing to do; -1: this side is broken. */
static int pump(rp_exchange_t *ex, rp_pump_t *p, int to_client, int *progress)
{
    unsigned rd = to_client ? RP_WAIT_BACKEND_READ : RP_WAIT_CLIENT_READ;
    unsigned wr = to_client ? RP_WAIT_CLIENT_WRITE : RP_WAIT_BACKEND_WRITE;
    apr_status_t rv;

    if (p->start == p->end && !p->eof && (ex->ready & rd)) {
        apr_size_t n = RP_TUNNEL_BUF;
        rv = read_side(ex, !to_client, p->buf, &n);
        if (rv == APR_SUCCESS) {
            p->start = 0;
            p->end = n;
            *progress = 1;
            ex->at->received += to_client ? (apr_off_t)n : 0;
        }
        else if (APR_STATUS_IS_EAGAIN(rv)) {
            ex->ready &= ~rd;
        }
        else if (APR_STATUS_IS_EOF(rv)) {
            p->eof = 1;
            *progress = 1;
        }
        else {
            return -1;
        }
    }
    if (p->start < p->end && (ex->ready & wr)) {
        apr_size_t n = p->end - p->start;
        rv = write_side(ex, to_client, p->buf + p->start, &n);
        if (rv != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(rv)) {
            return -1;
        }
        if (APR_STATUS_IS_EAGAIN(rv)) {
            ex->ready &= ~wr;
        }
        else {
            p->start += n;
            *progress = 1;
            ex->at->sent += to_client ? 0 : (apr_off_t)n;
        }
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
