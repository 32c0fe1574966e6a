/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A probe: an exchange whose client side gathers the answer in memory, and a driver of its own that ends all of it at one deadline.
 * Connecting alone is an exchange that stops where its request head would be written.
 */
#include "exchange/probe.h"

#include <apr_strings.h>
#include <poll.h>
#include <string.h>

#include "upstream/clock.h"

#define BODY_FIRST 4096 /* bytes; doubled up to body_max */

typedef struct probe_t {
    const rp_probe_conf_t *conf;
    const rp_probe_ask_t *ask;
    apr_pool_t *pool;
    rp_probe_result_t *out;
    rp_exchange_t *ex;
    apr_time_t deadline_us;
    int reached;      /* where the head would be written: the connection (with its handshake) stands */
    char *body;
    apr_size_t body_size;
} probe_t;

/* ---- client side: what rp_client_ops_t calls ---- */

static apr_status_t request_head(void *ctx, rp_req_framing_e framing, apr_int64_t length, const char **head, apr_size_t *len)
{
    probe_t *p = ctx;
    rp_req_err_e err = RP_REQ_OK;
    apr_status_t rv;
    int bad = -1;

    (void)framing, (void)length;
    p->reached = 1;
    if (p->conf->head == NULL) {
        return APR_EGENERAL; /* it was only to connect: the exchange ends here */
    }
    rv = rp_req_write(p->conf->head, p->pool, head, len, &err, &bad);
    if (rv != APR_SUCCESS) {
        p->out->reason = apr_pstrcat(p->pool, "the request can not be written: ", rp_req_err_str(err), NULL);
        p->out->ours = 1;
    }
    return rv;
}

static apr_status_t interim(void *ctx, const rp_h1_resp_t *resp)
{
    (void)ctx, (void)resp;
    return APR_SUCCESS;
}

static apr_status_t response_head(void *ctx, const rp_h1_resp_t *resp, const rp_framing_t *framing, int *discard)
{
    probe_t *p = ctx;
    int i;

    (void)framing, (void)discard;
    p->out->status = resp->status;
    for (i = 0; i < resp->nfields; i++) {
        apr_table_add(p->out->headers, resp->fields[i].name, resp->fields[i].value); /* copies: the head's buffer is used again */
    }
    return APR_SUCCESS;
}

/* Room for n more bytes and a terminator. */
static void body_room(probe_t *p, apr_size_t n)
{
    apr_size_t size = p->body_size;
    char *bigger;

    while (size < p->out->body_len + n + 1) {
        size = size ? size * 2 : BODY_FIRST;
    }
    if (size > p->body_size) {
        bigger = apr_palloc(p->pool, size);
        if (p->out->body_len > 0) {
            memcpy(bigger, p->body, p->out->body_len);
        }
        p->body = bigger;
        p->body_size = size;
    }
}

static void body_append(probe_t *p, const char *data, apr_size_t n)
{
    apr_size_t i;

    body_room(p, n);
    for (i = 0; i < n; i++) {
        p->body[p->out->body_len++] = data[i] != '\0' ? data[i] : ' ';
    }
    p->body[p->out->body_len] = '\0';
    p->out->body = p->body;
}

static apr_status_t gather(probe_t *p, apr_bucket_brigade *bb)
{
    apr_status_t rv = APR_SUCCESS;

    while (!APR_BRIGADE_EMPTY(bb) && rv == APR_SUCCESS) {
        apr_bucket *b = APR_BRIGADE_FIRST(bb);
        apr_size_t left = p->ask->body_max - p->out->body_len, n = 0;
        const char *data = NULL;

        if (!APR_BUCKET_IS_METADATA(b)) {
            rv = apr_bucket_read(b, &data, &n, APR_BLOCK_READ);
        }
        if (rv == APR_SUCCESS && n > 0) {
            body_append(p, data, n < left ? n : left);
            p->out->body_cut |= n > left;
        }
        apr_bucket_delete(b);
    }
    apr_brigade_cleanup(bb);
    return p->out->body_cut ? APR_ENOSPC : rv; /* an error ends the exchange: enough was read */
}

