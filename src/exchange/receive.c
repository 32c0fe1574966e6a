/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The response head: read until it is whole, interim responses passed on, framing decided, the final head handed to the client
 * side. The buffer is taken at the first readable byte and goes on with the body, so that an exchange that waits has none; what is kept of
 * a head is a copy as long as the head.
 */
#include "exchange/exchange_int.h"

#include <apr_strings.h>
#include <string.h>

#include "upstream/buffer.h"

void rp_ex_head_free(rp_exchange_t *ex)
{
    rp_buffer_free(ex->head_buf);
    ex->head_buf = NULL;
    ex->head_size = ex->head_start = ex->head_end = 0;
}

/* Make room behind head_end: one small buffer, up to limits.max_head when a head needs it. */
static int head_room(rp_exchange_t *ex)
{
    apr_size_t used = ex->head_end - ex->head_start;
    apr_size_t size = ex->head_size;
    char *buf;

    if (ex->head_buf != NULL && ex->head_end < ex->head_size) {
        return 1;
    }
    if (ex->head_buf == NULL) {
        size = RP_BUFFER_SMALL;
    }
    else if (used * 2 > size) {
        size *= 2;
    }
    if (size > 2 * ex->conf.limits.max_head + RP_BUFFER_LARGE) {
        return 0; /* cannot happen: the scanner refuses a head above max_head first */
    }
    buf = rp_buffer_get(size);
    if (ex->head_buf != NULL && used > 0) {
        memcpy(buf, ex->head_buf + ex->head_start, used);
    }
    rp_ex_head_free(ex);
    ex->head_buf = buf;
    ex->head_size = rp_buffer_room(size);
    ex->head_end = used;
    return 1;
}

/* A 1xx other than 101. */
static void interim(rp_exchange_t *ex, const rp_h1_resp_t *resp)
{
    apr_status_t rv;

    if (++ex->interims >= RP_INTERIM_MAX) {
        (void)rp_ex_fail(ex, RP_FAIL_TOO_MANY_INTERIM, APR_SUCCESS, NULL);
        return;
    }
    rv = ex->ops->interim(ex->ctx, resp);
    if (rv != APR_SUCCESS) {
        (void)rp_ex_fail(ex, rp_ex_client_reason(rv), APR_SUCCESS, rv == APR_EINVAL ? "bad-connection-field" : NULL);
        return;
    }
    if (resp->status == 100) {
        ex->got_100 = 1;
        rp_ex_release_body(ex);
    }
}

/* 101 is fine when we asked and the backend names the protocol that was asked for (RFC 9110 7.8). */
static int upgrade_ok(const rp_exchange_t *ex, const rp_h1_resp_t *resp)
{
    int i;

    for (i = 0; i < resp->nfields; i++) {
        const char *cursor = resp->fields[i].value;
        rp_slice_t tok;

        if (resp->fields[i].id != RP_HDR_UPGRADE) {
            continue;
        }
        while (rp_list_next(&cursor, &tok)) {
            char name[128];
            if (tok.n >= sizeof(name)) {
                continue;
            }
            memcpy(name, tok.p, tok.n);
            name[tok.n] = '\0';
            if (rp_list_has_token(ex->conf.upgrade, name)) {
                return 1;
            }
        }
    }
    return 0;
}

static void switch_protocols(rp_exchange_t *ex, const rp_h1_resp_t *resp)
{
    if (ex->send != RP_SEND_DONE) {
        (void)rp_ex_fail(ex, RP_FAIL_BAD_UPGRADE, APR_SUCCESS, "101 before the end of the request");
        return;
    }
    if (!upgrade_ok(ex, resp)) {
        (void)rp_ex_fail(ex, RP_FAIL_BAD_UPGRADE, APR_SUCCESS, "101 names another protocol than was asked for");
        return;
    }
    ex->at->status = 101;
    (void)rp_ex_tunnel_open(ex, resp);
}

static void final_head(rp_exchange_t *ex, const rp_h1_resp_t *resp)
{
    apr_status_t rv;

    ex->at->status = resp->status;
    ex->refused_early = ex->send != RP_SEND_DONE && resp->status >= 300;
    if (ex->send == RP_SEND_HOLD) {
        ex->send = RP_SEND_BROKEN; /* the answer came instead of 100 Continue: the body stays where it is */
        apr_brigade_cleanup(ex->out);
    }
    rv = ex->ops->head(ex->ctx, resp, &ex->resp_framing, &ex->discard);
    if (rv != APR_SUCCESS) {
        (void)rp_ex_fail(ex, rp_ex_client_reason(rv), APR_SUCCESS, rv == APR_EINVAL ? "bad-connection-field" : NULL);
        return;
    }
    ex->head_sent = 1;
    ex->discard_until_us = ex->now_us + RP_DISCARD_US;
    ex->unflushed = 1;
    ex->recv = RP_RECV_BODY;
    ex->resp_left = ex->resp_framing.length;
    memset(&ex->chunk, 0, sizeof(ex->chunk));
    rp_ex_body_leftover(ex);
}

