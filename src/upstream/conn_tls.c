/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS to backends by mod_ssl. The only file of this folder that knows httpd.
 *
 * mod_ssl works on a conn_rec, so each TLS connection has one, made on the connected socket. Right
 * above the core's own network filters, and below mod_ssl, sit two filters of ours that do all
 * socket I/O: they never wait, but during the handshake, which mod_ssl can not resume once it was
 * told to come back later. Encrypted bytes that the socket does not take are kept here; sendv takes
 * no more while there are any, so that they are bounded.
 */
#include "upstream/conn.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <apr_portable.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_connection.h>
#include <http_main.h>
#include <http_ssl.h>
#include <util_filter.h>

#include "upstream/clock.h"
#include "upstream/endpoint.h"

#define RAW_SIZE 16384         /* one read from the socket */
#define TAKE_MAX 65536         /* plain bytes that one sendv encrypts */
#define PENDING_MAX 262144     /* encrypted bytes kept; more is a bug or a hostile handshake */
#define PENDING_KEEP 16384     /* of the memory for them, what is kept when they are out */
#define KEEP_FREE 32768        /* freed bytes that the pool of a connection keeps */
#define FILL_MAX 16384         /* plain bytes asked from mod_ssl at once (it gives at most 8192) */

typedef struct tls_io_t {
    rp_conn_t *conn;
    apr_pool_t *pool;            /* of the conn_rec, with an allocator of its own */
    apr_socket_t *sock;          /* the connection's, as httpd knows it; closes the descriptor, or NULL */
    conn_rec *c;
    apr_bucket_alloc_t *ba;
    apr_bucket_brigade *in;      /* decrypted bytes that nobody took yet */
    apr_bucket_brigade *out;
    apr_status_t end;            /* how reading ended; APR_SUCCESS: it did not */
    int more;                    /* there may be decrypted bytes although the socket has none */
    char *raw;                   /* bytes read from the socket, encrypted */
    apr_size_t raw_start, raw_end;
    apr_uint64_t eaten;          /* bytes of it that mod_ssl has read so far */
    char *pending;               /* encrypted bytes for the socket */
    apr_size_t pend_start, pend_end, pend_size;
    apr_status_t net_error;      /* of the socket */
    int net_eof;                 /* the socket came to its end */
    int handshaking;             /* the filters may wait, until deadline_us */
    int timed_out;
    int shut;                    /* shut the socket down for writing when `pending` is empty */
    int up;                      /* handshake done */
    apr_time_t deadline_us;
} tls_io_t;

static ap_filter_rec_t *in_handle, *out_handle;

/* ---- the socket ---- */

/* Only during the handshake: wait until the deadline. */
static apr_status_t wait_socket(tls_io_t *io, short events)
{
    struct pollfd pfd = {.fd = io->conn->fd, .events = events};

    for (;;) {
        apr_time_t left = io->deadline_us - rp_clock_now_us();
        int n;

        if (left <= 0) {
            io->timed_out = 1;
            return APR_TIMEUP;
        }
        n = poll(&pfd, 1, left > 60000000 ? 60000 : (int)((left + 999) / 1000));
        if (n > 0) {
            return APR_SUCCESS;
        }
        if (n < 0 && errno != EINTR) {
            return errno;
        }
    }
}

static apr_status_t read_socket(tls_io_t *io, int may_wait)
{
    for (;;) {
        ssize_t n = recv(io->conn->fd, io->raw, RAW_SIZE, MSG_DONTWAIT);

        if (n > 0) {
            io->raw_start = 0;
            io->raw_end = (apr_size_t)n;
            return APR_SUCCESS;
        }
        if (n == 0) {
            io->net_eof = 1;
            return APR_EOF;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            apr_status_t rv = may_wait ? wait_socket(io, POLLIN) : APR_EAGAIN;
            if (rv != APR_SUCCESS) {
                return rv;
            }
        }
        else if (errno != EINTR) {
            return errno;
        }
    }
}

/* Blocks of this size do not go with the bucket allocator: they must be given back. */
static void free_pending(tls_io_t *io)
{
    if (io->pending != NULL) {
        apr_bucket_free(io->pending);
    }
    io->pending = NULL;
    io->pend_start = io->pend_end = io->pend_size = 0;
}

