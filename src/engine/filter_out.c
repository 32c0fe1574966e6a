/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output of an owned connection: RPROXY_OUT stands just above the core's network filter. On a loop it keeps what
 * it gets and writes it without waiting, a response with its head in one call; on a helper it lets everything through to the core, which
 * may wait there.
 */
#include "engine/owned_int.h"
#include "upstream/socket_io.h"

#include <apr_optional.h>
#include <errno.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>
#include <http_request.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define KEEP_BYTES 16384 /* written at once from here on, without waiting for a flush */
#define IOV_MAX_OUT 64
#define ONE_PIECE 4096    /* up to here it costs less to copy pieces together than to hand the kernel a vector */

/* Of mod_logio, which counts what the core writes; httpd's headers do not have it. */
APR_DECLARE_OPTIONAL_FN(void, ap_logio_add_bytes_out, (conn_rec * c, apr_off_t bytes));

static ap_filter_rec_t *out_rec;
static APR_OPTIONAL_FN_TYPE(ap_logio_add_bytes_out) *logio_add_bytes_out;

static apr_status_t client_gone(rp_owned_t *o, apr_status_t rv)
{
    ap_log_cerror(APLOG_MARK, APLOG_TRACE1, rv, o->c, "RP0301: writing to the client failed");
    o->c->aborted = 1;
    o->blocked = 0;
    apr_brigade_cleanup(o->out); /* an end-of-request bucket in there logs its request */
    o->out_len = 0;
    o->c->data_in_output_filters = 0;
    return rv;
}

static apr_status_t stuck(rp_owned_t *o)
{
    o->writable = 0;
    o->blocked = 1;
    o->c->data_in_output_filters = 1;
    if (o->stuck_us == 0) {
        o->stuck_us = rp_loop_now_us(o->el->loop);
    }
    return APR_EAGAIN;
}

/* ---- through the core: files ---- */

static apr_status_t core_pass(rp_owned_t *o, apr_bucket_brigade *bb)
{
    return o->out_filter->next->frec->filter_func.out_func(o->out_filter->next, bb);
}

/* The core's own buffer. APR_SUCCESS: it is empty. */
static apr_status_t core_push(rp_owned_t *o)
{
    apr_status_t rv;

    if (!o->core_busy) {
        return APR_SUCCESS;
    }
    rv = core_pass(o, NULL);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    o->core_busy = o->c->data_in_output_filters;
    return o->core_busy ? APR_EAGAIN : APR_SUCCESS;
}

/* One file bucket: the core may send it without reading. */
static apr_status_t push_file(rp_owned_t *o, apr_bucket *b)
{
    apr_status_t rv;

    o->out_len -= b->length;
    APR_BUCKET_REMOVE(b);
    APR_BRIGADE_INSERT_TAIL(o->out_tmp, b);
    rv = core_pass(o, o->out_tmp);
    apr_brigade_cleanup(o->out_tmp);
    o->core_busy = rv == APR_SUCCESS && o->c->data_in_output_filters;
    return rv == APR_SUCCESS ? core_push(o) : rv;
}

/* ---- memory ---- */

/* Fill vec with what is in memory at the front. 0: the first bucket is something else. */
static int gather(rp_owned_t *o, struct iovec *vec, apr_status_t *rv)
{
    int n = 0;
    apr_bucket *b = APR_BRIGADE_FIRST(o->out);

    *rv = APR_SUCCESS;
    while (b != APR_BRIGADE_SENTINEL(o->out) && n < IOV_MAX_OUT && !APR_BUCKET_IS_FILE(b) && !APR_BUCKET_IS_METADATA(b)) {
        apr_bucket *next;
        const char *p;
        apr_size_t len;

        *rv = apr_bucket_read(b, &p, &len, APR_BLOCK_READ);
        if (*rv != APR_SUCCESS) {
            return n;
        }
        next = APR_BUCKET_NEXT(b);
        if (len == 0) {
            apr_bucket_delete(b);
        }
        else {
            memcpy(&vec[n].iov_base, &p, sizeof(p)); /* writev only reads */
            vec[n++].iov_len = len;
        }
        b = next;
    }
    return n;
}

/* n bytes at the front are written. */
static void consume(rp_owned_t *o, apr_size_t n)
{
    o->out_len -= n;
    while (n > 0) {
        apr_bucket *b = APR_BRIGADE_FIRST(o->out);

        if (n < b->length) {
            (void)apr_bucket_split(b, n);
        }
        n -= b->length;
        apr_bucket_delete(b);
    }
}

/* Small pieces, as a head and its body often are, one behind the other. 0: they are too much for that. */
static apr_size_t join_pieces(const struct iovec *vec, int nvec, char buf[ONE_PIECE])
{
    apr_size_t n = 0;
    int i;

    for (i = 0; i < nvec; i++) {
        if (vec[i].iov_len > ONE_PIECE - n) {
            return 0;
        }
        memcpy(buf + n, vec[i].iov_base, vec[i].iov_len);
        n += vec[i].iov_len;
    }
    return n;
}

