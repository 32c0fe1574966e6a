/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a connection comes to a loop. Two hooks on the MPM's threads: the gate stands before mod_ssl and lets no thread wait
 * in a handshake or for a first byte; adopt stands behind mod_ssl and mod_http2, which take what is theirs first, and suspends the rest.
 * The MPM says by its suspend hook that it is about to let go.
 */
#include "engine/gate.h"

#include <httpd.h>
#include <ap_mpm.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <mpm_common.h>
#include <strings.h>

#include "engine/accept.h"
#include "engine/hello_time.h"
#include "engine/listener.h"
#include "wire/headers.h"

#if AP_MODULE_MAGIC_AT_LEAST(20120211, 109)
#include <http_ssl.h>
#define conn_is_tls(c) ap_ssl_conn_is_ssl(c)
#else
#define conn_is_tls(c) 0
#endif

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define PREFACE_LEN 24

extern module AP_MODULE_DECLARE_DATA rproxy_module;

rp_owned_t *rp_owned_of(const conn_rec *c)
{
    return ap_get_module_config(c->conn_config, &rproxy_module);
}

/* 1: this connection may be given to a loop at all. */
static int is_for_us(const conn_rec *c)
{
    return rp_engine_running() && rp_engine_conf()->lane_of(c->base_server) != RP_LANE_BLOCKING && c->master == NULL && !c->outgoing
           && c->cs != NULL && !c->clogging_input_filters && !c->aborted;
}

#if RP_HAVE_WAITIO

static int wait_for(conn_rec *c, conn_sense_e sense)
{
    c->cs->state = CONN_STATE_ASYNC_WAITIO;
    if (c->cs->sense == CONN_SENSE_DEFAULT) {
        c->cs->sense = sense;
    }
    return OK;
}

/* One step of the TLS handshake. */
static int gate_tls(conn_rec *c)
{
    apr_bucket_brigade *bb = apr_brigade_create(c->pool, c->bucket_alloc);
    apr_status_t rv = ap_get_brigade(c->input_filters, bb, AP_MODE_INIT, APR_NONBLOCK_READ, 0);

    apr_brigade_destroy(bb);
    if (APR_STATUS_IS_EAGAIN(rv)) {
        rp_hello_wait(c);
        return wait_for(c, CONN_SENSE_WANT_READ);
    }
    rp_hello_over(c);
    return DECLINED; /* mod_ssl's own hook deals with failures */
}

/* mod_http2 looks for its preface by a read that waits: let it come first, or something else. */
static int gate_h2c(conn_rec *c)
{
    apr_bucket_brigade *bb = apr_brigade_create(c->pool, c->bucket_alloc);
    char start[PREFACE_LEN];
    apr_size_t n = sizeof(start);
    apr_status_t rv = ap_get_brigade(c->input_filters, bb, AP_MODE_SPECULATIVE, APR_NONBLOCK_READ, PREFACE_LEN);

    if (rv == APR_SUCCESS) {
        rv = apr_brigade_flatten(bb, start, &n);
    }
    apr_brigade_destroy(bb);
    if (APR_STATUS_IS_EAGAIN(rv) || (rv == APR_SUCCESS && n < PREFACE_LEN && !memcmp(start, PREFACE, n))) {
        return wait_for(c, CONN_SENSE_WANT_READ);
    }
    return DECLINED;
}

static int gate(conn_rec *c)
{
    rp_listener_runs();
    rp_visit_begin();
    rp_accept_begin();
    if (!is_for_us(c)) {
        return DECLINED;
    }
    if (conn_is_tls(c)) {
        return gate_tls(c);
    }
    return ap_is_allowed_protocol(c, NULL, NULL, "h2c") ? gate_h2c(c) : DECLINED;
}

static int adopt(conn_rec *c)
{
    rp_owned_t *o;
    apr_os_sock_t fd;

    if (!is_for_us(c)) {
        return DECLINED;
    }
    o = apr_pcalloc(c->pool, sizeof(*o));
    o->c = c;
    o->el = rp_engine_pick();
    o->sock = ap_get_conn_socket(c);
    if (o->sock == NULL || apr_os_sock_get(&fd, o->sock) != APR_SUCCESS) {
        return DECLINED;
    }
    o->fd = fd;
    o->visit = rp_visit_current();
    if (o->visit.who == NULL) {
        return DECLINED; /* no memory */
    }
    o->stocked = rp_accept_loan(o->sock, c->pool);
    ap_set_module_config(c->conn_config, &rproxy_module, o);
    rp_owned_input_add(o);
    rp_owned_output_add(o);
    c->cs->state = CONN_STATE_SUSPENDED;
    return OK;
}

static void on_adopted(rp_post_t *post)
{
    rp_owned_adopted(RP_OWNED_OF(post, post));
}

/* The MPM calls this for other states too, and closes an aborted connection by itself. */
static void on_suspend(conn_rec *c, request_rec *r)
{
    rp_owned_t *o = rp_owned_of(c);

    (void)r;
    if (o != NULL && c->cs->state == CONN_STATE_SUSPENDED && o->state == RP_OWNED_ADOPTING) {
        o->post.fn = on_adopted;
        rp_engine_hold(1);
        rp_loop_post(o->el->loop, &o->post);
    }
}

/* mod_http2 would run a whole session inside the request: a connection that was adopted stays with HTTP/1.1. */
static int no_h2c_upgrade(request_rec *r)
{
    const char *upgrade = rp_owned_of(r->connection) ? apr_table_get(r->headers_in, "Upgrade") : NULL;
    const char *kept = "";
    rp_slice_t m;

    if (upgrade == NULL || (!ap_strcasestr(upgrade, "h2c") && !ap_strcasestr(upgrade, "TLS/"))) {
        return DECLINED;
    }
    while (rp_list_next(&upgrade, &m)) {
        if (!(m.n == 3 && !strncasecmp(m.p, "h2c", 3)) && !(m.n > 4 && !strncasecmp(m.p, "TLS/", 4))) {
            kept = apr_psprintf(r->pool, "%s%s%.*s", kept, *kept ? ", " : "", (int)m.n, m.p);
        }
    }
    if (*kept) {
        apr_table_setn(r->headers_in, "Upgrade", kept);
    }
    else {
        apr_table_unset(r->headers_in, "Upgrade");
    }
    return DECLINED;
}

void rp_gate_register_hooks(apr_pool_t *p)
{
    static const char *const gate_before[] = {"mod_ssl.c", "mod_http2.c", NULL};
    static const char *const adopt_after[] = {"mod_ssl.c", "mod_http2.c", "mod_reqtimeout.c", NULL};
    static const char *const adopt_before[] = {"http_core.c", NULL};

    (void)p;
    ap_hook_process_connection(gate, NULL, gate_before, APR_HOOK_REALLY_FIRST);
    ap_hook_process_connection(adopt, adopt_after, adopt_before, APR_HOOK_LAST);
    ap_hook_suspend_connection(on_suspend, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_post_read_request(no_h2c_upgrade, NULL, NULL, APR_HOOK_REALLY_FIRST);
}

#else

void rp_gate_register_hooks(apr_pool_t *p)
{
    (void)p; /* an httpd before 2.4.63 can not wait for a connection without a thread */
}

#endif
