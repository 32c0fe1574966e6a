/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes in and out of one connection, plain or TLS. Only this file knows the difference. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef RP_BACKEND_LIBSSL
#include <openssl/ssl.h>
#endif

#include "be_int.h"

#ifdef RP_BACKEND_LIBSSL

int be_tls_setup(rp_backend_t *be, const rp_backend_opts_t *opts)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL) {
        return ENOMEM;
    }
    be->tls_ctx = ctx;
    if (SSL_CTX_use_certificate_chain_file(ctx, opts->tls_cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, opts->tls_key, SSL_FILETYPE_PEM) != 1) {
        return ENOENT;
    }
    if (opts->tls_ca) {
        if (SSL_CTX_load_verify_locations(ctx, opts->tls_ca, NULL) != 1) {
            return ENOENT;
        }
        SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(opts->tls_ca));
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    return 0;
}

void be_tls_free(rp_backend_t *be)
{
    SSL_CTX_free(be->tls_ctx);
    be->tls_ctx = NULL;
}

static void tls_note_peer(be_conn_t *c)
{
    const char *sni = SSL_get_servername(c->tls, TLSEXT_NAMETYPE_host_name);
    X509 *cert = SSL_get1_peer_certificate(c->tls);
    if (sni) {
        strncpy(c->sni, sni, sizeof(c->sni) - 1);
    }
    if (cert) {
        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, c->peer_cn,
                                  sizeof(c->peer_cn));
        X509_free(cert);
    }
}

int be_tls_accept(be_conn_t *c)
{
    SSL *ssl;
    if (!c->is_tls || c->tls) {
        return 0;
    }
    ssl = SSL_new(c->be->tls_ctx);
    if (ssl == NULL || SSL_set_fd(ssl, c->fd) != 1 || SSL_accept(ssl) != 1) {
        SSL_free(ssl);
        return -1;
    }
    c->tls = ssl;
    tls_note_peer(c);
    return 0;
}