/* Whatever the socket takes without waiting. */
static ssize_t write_pieces(int fd, const struct iovec *vec, int nvec)
{
    char buf[ONE_PIECE];
    apr_size_t joined = nvec > 1 ? join_pieces(vec, nvec, buf) : 0;
    ssize_t n;

    do {
        if (nvec == 1) {
            n = rp_socket_send(fd, vec->iov_base, vec->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
        else if (joined > 0) {
            n = rp_socket_send(fd, buf, joined, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
        else {
            n = writev(fd, vec, nvec);
        }
    } while (n < 0 && errno == EINTR);
    return n;
}

static apr_status_t push_memory(rp_owned_t *o)
{
    struct iovec vec[IOV_MAX_OUT];
    apr_status_t rv;
    int nvec = gather(o, vec, &rv);
    ssize_t n;

    if (nvec == 0) {
        return rv;
    }
    n = write_pieces(o->fd, vec, nvec);
    if (n < 0) {
        return errno;
    }
    if (logio_add_bytes_out != NULL) {
        logio_add_bytes_out(o->c, (apr_off_t)n);
    }
    consume(o, (apr_size_t)n);
    o->stuck_us = 0;
    return APR_SUCCESS;
}

/* The first bucket, or several. */
static apr_status_t push_some(rp_owned_t *o)
{
    apr_bucket *b = APR_BRIGADE_FIRST(o->out);

    if (APR_BUCKET_IS_METADATA(b)) {
        apr_bucket_delete(b); /* end of a request: it is logged now, and its pool goes */
        return APR_SUCCESS;
    }
    return APR_BUCKET_IS_FILE(b) ? push_file(o, b) : push_memory(o);
}

apr_status_t rp_owned_push(rp_owned_t *o)
{
    apr_status_t rv = core_push(o);

    if (o->c->aborted) {
        return client_gone(o, APR_ECONNABORTED);
    }
    while (rv == APR_SUCCESS && !APR_BRIGADE_EMPTY(o->out)) {
        rv = push_some(o);
    }
    if (APR_STATUS_IS_EAGAIN(rv)) {
        return stuck(o);
    }
    if (rv != APR_SUCCESS) {
        return client_gone(o, rv);
    }
    o->blocked = 0;
    o->stuck_us = 0;
    o->c->data_in_output_filters = 0;
    if (o->shutdown_write == 1) {
        o->shutdown_write = 2;
        (void)apr_socket_shutdown(o->sock, APR_SHUTDOWN_WRITE);
    }
    return APR_SUCCESS;
}

int rp_owned_backlog(const rp_owned_t *o) { return o->blocked; }

void rp_owned_shutdown_write(rp_owned_t *o)
{
    if (o->shutdown_write == 0) {
        o->shutdown_write = 1;
        (void)rp_owned_push(o);
    }
}

/* ---- the filter ---- */

/* Until the end-of-request bucket behind it: that one holds the request's pool. */
static int lives_long_enough(apr_bucket *b)
{
    return APR_BUCKET_IS_METADATA(b) || APR_BUCKET_IS_HEAP(b) || APR_BUCKET_IS_IMMORTAL(b) || APR_BUCKET_IS_POOL(b)
           || APR_BUCKET_IS_FILE(b) || APR_BUCKET_IS_MMAP(b);
}

/* Keep a bucket beyond this call. 1: it asks for writing now. */
static int keep(rp_owned_t *o, apr_bucket *b, apr_status_t *rv)
{
    if (APR_BUCKET_IS_FLUSH(b)) {
        apr_bucket_delete(b);
        return 1;
    }
    if (b->length == (apr_size_t)-1) { /* a pipe or the like: it has to be read to be kept */
        const char *p;
        apr_size_t n;

        *rv = apr_bucket_read(b, &p, &n, APR_BLOCK_READ);
    }
    if (*rv == APR_SUCCESS && !lives_long_enough(b)) {
        *rv = apr_bucket_setaside(b, o->c->pool);
        *rv = *rv == APR_ENOTIMPL ? APR_SUCCESS : *rv;
    }
    APR_BUCKET_REMOVE(b);
    APR_BRIGADE_INSERT_TAIL(o->out, b);
    o->out_len += APR_BUCKET_IS_METADATA(b) ? 0 : b->length;
    return 0;
}

static apr_status_t pass_through(rp_owned_t *o, apr_bucket_brigade *bb)
{
    if (!APR_BRIGADE_EMPTY(o->out)) {
        APR_BRIGADE_PREPEND(bb, o->out);
        o->out_len = 0;
    }
    return core_pass(o, bb);
}

static apr_status_t out_filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    rp_owned_t *o = f->ctx;
    apr_status_t rv = APR_SUCCESS;
    int now = 0;

    if (!o->on_loop) {
        return pass_through(o, bb);
    }
    if (o->c->aborted) {
        apr_brigade_cleanup(bb);
        return APR_ECONNABORTED;
    }
    while (!APR_BRIGADE_EMPTY(bb) && rv == APR_SUCCESS) {
        now |= keep(o, APR_BRIGADE_FIRST(bb), &rv);
    }
    apr_brigade_cleanup(bb);
    if (rv == APR_SUCCESS && (now || o->out_len >= KEEP_BYTES) && !o->blocked) {
        rv = rp_owned_push(o);
        rv = APR_STATUS_IS_EAGAIN(rv) ? APR_SUCCESS : rv;
    }
    return rv;
}

void rp_owned_output_register(void)
{
    out_rec = ap_register_output_filter("RPROXY_OUT", out_filter, NULL, AP_FTYPE_NETWORK - 1);
}

void rp_owned_output_child_init(void)
{
    logio_add_bytes_out = APR_RETRIEVE_OPTIONAL_FN(ap_logio_add_bytes_out);
}

void rp_owned_output_add(rp_owned_t *o)
{
    o->out_filter = ap_add_output_filter_handle(out_rec, o, NULL, o->c);
    o->out = apr_brigade_create(o->c->pool, o->c->bucket_alloc);
    o->out_tmp = apr_brigade_create(o->c->pool, o->c->bucket_alloc);
    o->core_busy = o->c->data_in_output_filters;
}