/* Write what is pending. APR_SUCCESS: all of it is out. */
static apr_status_t write_socket(tls_io_t *io, int may_wait)
{
    while (io->pend_start < io->pend_end && io->net_error == APR_SUCCESS) {
        ssize_t n = send(io->conn->fd, io->pending + io->pend_start, io->pend_end - io->pend_start,
                         MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n >= 0) {
            io->pend_start += (apr_size_t)n;
        }
        else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            apr_status_t rv = may_wait ? wait_socket(io, POLLOUT) : APR_EAGAIN;
            if (rv != APR_SUCCESS) {
                return rv;
            }
        }
        else if (errno != EINTR) {
            io->net_error = errno;
        }
    }
    if (io->net_error != APR_SUCCESS) {
        return io->net_error;
    }
    io->pend_start = io->pend_end = 0;
    if (io->pend_size > PENDING_KEEP) {
        free_pending(io);
    }
    if (io->shut) {
        io->shut = 0;
        (void)shutdown(io->conn->fd, SHUT_WR);
    }
    return APR_SUCCESS;
}

static apr_status_t append_pending(tls_io_t *io, const char *data, apr_size_t n)
{
    if (io->pend_end + n > io->pend_size) {
        apr_size_t used = io->pend_end - io->pend_start;
        apr_size_t size = io->pend_size ? io->pend_size : PENDING_KEEP;
        char *bigger;

        while (size < used + n) {
            size *= 2;
        }
        if (size > PENDING_MAX) {
            return APR_ENOSPC;
        }
        bigger = size > io->pend_size ? apr_bucket_alloc(size, io->ba) : io->pending;
        if (used > 0) {
            memmove(bigger, io->pending + io->pend_start, used);
        }
        if (bigger != io->pending && io->pending != NULL) {
            apr_bucket_free(io->pending);
        }
        io->pending = bigger;
        io->pend_size = size;
        io->pend_start = 0;
        io->pend_end = used;
    }
    memcpy(io->pending + io->pend_end, data, n);
    io->pend_end += n;
    return APR_SUCCESS;
}

/* ---- network filters ---- */

static apr_status_t net_in(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode,
                           apr_read_type_e block, apr_off_t readbytes)
{
    tls_io_t *io = f->ctx;
    apr_size_t n;

    if (mode == AP_MODE_INIT) {
        return APR_SUCCESS;
    }
    if (mode != AP_MODE_READBYTES) {
        return APR_ENOTIMPL;
    }
    if (io->raw_start == io->raw_end) {
        apr_status_t rv = read_socket(io, block == APR_BLOCK_READ && io->handshaking);

        if (APR_STATUS_IS_EAGAIN(rv) && block == APR_BLOCK_READ) {
            /* mod_ssl wants to read in the middle of a write (renegotiation): nobody may wait here,
             * and the write can not be repeated, so the connection is lost. */
            io->net_error = APR_ECONNABORTED;
            return APR_ECONNABORTED;
        }
        if (rv != APR_SUCCESS) {
            if (!APR_STATUS_IS_EAGAIN(rv) && !APR_STATUS_IS_EOF(rv) && !APR_STATUS_IS_TIMEUP(rv)) {
                io->net_error = rv;
            }
            return rv;
        }
    }
    n = io->raw_end - io->raw_start;
    n = readbytes < (apr_off_t)n ? (apr_size_t)readbytes : n;
    APR_BRIGADE_INSERT_TAIL(
        bb, apr_bucket_transient_create(io->raw + io->raw_start, n, f->c->bucket_alloc));
    io->raw_start += n;
    io->eaten += n;
    return APR_SUCCESS;
}

static apr_status_t net_out(ap_filter_t *f, apr_bucket_brigade *bb)
{
    tls_io_t *io = f->ctx;
    apr_status_t rv = APR_SUCCESS;

    while (!APR_BRIGADE_EMPTY(bb) && rv == APR_SUCCESS) {
        apr_bucket *b = APR_BRIGADE_FIRST(bb);
        const char *data;
        apr_size_t n;

        if (APR_BUCKET_IS_FLUSH(b)) {
            rv = write_socket(io, io->handshaking);
            rv = APR_STATUS_IS_EAGAIN(rv) ? APR_SUCCESS : rv; /* it is kept */
        }
        else if (!APR_BUCKET_IS_METADATA(b)) {
            rv = apr_bucket_read(b, &data, &n, APR_BLOCK_READ);
            if (rv == APR_SUCCESS) {
                rv = append_pending(io, data, n);
            }
        }
        apr_bucket_delete(b);
    }
    if (rv != APR_SUCCESS) {
        apr_brigade_cleanup(bb);
        io->net_error = io->net_error ? io->net_error : rv;
    }
    return rv;
}

