/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client side of an exchange on a thread that may block: request body out of r->input_filters, response into
 * r->output_filters, the raw connection for tunnels.
 */
#include "request/request.h"
#include "engine/tunnels.h"

#include <apr_buckets.h>
#include <apr_file_io.h>
#include <apr_strings.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#if AP_MODULE_MAGIC_AT_LEAST(20120211, 109)
#include <http_ssl.h>
#define conn_is_tls(c) ap_ssl_conn_is_ssl(c)
#else
#define conn_is_tls(c) 0
#endif

#define EMPTY_READS_MAX 64 /* of an input filter that takes bytes and gives none */

/* ---- request body ---- */

/* HTTP_IN sends no 100 Continue on non-blocking reads: it is ours to send when we, not the backend, want the body. */
static void send_continue(rp_request_t *rq)
{
    request_rec *r = rq->r;
    int status = r->status;
    const char *line = r->status_line;

    if (!r->expecting_100 || rq->client_expects) {
        return;
    }
    r->status = HTTP_CONTINUE;
    r->status_line = "100 Continue";
    ap_send_interim_response(r, 0);
    r->status = status;
    r->status_line = line;
}

static rp_reason_e body_reason(apr_status_t rv)
{
    switch (ap_map_http_request_error(rv, HTTP_BAD_REQUEST)) {
    case HTTP_REQUEST_TIME_OUT: return RP_FAIL_CLIENT_BODY_TIMEOUT;
    case HTTP_REQUEST_ENTITY_TOO_LARGE: return RP_FAIL_CLIENT_BODY_TOO_LARGE;
    default: return RP_FAIL_CLIENT_BODY_BAD;
    }
}

/* Look for the end and for errors among what was read; metadata goes. */
static apr_status_t sift(rp_request_t *rq, apr_bucket_brigade *bb, int *eos, rp_reason_e *why)
{
    apr_bucket *b = APR_BRIGADE_FIRST(bb);

    while (b != APR_BRIGADE_SENTINEL(bb)) {
        apr_bucket *next = APR_BUCKET_NEXT(b);

        if (AP_BUCKET_IS_ERROR(b)) {
            int status = ((ap_bucket_error *)b->data)->status;
            *why = status == HTTP_REQUEST_ENTITY_TOO_LARGE ? RP_FAIL_CLIENT_BODY_TOO_LARGE : RP_FAIL_CLIENT_BODY_BAD;
            return APR_EGENERAL;
        }
        if (APR_BUCKET_IS_EOS(b)) {
            *eos = 1;
        }
        if (APR_BUCKET_IS_METADATA(b)) {
            apr_bucket_delete(b);
        }
        else if (b->length != (apr_size_t)-1) {
            rq->body_read += (apr_off_t)b->length;
        }
        b = next;
    }
    if (rq->body_limit > 0 && rq->body_read > rq->body_limit) {
        *why = RP_FAIL_CLIENT_BODY_TOO_LARGE;
        return APR_EGENERAL;
    }
    return APR_SUCCESS;
}

/*
 * Some bytes, without waiting. HTTP_IN says APR_EAGAIN when there are none; a filter above it that took bytes and gave none
 * (mod_deflate in a gzip header) answers with an empty brigade: there may be more behind those, and the socket would not tell.
 */
static apr_status_t get_some(rp_request_t *rq, apr_bucket_brigade *bb, apr_off_t max)
{
    int tries;

    rq->filter_busy = 0;
    for (tries = 0; tries < EMPTY_READS_MAX; tries++) {
        apr_status_t rv = ap_get_brigade(rq->r->input_filters, bb, AP_MODE_READBYTES, APR_NONBLOCK_READ, max);

        if (rv != APR_SUCCESS || !APR_BRIGADE_EMPTY(bb)) {
            return rv;
        }
    }
    rq->filter_busy = 1; /* come back soon, but not without a look at the clock */
    return APR_EAGAIN;
}