static ssize_t tls_read(be_conn_t *c, void *buf, size_t n)
{
    int got = SSL_read(c->tls, buf, (int)n);
    if (got > 0) {
        return got;
    }
    return SSL_get_error(c->tls, got) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static ssize_t tls_write(be_conn_t *c, const void *buf, size_t n)
{
    return SSL_write(c->tls, buf, n > 16384 ? 16384 : (int)n);
}

static void tls_end(be_conn_t *c)
{
    (void)SSL_shutdown(c->tls);
}

static void tls_free(be_conn_t *c)
{
    SSL_free(c->tls);
    c->tls = NULL;
}

static int tls_pending(be_conn_t *c)
{
    return SSL_pending(c->tls) > 0;
}

#else

int be_tls_setup(rp_backend_t *be, const rp_backend_opts_t *opts)
{
    (void)be;
    (void)opts;
    return ENOTSUP;
}

void be_tls_free(rp_backend_t *be)
{
    (void)be;
}

int be_tls_accept(be_conn_t *c)
{
    return c->is_tls ? -1 : 0;
}

static ssize_t tls_read(be_conn_t *c, void *buf, size_t n)
{
    (void)c;
    (void)buf;
    (void)n;
    return -1;
}

static ssize_t tls_write(be_conn_t *c, const void *buf, size_t n)
{
    (void)c;
    (void)buf;
    (void)n;
    return -1;
}

static void tls_end(be_conn_t *c)
{
    (void)c;
}

static void tls_free(be_conn_t *c)
{
    (void)c;
}

static int tls_pending(be_conn_t *c)
{
    (void)c;
    return 0;
}

#endif

void be_conn_state(be_conn_t *c, be_state_e state)
{
    rp_backend_t *be = c->be;
    be_lock(be);
    be->shared.idle += (unsigned)(state == BE_CONN_IDLE) - (unsigned)(c->state == BE_CONN_IDLE);
    be->shared.busy += (unsigned)(state == BE_CONN_BUSY) - (unsigned)(c->state == BE_CONN_BUSY);
    if (be->shared.busy > be->shared.max_busy) {
        be->shared.max_busy = be->shared.busy;
    }
    c->state = state;
    be_unlock(be);
}

static void note_raw(be_conn_t *c, const char *p, size_t n)
{
    be_raw_t *raw;
    be_lock(c->be);
    for (raw = c->be->shared.raw; raw; raw = raw->next) {
        if (raw->conn == c->ordinal) {
            if (raw->bytes.len < BE_RAW_MAX) {
                size_t room = BE_RAW_MAX - raw->bytes.len;
                be_str_add(&raw->bytes, p, n < room ? n : room);
            }
            break;
        }
    }
    be_unlock(c->be);
}

int be_fill(be_conn_t *c)
{
    ssize_t n;
    if (c->pos < c->end) {
        return 1;
    }
    do {
        n = c->tls ? tls_read(c, c->in, BE_INBUF) : recv(c->fd, c->in, BE_INBUF, 0);
    } while (n < 0 && errno == EINTR && !c->tls);
    c->pos = 0;
    c->end = n > 0 ? (size_t)n : 0;
    if (n > 0) {
        note_raw(c, c->in, (size_t)n);
        __atomic_fetch_add(&c->be->shared.bytes_in, (unsigned)n, __ATOMIC_RELAXED);
    }
    return n > 0 ? 1 : (int)n;
}

ssize_t be_read(be_conn_t *c, void *buf, size_t n)
{
    int rc = be_fill(c);
    if (rc <= 0) {
        return rc;
    }
    if (n > c->end - c->pos) {
        n = c->end - c->pos;
    }
    memcpy(buf, c->in + c->pos, n);
    c->pos += n;
    return (ssize_t)n;
}

int be_getc(be_conn_t *c)
{
    return be_fill(c) == 1 ? (unsigned char)c->in[c->pos++] : -1;
}

int be_write(be_conn_t *c, const void *buf, size_t n)
{
    const char *p = buf;
    while (n && !c->write_failed) {
        ssize_t put = c->tls ? tls_write(c, p, n) : send(c->fd, p, n, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR && !c->tls) {
            continue;
        }
        if (put <= 0) {
            c->write_failed = 1;
            break;
        }
        p += put;
        n -= (size_t)put;
        __atomic_fetch_add(&c->be->shared.bytes_out, (unsigned)put, __ATOMIC_RELAXED);
    }
    return c->write_failed ? -1 : 0;
}

/* Until the peer's kernel has all we wrote, so that the next byte is a segment of its own. A pace,
 * not a synchronisation: when it takes too long we go on. */
static void wait_sent(be_conn_t *c)
{
    struct pollfd none = {-1, 0, 0};
    int left = 1, i;
    for (i = 0; i < 50; i++) {
        (void)poll(&none, 1, 1);
        if (ioctl(c->fd, TIOCOUTQ, &left) != 0 || left == 0) {
            break;
        }
    }
}

int be_write_slow(be_conn_t *c, const char *buf, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++) {
        if (be_write(c, buf + i, 1) != 0) {
            return -1;
        }
        wait_sent(c);
    }
    return 0;
}

void be_half_close(be_conn_t *c)
{
    if (c->tls) {
        tls_end(c);
    }
    (void)shutdown(c->fd, SHUT_WR);
}

void be_drain(be_conn_t *c)
{
    while (be_fill(c) == 1) {
        c->pos = c->end;
    }
}

int be_pending(be_conn_t *c)
{
    char ch;
    if (c->pos < c->end || (c->tls && tls_pending(c))) {
        return 1;
    }
    return recv(c->fd, &ch, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void be_conn_close(be_conn_t *c)
{
    int reset;
    be_lock(c->be);
    reset = c->reset;
    be_unlock(c->be);
    if (reset) {
        struct linger lin = {1, 0};
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &lin, sizeof(lin));
    }
    if (c->tls) {
        if (!reset) {
            tls_end(c);
        }
        tls_free(c);
    }
    (void)close(c->fd);
}