/* ---- operations ---- */

/* Ask mod_ssl for decrypted bytes. */
static apr_status_t fill(tls_io_t *io, apr_size_t want)
{
    apr_uint64_t before;
    apr_status_t rv;

    if (io->end != APR_SUCCESS) {
        return io->end;
    }
    do { /* a record without data (a session ticket) is EAGAIN, though the next one may be here */
        before = io->eaten;
        rv = ap_get_brigade(io->c->input_filters, io->in, AP_MODE_READBYTES, APR_NONBLOCK_READ,
                            (apr_off_t)(want > FILL_MAX ? FILL_MAX : want));
        if (rv == APR_SUCCESS && APR_BRIGADE_EMPTY(io->in)) {
            rv = APR_EAGAIN;
        }
    } while (APR_STATUS_IS_EAGAIN(rv) && io->raw_start < io->raw_end && io->eaten != before);
    io->more = rv == APR_SUCCESS;
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(rv)) {
        io->end = rv;
        io->conn->unclean_eof = APR_STATUS_IS_EOF(rv) && io->net_eof;
    }
    return rv;
}

/* Move bytes from `in` to buf. Returns how many. */
static apr_size_t drain(tls_io_t *io, char *buf, apr_size_t size)
{
    apr_size_t got = 0;

    while (got < size && !APR_BRIGADE_EMPTY(io->in)) {
        apr_bucket *b = APR_BRIGADE_FIRST(io->in);
        const char *data;
        apr_size_t n;

        if (APR_BUCKET_IS_EOS(b)) {
            io->end = io->end ? io->end : APR_EOF;
        }
        if (APR_BUCKET_IS_METADATA(b)) {
            apr_bucket_delete(b);
            continue;
        }
        if (apr_bucket_read(b, &data, &n, APR_NONBLOCK_READ) != APR_SUCCESS) {
            io->end = APR_EGENERAL;
            break;
        }
        if (n > size - got) {
            n = size - got;
            (void)apr_bucket_split(b, n);
        }
        memcpy(buf + got, data, n);
        got += n;
        apr_bucket_delete(b);
    }
    return got;
}

static apr_status_t tls_recv(rp_conn_t *conn, char *buf, apr_size_t *len)
{
    tls_io_t *io = conn->io;
    apr_size_t size = *len, got;
    apr_status_t rv = APR_SUCCESS;

    got = drain(io, buf, size);
    while (got < size && rv == APR_SUCCESS) {
        rv = fill(io, size - got);
        if (rv == APR_SUCCESS) {
            got += drain(io, buf + got, size - got);
        }
    }
    *len = got;
    return got > 0 ? APR_SUCCESS : rv;
}

static int tls_buffered(rp_conn_t *conn)
{
    tls_io_t *io = conn->io;
    apr_off_t n = 0;

    if (APR_BRIGADE_EMPTY(io->in) && io->more && io->end == APR_SUCCESS) {
        (void)fill(io, FILL_MAX);
    }
    (void)apr_brigade_length(io->in, 0, &n);
    if (n == 0 && io->end != APR_SUCCESS) {
        return 1; /* the goodbye was read: the socket may stay silent */
    }
    return n > 0 ? (int)n : 0;
}

static apr_status_t tls_flush(rp_conn_t *conn)
{
    return write_socket(conn->io, 0);
}