static apr_status_t read_body(void *ctx, apr_bucket_brigade *bb, apr_off_t max, int *eos, rp_reason_e *why)
{
    rp_request_t *rq = ctx;
    apr_status_t rv;

    *eos = 0;
    send_continue(rq);
    rv = get_some(rq, bb, max);
    if (rv == APR_SUCCESS) {
        return sift(rq, bb, eos, why);
    }
    apr_brigade_cleanup(bb);
    rq->filter_error = rv == AP_FILTER_ERROR;
    if (!APR_STATUS_IS_EAGAIN(rv)) {
        *why = APR_STATUS_IS_EOF(rv) || APR_STATUS_IS_ECONNRESET(rv) || rq->r->connection->aborted ? RP_FAIL_CLIENT_GONE
                                                                                                  : body_reason(rv);
    }
    return rv;
}

/* What is too long for memory goes to a temporary file (removed when the request ends). */
static apr_status_t spool_open(rp_request_t *rq)
{
    const char *dir = NULL;
    char *template;
    apr_status_t rv;

    if (rq->spool != NULL) {
        return APR_SUCCESS;
    }
    rv = apr_temp_dir_get(&dir, rq->r->pool);
    if (rv == APR_SUCCESS) {
        template = apr_pstrcat(rq->r->pool, dir, "/rproxy.tmp.XXXXXX", NULL);
        rv = apr_file_mktemp(&rq->spool, template, APR_CREATE | APR_READ | APR_WRITE | APR_EXCL | APR_DELONCLOSE
                                                       | APR_BINARY, rq->r->pool);
    }
    if (rv != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, rv, rq->r,
                      "RP0210: no temporary file for the request body (directory %s); free some space or set TMPDIR",
                      dir ? dir : "unknown");
    }
    return rv;
}

static apr_status_t spool_write(rp_request_t *rq, apr_bucket_brigade *bb)
{
    apr_off_t start = 0, end;
    apr_bucket *b;
    apr_status_t rv = spool_open(rq);

    if (rv != APR_SUCCESS || (rv = apr_file_seek(rq->spool, APR_END, &start)) != APR_SUCCESS) {
        return rv;
    }
    end = start;
    while (!APR_BRIGADE_EMPTY(bb)) {
        const char *data;
        apr_size_t len;

        b = APR_BRIGADE_FIRST(bb);
        rv = apr_bucket_read(b, &data, &len, APR_BLOCK_READ);
        if (rv == APR_SUCCESS && len > 0) {
            rv = apr_file_write_full(rq->spool, data, len, NULL);
        }
        if (rv != APR_SUCCESS) {
            ap_log_rerror(APLOG_MARK, APLOG_ERR, rv, rq->r,
                          "RP0211: writing the request body to a temporary file failed");
            return rv;
        }
        end += (apr_off_t)len;
        apr_bucket_delete(b);
    }
    if (end > start) { /* read again in pieces: mapped into memory it would count as ours */
        (void)apr_bucket_file_enable_mmap(apr_brigade_insert_file(bb, rq->spool, start, end - start, rq->r->pool), 0);
    }
    return APR_SUCCESS;
}

static apr_status_t spool(void *ctx, apr_bucket_brigade *bb, rp_reason_e *why)
{
    *why = RP_FAIL_LOCAL_RESOURCE;
    return spool_write(ctx, bb);
}

/* ---- response ---- */

static apr_status_t write_body(void *ctx, apr_bucket_brigade *bb, int flush, int may_wait)
{
    rp_request_t *rq = ctx;
    request_rec *r = rq->r;
    apr_status_t rv;

    (void)may_wait;
    if (flush) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(r->connection->bucket_alloc));
    }
    rv = ap_pass_brigade(r->output_filters, bb);
    apr_brigade_cleanup(bb);
    return rv; /* an aborted connection refuses the next one: the client may have left because it has all it wanted */
}