static apr_status_t take_body(void *ctx, apr_bucket_brigade *bb, int flush, int may_wait)
{
    (void)flush, (void)may_wait;
    return gather(ctx, bb);
}

static int no_backlog(void *ctx)
{
    (void)ctx;
    return 0;
}

static apr_status_t finish(void *ctx, apr_bucket_brigade *bb, rp_reason_e reason)
{
    (void)reason;
    return gather(ctx, bb);
}

/* No request body and no upgrade is ever asked for: the rest is not called. */
static const rp_client_ops_t ops = {.request_head = request_head,
                                    .interim = interim,
                                    .head = response_head,
                                    .write = take_body,
                                    .backlog = no_backlog,
                                    .finish = finish};

/* ---- driver ---- */

static apr_interval_time_t time_left(const probe_t *p, apr_time_t now_us)
{
    return p->deadline_us > now_us ? p->deadline_us - now_us : 0;
}

static void do_resolve(probe_t *p)
{
    rp_addrset_t *set = NULL;
    apr_status_t rv = rp_address_resolve(&p->conf->endpoint->address, rp_clock_now_us(), &set);

    rp_exchange_resolved(p->ex, rv, set);
}

static void do_tls(probe_t *p)
{
    const rp_tls_provider_t *tls = rp_conn_tls_provider();
    rp_conn_t *conn = rp_exchange_conn(p->ex);
    const char *reason = "no TLS provider";
    apr_status_t rv = APR_ENOTIMPL;

    if (tls != NULL) {
        rp_probe_cancel_expose(p->ask->cancel, rp_conn_fd(conn));
        rv = tls->handshake(conn, time_left(p, rp_clock_now_us()), &reason);
        rp_probe_cancel_expose(p->ask->cancel, -1);
        reason = reason != NULL ? apr_pstrdup(p->pool, reason) : NULL;
    }
    rp_exchange_tls_done(p->ex, rv, reason);
}

/* Wait on the backend's socket, but never beyond a slice. */
static unsigned wait_io(probe_t *p, apr_time_t now_us)
{
    const rp_wait_t *wait = rp_exchange_wait(p->ex);
    struct pollfd pfd = {.fd = rp_conn_fd(rp_exchange_conn(p->ex))};
    apr_time_t until = wait->deadline_us < p->deadline_us ? wait->deadline_us : p->deadline_us;
    apr_interval_time_t us = until > now_us ? until - now_us : 0;

    us = us < RP_PROBE_SLICE_US ? us : RP_PROBE_SLICE_US;
    pfd.events = (short)(((wait->mask & RP_WAIT_BACKEND_READ) ? POLLIN : 0) | ((wait->mask & RP_WAIT_BACKEND_WRITE) ? POLLOUT : 0));
    if (poll(&pfd, 1, (int)((us + 999) / 1000)) <= 0) {
        return 0;
    }
    return wait->mask & (RP_WAIT_BACKEND_READ | RP_WAIT_BACKEND_WRITE);
}

/* To the end, the deadline, or until it is called off. */
static rp_step_e drive(probe_t *p)
{
    unsigned ready = RP_WAIT_CLIENT_WRITE;

    for (;;) {
        apr_time_t now_us = rp_clock_now_us();
        rp_step_e step = rp_exchange_step(p->ex, now_us, ready);
        unsigned mask = rp_exchange_wait(p->ex)->mask;

        ready = RP_WAIT_CLIENT_WRITE;
        if (step != RP_STEP_WAIT || rp_probe_cancelled(p->ask->cancel) || time_left(p, now_us) == 0) {
            return step;
        }
        if (mask & RP_WAIT_RESOLVE) {
            do_resolve(p);
        }
        else if (mask & RP_WAIT_TLS) {
            do_tls(p);
        }
        else if (mask & (RP_WAIT_BACKEND_READ | RP_WAIT_BACKEND_WRITE)) {
            ready |= wait_io(p, now_us);
        }
        else {
            return step; /* nothing else can be waited for */
        }
    }
}