static apr_status_t tls_sendv(rp_conn_t *conn, const struct iovec *vec, int nvec, apr_size_t *sent)
{
    tls_io_t *io = conn->io;
    apr_size_t taken = 0;
    apr_status_t rv;
    int i;

    *sent = 0;
    rv = write_socket(io, 0);
    if (rv != APR_SUCCESS) {
        return rv; /* APR_EAGAIN: there is a backlog, take no more */
    }
    for (i = 0; i < nvec && taken < TAKE_MAX; i++) {
        apr_size_t n = vec[i].iov_len < TAKE_MAX - taken ? vec[i].iov_len : TAKE_MAX - taken;

        if (n > 0) {
            APR_BRIGADE_INSERT_TAIL(io->out,
                                    apr_bucket_transient_create(vec[i].iov_base, n, io->ba));
            taken += n;
        }
    }
    if (taken == 0) {
        return APR_SUCCESS;
    }
    APR_BRIGADE_INSERT_TAIL(io->out, apr_bucket_flush_create(io->ba));
    rv = ap_pass_brigade(io->c->output_filters, io->out);
    apr_brigade_cleanup(io->out);
    *sent = taken; /* with an error too: some of it may have left */
    return io->net_error ? io->net_error : rv;
}

/* mod_ssl can not say goodbye and read on: the peer sees the end of the TCP stream instead, after
 * the last byte. */
static apr_status_t tls_shutdown_write(rp_conn_t *conn)
{
    tls_io_t *io = conn->io;
    apr_status_t rv;

    io->shut = 1;
    rv = write_socket(io, 0);
    return APR_STATUS_IS_EAGAIN(rv) ? APR_SUCCESS : rv;
}

/* Close-notify without waiting for the other one: what the socket does not take at once is lost. */
static void say_goodbye(tls_io_t *io)
{
    if (!io->up || io->c->aborted || io->net_error != APR_SUCCESS) {
        return;
    }
    APR_BRIGADE_INSERT_TAIL(io->out, ap_bucket_eoc_create(io->ba));
    (void)ap_pass_brigade(io->c->output_filters, io->out);
    apr_brigade_cleanup(io->out);
    (void)write_socket(io, 0);
}

static void tls_close(rp_conn_t *conn)
{
    tls_io_t *io = conn->io;

    if (io != NULL) {
        io->handshaking = 0;
        if (io->c != NULL) {
            say_goodbye(io);
        }
        conn->io = NULL;
        free_pending(io);
        if (io->sock != NULL) {
            conn->fd = -1; /* the pool closes it */
        }
        apr_pool_destroy(io->pool); /* frees the SSL object and all buckets */
    }
    conn->ops = &rp_conn_plain_ops;
    conn->ops->close(conn);
}

static const rp_conn_ops_t tls_ops = {
    tls_recv, tls_sendv, tls_flush, tls_shutdown_write, tls_buffered, tls_close,
};

/* ---- handshake ---- */

static server_rec *server_of(const rp_conn_t *conn)
{
    const void *server = conn->endpoint->key.ssl_server;

    return server ? (server_rec *)server : ap_server_conf;
}

static ap_conf_vector_t *conf_of(const rp_conn_t *conn)
{
    const void *conf = conn->endpoint->key.ssl_conf;

    return conf ? (ap_conf_vector_t *)conf : server_of(conn)->lookup_defaults;
}

static void tls_rebind(rp_conn_t *conn, void *request_conf)
{
    tls_io_t *io = conn->io;

    if (io != NULL && io->c != NULL) {
        (void)ap_ssl_bind_outgoing(io->c, request_conf ? request_conf : conf_of(conn), 1);
    }
}

static tls_io_t *io_create(rp_conn_t *conn)
{
    apr_pool_t *pool = NULL;
    tls_io_t *io;

    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS) {
        return NULL;
    }
    apr_allocator_max_free_set(apr_pool_allocator_get(pool), KEEP_FREE);
    apr_pool_tag(pool, "rp_conn_tls");
    io = apr_pcalloc(pool, sizeof(*io));
    io->conn = conn;
    io->pool = pool;
    io->ba = apr_bucket_alloc_create(pool);
    io->in = apr_brigade_create(pool, io->ba);
    io->out = apr_brigade_create(pool, io->ba);
    io->raw = apr_palloc(pool, RAW_SIZE);
    return io;
}

/* What httpd calls a connected socket. Its pool closes the descriptor from here on. */
static apr_status_t socket_make(rp_conn_t *conn, tls_io_t *io)
{
    apr_os_sock_info_t info = {.os_sock = &conn->fd, .remote = (struct sockaddr *)&conn->addr->sa,
                               .family = conn->addr->family, .type = SOCK_STREAM};
    apr_status_t rv = apr_os_sock_make(&io->sock, &info, io->pool);

    return rv == APR_SUCCESS ? apr_socket_timeout_set(io->sock, 0) : rv; /* as it is: non-blocking */
}