static int backlog(void *ctx)
{
    const rp_request_t *rq = ctx;

    return rq->owned != NULL ? rp_owned_backlog(rq->owned) : 0; /* passing a brigade on a thread that may block waits by itself */
}

/* For the client connection, made when a tunnel needs it. */
static apr_bucket_brigade *scratch(rp_request_t *rq)
{
    if (rq->bb == NULL) {
        rq->bb = apr_brigade_create(rq->r->pool, rq->r->connection->bucket_alloc);
    }
    return rq->bb;
}

/* A stream of HTTP/2 that was a tunnel ends in order; a connection of its own is just closed. */
static apr_status_t tunnel_finish(rp_request_t *rq)
{
    conn_rec *c = rq->r->connection;
    apr_bucket_brigade *bb = scratch(rq);
    apr_status_t rv;

    if (c->master == NULL) {
        return APR_SUCCESS;
    }
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(c->bucket_alloc));
    rv = ap_pass_brigade(c->output_filters, bb);
    apr_brigade_cleanup(bb);
    return rv;
}

/*
 * The end. A whole response ends with EOS. A cut one must look cut: the error bucket makes HTTP's output filters leave
 * out the last chunk and close (or reset the stream).
 */
static apr_status_t finish(void *ctx, apr_bucket_brigade *bb, rp_reason_e reason)
{
    rp_request_t *rq = ctx;
    request_rec *r = rq->r;
    apr_bucket_alloc_t *ba = r->connection->bucket_alloc;
    apr_status_t rv = APR_SUCCESS;

    if (!rq->finished && !rq->override_status) {
        rq->finished = 1;
        if (rp_exchange_tunnel(rq->ex)) {
            return tunnel_finish(rq);
        }
        if (reason != RP_FAIL_NONE) {
            r->no_cache = 1;
            r->connection->keepalive = AP_CONN_CLOSE;
            APR_BRIGADE_INSERT_TAIL(bb, ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL, r->pool, ba));
        }
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(ba));
        rv = ap_pass_brigade(r->output_filters, bb);
    }
    apr_brigade_cleanup(bb);
    return rv;
}

/* ---- tunnel ---- */

int rp_client_fd(request_rec *r)
{
    apr_socket_t *sock;
    apr_os_sock_t fd;

    if (r->connection->master != NULL) {
        return -1;
    }
    sock = ap_get_conn_socket(r->connection);
    return sock != NULL && apr_os_sock_get(&fd, sock) == APR_SUCCESS ? fd : -1;
}

/* mod_reqtimeout's filter would end a quiet tunnel. */
static void remove_reqtimeout(conn_rec *c)
{
    ap_filter_t *f;

    for (f = c->input_filters; f != NULL; f = f->next) {
        if (!strcasecmp(f->frec->name, "reqtimeout")) {
            ap_remove_input_filter(f);
            return;
        }
    }
}

/* HTTP leaves the client connection: from here on bytes go as they come. */
static apr_status_t tunnel_start(void *ctx, const rp_h1_resp_t *resp)
{
    rp_request_t *rq = ctx;
    request_rec *r = rq->r;
    conn_rec *c = r->connection;
    const char *protocol = NULL;
    int i;
    apr_status_t rv;

    for (i = 0; i < resp->nfields; i++) {
        if (resp->fields[i].id == RP_HDR_UPGRADE) {
            protocol = resp->fields[i].value;
        }
    }
    r->headers_out = apr_table_make(r->pool, resp->nfields + 2);
    rv = rp_response_fields(rq, resp, r->headers_out);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_table_setn(r->headers_out, "Connection", "Upgrade");
    apr_table_setn(r->headers_out, "Upgrade", protocol ? protocol : rq->upgrade);
    apr_table_setn(r->notes, "proxy-status", "101");
    r->status = HTTP_SWITCHING_PROTOCOLS;
    r->status_line = apr_psprintf(r->pool, "101 %s", resp->reason);
    ap_send_interim_response(r, 1);
    c->keepalive = AP_CONN_CLOSE;
    remove_reqtimeout(c);
    rq->tunnel_in = apr_brigade_create(r->pool, c->bucket_alloc);
    rp_tunnels_count(r);
    return c->aborted ? APR_ECONNABORTED : APR_SUCCESS;
}