/* ---- what it means ---- */

static const char *late(const probe_t *p)
{
    const char *what = "the answer did not end";

    if (!p->reached) {
        what = "no connection";
    }
    else if (p->out->status == 0) {
        what = "no answer";
    }
    return apr_psprintf(p->pool, "%s within %" APR_TIME_T_FMT " ms", what, (p->ask->timeout_us + 999) / 1000);
}

static const char *why_failed(const probe_t *p)
{
    const rp_failure_t *failure = rp_failure(rp_exchange_reason(p->ex));
    const char *detail = rp_exchange_detail(p->ex);

    return detail != NULL ? apr_psprintf(p->pool, "%s (%s)", failure->text, detail) : failure->text;
}

static void conclude(probe_t *p, rp_step_e step, apr_time_t now_us)
{
    rp_probe_result_t *out = p->out;
    rp_reason_e reason = rp_exchange_reason(p->ex);
    const rp_attempt_t *attempts;
    int n = 0;

    attempts = rp_exchange_attempts(p->ex, &n);
    if (n > 0) {
        apr_cpystrn(out->addr, attempts[n - 1].addr, sizeof(out->addr));
    }
    out->ok = step == RP_STEP_DONE || out->body_cut || (p->reached && p->conf->head == NULL);
    if (out->ok || out->reason != NULL) {
        return;
    }
    out->cancelled = rp_probe_cancelled(p->ask->cancel);
    if (out->cancelled) {
        out->reason = "it was called off";
    }
    else if (time_left(p, now_us) == 0) {
        out->reason = late(p);
    }
    else if (step == RP_STEP_WAIT) {
        out->reason = "no connection object";
        out->ours = 1;
    }
    else {
        out->reason = why_failed(p);
        out->ours = reason == RP_FAIL_LOCAL_RESOURCE || reason == RP_FAIL_INTERNAL;
    }
}

static void exchange_conf(rp_exchange_conf_t *c, const rp_probe_conf_t *conf)
{
    apr_interval_time_t connect_us = conf->ask->worker->params.connecttimeout_us;

    memset(c, 0, sizeof(*c));
    c->worker = conf->worker;
    c->endpoint = conf->endpoint;
    /* one time for all of it: what each step may take is bounded by the whole */
    c->connect_us = c->io_us = c->acquire_us = c->client_us = c->tunnel_us = conf->ask->timeout_us;
    if (connect_us > 0 && connect_us < c->connect_us) {
        c->connect_us = connect_us; /* of each address: the next one gets its chance */
    }
    c->limits = conf->limits;
    c->head_request = conf->head != NULL && strcmp(conf->head->method, "HEAD") == 0;
    c->no_resend = 1;
    c->others_first = 1; /* one try is one check */
    c->fresh = 1;
    c->no_reuse = 1;
    c->dns_max_age_us = conf->dns_max_age_us;
}

void rp_probe_run(const rp_probe_conf_t *conf, apr_pool_t *pool, rp_probe_result_t *out)
{
    apr_time_t start_us = rp_clock_now_us(), now_us;
    rp_exchange_conf_t c;
    probe_t p;
    rp_step_e step;

    memset(out, 0, sizeof(*out));
    memset(&p, 0, sizeof(p));
    out->headers = apr_table_make(pool, 16);
    out->body = "";
    p.conf = conf;
    p.ask = conf->ask;
    p.pool = pool;
    p.out = out;
    p.deadline_us = start_us + conf->ask->timeout_us;
    exchange_conf(&c, conf);
    p.ex = rp_exchange_create(pool, apr_bucket_alloc_create(pool), &c, &ops, &p);
    step = drive(&p);
    now_us = rp_clock_now_us();
    conclude(&p, step, now_us);
    out->took_us = now_us - start_us;
    rp_exchange_abort(p.ex, now_us);
}