/* The conn_rec, bound to the configuration, with mod_ssl's filters and ours. */
static apr_status_t conn_rec_make(rp_conn_t *conn, tls_io_t *io, const char **reason)
{
    const rp_endpoint_key_t *key = &conn->endpoint->key;
    conn_rec *c;
    int rc;

    if (socket_make(conn, io) != APR_SUCCESS) {
        *reason = "out of memory";
        return APR_ENOMEM;
    }
    c = ap_run_create_connection(io->pool, server_of(conn), io->sock, 0, NULL, io->ba);
    if (c == NULL) {
        *reason = "the connection was lost before the TLS handshake";
        return APR_ECONNRESET;
    }
    c->outgoing = 1;
    if (c->cs == NULL) {
        c->cs = apr_pcalloc(io->pool, sizeof(*c->cs)); /* mod_ssl writes to it without looking */
    }
    /* For SNI and the check of the certificate's name. mod_ssl itself keeps addresses out of SNI,
     * but does check them. */
    if (key->sni != NULL || key->host != NULL) {
        apr_table_setn(c->notes, "proxy-request-hostname", key->sni ? key->sni : key->host);
    }
    if (ap_ssl_bind_outgoing(c, conf_of(conn), 1) != OK) {
        *reason = "TLS to backends is not enabled there: write SSLProxyEngine On in the server, "
                  "virtual host or <Proxy> section of this destination, and load mod_ssl";
        return APR_ENOTIMPL;
    }
    rc = ap_run_pre_connection(c, io->sock);
    if (rc != OK && rc != DONE) {
        *reason = "a module refused the connection to the backend (pre_connection)";
        return APR_EGENERAL;
    }
    (void)ap_add_input_filter_handle(in_handle, io, NULL, c);
    (void)ap_add_output_filter_handle(out_handle, io, NULL, c);
    io->c = c;
    return APR_SUCCESS;
}

static const char *why_failed(const tls_io_t *io)
{
    if (io->timed_out) {
        return "the TLS handshake took too long";
    }
    if (io->net_eof) {
        return "the backend closed the connection during the TLS handshake";
    }
    if (io->net_error != APR_SUCCESS) {
        return "the connection broke during the TLS handshake";
    }
    return "TLS handshake failed, or the certificate was refused (SSLProxyVerify, "
           "SSLProxyCheckPeerName, SSLProxyCheckPeerExpire); "
           "LogLevel ssl:info says which";
}

static apr_status_t tls_handshake(rp_conn_t *conn, apr_interval_time_t timeout_us,
                                  const char **reason)
{
    tls_io_t *io = io_create(conn);
    apr_status_t rv;

    *reason = NULL;
    if (io == NULL) {
        *reason = "out of memory";
        return APR_ENOMEM;
    }
    conn->io = io;
    conn->ops = &tls_ops;
    rv = conn_rec_make(conn, io, reason);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    io->deadline_us = rp_clock_now_us() + timeout_us;
    io->handshaking = 1;
    rv = ap_get_brigade(io->c->input_filters, io->in, AP_MODE_INIT, APR_BLOCK_READ, 0);
    io->handshaking = 0;
    apr_brigade_cleanup(io->in);
    if (rv == APR_SUCCESS && !io->c->aborted && io->net_error == APR_SUCCESS) {
        io->up = 1;
        io->more = 1;
        conn->state = RP_CONN_READY;
        return APR_SUCCESS;
    }
    *reason = why_failed(io);
    return io->timed_out ? APR_TIMEUP : rv != APR_SUCCESS ? rv : APR_EGENERAL;
}

static const rp_tls_provider_t provider = {tls_handshake, tls_rebind};

void rp_conn_tls_register_filters(void)
{
    in_handle = ap_register_input_filter("RPROXY_TLS_NET_IN", net_in, NULL, AP_FTYPE_NETWORK - 1);
    out_handle =
        ap_register_output_filter("RPROXY_TLS_NET_OUT", net_out, NULL, AP_FTYPE_NETWORK - 1);
    rp_conn_set_tls_provider(&provider);
}