static apr_status_t tunnel_read(void *ctx, char *buf, apr_size_t *len)
{
    rp_request_t *rq = ctx;
    conn_rec *c = rq->r->connection;
    apr_size_t max = *len;
    apr_status_t rv;

    *len = 0;
    if (APR_BRIGADE_EMPTY(rq->tunnel_in)) {
        rv = ap_get_brigade(c->input_filters, rq->tunnel_in, AP_MODE_READBYTES, APR_NONBLOCK_READ, (apr_off_t)max);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (APR_BRIGADE_EMPTY(rq->tunnel_in)) {
            return APR_EAGAIN;
        }
    }
    while (*len < max && !APR_BRIGADE_EMPTY(rq->tunnel_in)) {
        apr_bucket *b = APR_BRIGADE_FIRST(rq->tunnel_in);
        const char *data;
        apr_size_t n;

        if (APR_BUCKET_IS_EOS(b)) {
            return *len > 0 ? APR_SUCCESS : APR_EOF;
        }
        rv = apr_bucket_read(b, &data, &n, APR_NONBLOCK_READ);
        if (rv != APR_SUCCESS) {
            return *len > 0 ? APR_SUCCESS : rv;
        }
        if (n > max - *len) {
            (void)apr_bucket_split(b, max - *len);
            n = max - *len;
        }
        memcpy(buf + *len, data, n);
        *len += n;
        apr_bucket_delete(b);
    }
    return *len > 0 ? APR_SUCCESS : APR_EAGAIN;
}

static apr_status_t tunnel_write(void *ctx, const char *buf, apr_size_t *len)
{
    rp_request_t *rq = ctx;
    conn_rec *c = rq->r->connection;
    apr_bucket_brigade *bb = scratch(rq);
    apr_status_t rv;

    if (backlog(rq)) {
        return APR_EAGAIN;
    }
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_transient_create(buf, *len, c->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(c->bucket_alloc));
    rv = ap_pass_brigade(c->output_filters, bb);
    apr_brigade_cleanup(bb);
    if (rv == APR_SUCCESS && c->aborted) {
        rv = APR_ECONNABORTED;
    }
    rq->r->bytes_sent += rv == APR_SUCCESS ? (apr_off_t)*len : 0;
    return rv;
}

static apr_status_t tunnel_shutdown(void *ctx)
{
    rp_request_t *rq = ctx;
    apr_socket_t *sock = ap_get_conn_socket(rq->r->connection);

    /* TLS has no half-close that the peer could answer to through mod_ssl, and a stream of HTTP/2 has none here: the end of the
     * tunnel says it */
    if (sock == NULL || rq->r->connection->master != NULL || conn_is_tls(rq->r->connection)) {
        return APR_ENOTIMPL;
    }
    if (rq->owned != NULL) {
        rp_owned_shutdown_write(rq->owned);
        return APR_SUCCESS;
    }
    return apr_socket_shutdown(sock, APR_SHUTDOWN_WRITE);
}

const rp_client_ops_t rp_client_ops = {
    .read_body = read_body,
    .spool = spool,
    .request_head = rp_request_head_build,
    .interim = rp_response_interim,
    .head = rp_response_head_apply,
    .trailers = rp_response_trailers,
    .write = write_body,
    .backlog = backlog,
    .finish = finish,
    .tunnel_start = tunnel_start,
    .tunnel_read = tunnel_read,
    .tunnel_write = tunnel_write,
    .tunnel_shutdown = tunnel_shutdown,
};