static void dispatch_head(rp_exchange_t *ex, const rp_h1_resp_t *resp)
{
    rp_framing_decide(&ex->resp_framing, resp, ex->conf.head_request, ex->conf.want_upgrade);
    if (ex->resp_framing.kind == RP_FRAMING_REJECT) {
        (void)rp_ex_fail(ex, ex->resp_framing.err == RP_FRAMING_101_UNASKED ? RP_FAIL_BAD_UPGRADE : RP_FAIL_BAD_FRAMING,
                         APR_SUCCESS, rp_framing_err_str(ex->resp_framing.err));
    }
    else if (ex->resp_framing.kind == RP_FRAMING_TUNNEL) {
        switch_protocols(ex, resp);
    }
    else if (resp->status < 200) {
        interim(ex, resp);
    }
    else {
        final_head(ex, resp);
    }
}

/* A whole head of len bytes is there. 1: it was handled. */
static int head_whole(rp_exchange_t *ex, apr_size_t len)
{
    char *head = apr_pmemdup(ex->pool, ex->head_buf + ex->head_start, len); /* what is taken of it points into it */
    rp_h1_resp_t resp;

    if (rp_h1_resp_parse(&resp, rp_ex_scratch(ex), &ex->conf.limits, head, len) != APR_SUCCESS) {
        (void)rp_ex_fail(ex, RP_FAIL_BAD_HEAD, APR_SUCCESS, rp_h1_err_str(resp.err));
        return 0;
    }
    ex->head_start += len;
    memset(&ex->scan, 0, sizeof(ex->scan));
    dispatch_head(ex, &resp);
    return 1;
}

/* End of input before the head was whole. ProxyBadHeader StartBody may make a body of the last line. */
static void head_eof(rp_exchange_t *ex, apr_status_t rv)
{
    apr_size_t len = 0;

    if (APR_STATUS_IS_EOF(rv) && ex->head_end > ex->head_start
        && rp_h1_scan_eof(&ex->scan, &ex->conf.limits, ex->head_buf + ex->head_start, ex->head_end - ex->head_start, &len)
               == APR_SUCCESS) {
        ex->ready |= RP_WAIT_BACKEND_READ; /* the body's reader meets the end again */
        head_whole(ex, len);
    }
    else if (APR_STATUS_IS_ETIMEDOUT(rv)) {
        (void)rp_ex_fail(ex, RP_FAIL_HEAD_TIMEOUT, rv, NULL);
    }
    else if (ex->at->received > 0 && ex->head_end > ex->head_start) {
        (void)rp_ex_fail(ex, RP_FAIL_BAD_HEAD, APR_SUCCESS, rp_h1_err_str(RP_H1_EOF));
    }
    else {
        (void)rp_ex_fail(ex, APR_STATUS_IS_EOF(rv) ? RP_FAIL_CLOSED_BEFORE_HEAD : RP_FAIL_RESET_BEFORE_HEAD,
                         APR_STATUS_IS_EOF(rv) ? APR_SUCCESS : rv, NULL);
    }
}

/* Read once. 1: bytes came. */
static int head_read(rp_exchange_t *ex, int *progress)
{
    apr_size_t n, room;
    apr_status_t rv;

    if (!head_room(ex)) {
        (void)rp_ex_fail(ex, RP_FAIL_BAD_HEAD, APR_SUCCESS, rp_h1_err_str(RP_H1_HEAD_TOO_LARGE));
        return 0;
    }
    n = room = ex->head_size - ex->head_end;
    rv = rp_ex_recv(ex, ex->head_buf + ex->head_end, &n);
    if (rv == APR_SUCCESS) {
        if (ex->at->first_byte_us == 0) {
            ex->at->first_byte_us = ex->now_us;
        }
        if (n < room && ex->conn->ops->buffered(ex->conn) == 0) {
            ex->ready &= ~(unsigned)RP_WAIT_BACKEND_READ;
        }
        ex->head_end += n;
        ex->at->received += (apr_off_t)n;
        rp_ex_progress(ex);
        *progress = 1;
        return 1;
    }
    ex->ready &= ~(unsigned)RP_WAIT_BACKEND_READ;
    if (!APR_STATUS_IS_EAGAIN(rv)) {
        head_eof(ex, rv);
    }
    return 0;
}

/* Scan and parse what is there. 1: a head was handled. */
static int head_parse(rp_exchange_t *ex)
{
    apr_size_t len = 0;
    apr_status_t rv = rp_h1_scan(&ex->scan, &ex->conf.limits, ex->head_buf + ex->head_start, ex->head_end - ex->head_start,
                                 &len);

    if (APR_STATUS_IS_EAGAIN(rv)) {
        return 0;
    }
    if (rv != APR_SUCCESS) {
        (void)rp_ex_fail(ex, RP_FAIL_BAD_HEAD, APR_SUCCESS, rp_h1_err_str(ex->scan.err));
        return 0;
    }
    return head_whole(ex, len);
}

void rp_ex_recv_head(rp_exchange_t *ex, int *progress)
{
    while (rp_ex_alive(ex) && ex->recv == RP_RECV_HEAD) {
        if (ex->head_end > ex->head_start && head_parse(ex)) {
            *progress = 1;
            continue;
        }
        if (!rp_ex_alive(ex) || !(ex->ready & RP_WAIT_BACKEND_READ) || !head_read(ex, progress)) {
            return;
        }
    }
}
