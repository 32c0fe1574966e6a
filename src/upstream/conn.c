/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to a backend over a plain socket: create, connect without waiting, read, write,
 * check, close. */
#include "upstream/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <apr_strings.h>

#include "upstream/clock.h"
#include "upstream/endpoint.h"
#include "upstream/socket_io.h"
#include "upstream/worker.h"

/* Descriptors that backend connections leave to others: an eighth of what a process may have, at most 64. */
#define DESCRIPTORS_SHARE 8
#define DESCRIPTORS_KEPT 64

static const rp_tls_provider_t *tls_provider;

void rp_conn_set_tls_provider(const rp_tls_provider_t *p) { tls_provider = p; }
const rp_tls_provider_t *rp_conn_tls_provider(void) { return tls_provider; }

const char *rp_conn_state_str(rp_conn_state_e s)
{
    static const char *const names[] = {"new",   "connecting", "connected",
                                        "ready", "idle",       "closed"};

    return (unsigned)s < sizeof(names) / sizeof(names[0]) ? names[s] : "unknown";
}

int rp_conn_fd(const rp_conn_t *conn) { return conn == NULL ? -1 : conn->fd; }

rp_conn_t *rp_conn_create(struct rp_endpoint_t *ep, struct rp_worker_t *w)
{
    rp_conn_t *conn = calloc(1, sizeof(*conn));

    if (conn == NULL) {
        return NULL;
    }
    APR_RING_ELEM_INIT(conn, link);
    conn->endpoint = ep;
    conn->worker = w;
    conn->is_tls = ep != NULL && ep->key.is_tls;
    conn->ops = &rp_conn_plain_ops;
    conn->state = RP_CONN_NEW;
    conn->fd = -1;
    conn->peer_keepalive_s = -1;
    return conn;
}

static void close_socket(rp_conn_t *conn)
{
    if (conn->unwatch != NULL) {
        conn->unwatch(conn);
    }
    conn->ops->close(conn);
}

void rp_conn_destroy(rp_conn_t *conn)
{
    if (conn == NULL) {
        return;
    }
    close_socket(conn);
    free(conn);
}

/* ---- connect ---- */

static void copy_addr(rp_conn_t *conn, const apr_sockaddr_t *addr)
{
    apr_sockaddr_t *copy = &conn->addr_own;

    *copy = *addr;
    copy->pool = NULL;
    copy->hostname = NULL; /* the name lives with its endpoint, the path of a unix socket in sa */
    copy->servname = NULL;
    copy->next = NULL;
    if (addr->ipaddr_ptr != NULL) { /* points into the structure itself */
        copy->ipaddr_ptr = (char *)copy + ((const char *)addr->ipaddr_ptr - (const char *)addr);
    }
    conn->addr = copy;
}

static void print_addr(rp_conn_t *conn)
{
    char ip[INET6_ADDRSTRLEN + 1];

    if (conn->addr->family == APR_UNIX) {
        apr_snprintf(conn->addr_str, sizeof(conn->addr_str), "unix:%s", conn->addr->sa.unx.sun_path);
    }
    else if (apr_sockaddr_ip_getbuf(ip, sizeof(ip), conn->addr) != APR_SUCCESS) {
        apr_cpystrn(conn->addr_str, "unprintable", sizeof(conn->addr_str));
    }
    else {
        apr_snprintf(conn->addr_str, sizeof(conn->addr_str), strchr(ip, ':') ? "[%s]:%d" : "%s:%d",
                     ip, (int)conn->addr->port);
    }
}

/* The source address the administrator asked for. A failure is left to the system: the connection
 * is tried anyway. */
static void bind_source(rp_conn_t *conn)
{
    apr_sockaddr_t *src = conn->endpoint ? conn->endpoint->source_addr : NULL;
    int on = 1;

    if (src == NULL || src->family != conn->addr->family) {
        return;
    }
#ifdef IP_BIND_ADDRESS_NO_PORT
    /* The port is chosen by connect, per destination: otherwise 28000 connections in all would be
     * the limit. */
    (void)setsockopt(conn->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
#endif
    (void)setsockopt(conn->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    (void)bind(conn->fd, (const struct sockaddr *)&src->sa, src->salen);
}

static void set_options(rp_conn_t *conn)
{
    const rp_worker_params_t *p = conn->worker ? &conn->worker->params : NULL;
    int on = 1;

    if (conn->addr->family != APR_UNIX) {
        (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (p != NULL && p->keepalive == RP_ON) {
            (void)setsockopt(conn->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        }
    }
    if (p != NULL && p->receivebuffersize > 0) {
        int size = (int)p->receivebuffersize;

        (void)setsockopt(conn->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    }
}

/* Backend connections leave some descriptors to others, files and clients: a new one has the lowest number that is free, so from this
 * one on they are scarce. The limit is that of the process' start. */
static int most_descriptors(void)
{
    static int most; /* atomic; 0: not known yet */
    int n = __atomic_load_n(&most, __ATOMIC_RELAXED);
    struct rlimit limit;

    if (n == 0) {
        n = INT_MAX;
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < INT_MAX) {
            rlim_t kept = limit.rlim_cur / DESCRIPTORS_SHARE;

            n = (int)(limit.rlim_cur - (kept < DESCRIPTORS_KEPT ? kept : DESCRIPTORS_KEPT));
        }
        __atomic_store_n(&most, n, __ATOMIC_RELAXED);
    }
    return n;
}

static apr_status_t open_socket(rp_conn_t *conn)
{
    int protocol = conn->addr->family == APR_UNIX ? 0 : IPPROTO_TCP;

    conn->fd = socket(conn->addr->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    if (conn->fd < 0) {
        return errno;
    }
    if (conn->fd >= most_descriptors()) {
        return EMFILE;
    }
    set_options(conn);
    bind_source(conn);
    return APR_SUCCESS;
}

static void note_local_port(rp_conn_t *conn)
{
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } local = {.in6 = {.sin6_family = AF_UNSPEC}};
    socklen_t len = sizeof(local);

    if (conn->addr->family == APR_UNIX || getsockname(conn->fd, &local.sa, &len) < 0) {
        return;
    }
    conn->local_port =
        ntohs(local.sa.sa_family == AF_INET6 ? local.in6.sin6_port : local.in.sin_port);
}

static void connected(rp_conn_t *conn)
{
    conn->state = conn->is_tls ? RP_CONN_CONNECTED : RP_CONN_READY;
    note_local_port(conn);
    if (conn->worker != NULL) {
        (void)__atomic_add_fetch(&conn->worker->stat->opened, 1, __ATOMIC_RELAXED);
    }
}

apr_status_t rp_conn_connect_start(rp_conn_t *conn, apr_sockaddr_t *addr, apr_time_t now_us)
{
    apr_status_t rv;

    copy_addr(conn, addr);
    print_addr(conn);
    conn->opened_us = now_us;
    rv = open_socket(conn);
    if (rv == APR_SUCCESS) {
        rv = connect(conn->fd, (const struct sockaddr *)&conn->addr->sa, conn->addr->salen) < 0
                 ? errno
                 : APR_SUCCESS;
        rv = rv == EINTR ? EINPROGRESS : rv; /* it goes on nevertheless */
    }
    if (rv == APR_SUCCESS) {
        connected(conn);
        return APR_SUCCESS;
    }
    if (APR_STATUS_IS_EINPROGRESS(rv)) {
        conn->state = RP_CONN_CONNECTING;
        return APR_EINPROGRESS;
    }
    if (APR_STATUS_IS_EAGAIN(rv) && conn->addr->family == APR_UNIX) {
        rv = APR_ECONNREFUSED; /* its listen queue is full; there is nothing to wait for */
    }
    rp_conn_reset(conn);
    return rv;
}

apr_status_t rp_conn_connect_finish(rp_conn_t *conn)
{
    struct pollfd pfd = {.fd = conn->fd, .events = POLLOUT};
    int err = 0;
    socklen_t len = sizeof(err);

    if (conn->state != RP_CONN_CONNECTING) {
        return APR_EINVAL;
    }
    if (poll(&pfd, 1, 0) == 0) {
        return APR_EINPROGRESS; /* SO_ERROR says 0 while the answer is still out */
    }
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0) {
        return errno;
    }
    if (err != 0) {
        return err;
    }
    connected(conn);
    return APR_SUCCESS;
}

void rp_conn_reset(rp_conn_t *conn)
{
    close_socket(conn);
    conn->ops = &rp_conn_plain_ops;
    conn->io = NULL;
    conn->state = RP_CONN_NEW;
    conn->local_port = 0;
    conn->read_wait_us = 0;
    conn->wait_in_read = 0;
}

/* ---- plain operations ---- */

static apr_status_t plain_recv(rp_conn_t *conn, char *buf, apr_size_t *len)
{
    int flags = conn->wait_in_read ? 0 : MSG_DONTWAIT;
    ssize_t n;

    conn->wait_in_read = 0;
    do {
        n = rp_socket_recv(conn->fd, buf, *len, flags);
    } while (n < 0 && errno == EINTR);
    if (flags == 0) {
        int err = errno;
        conn->read_at_us = rp_clock_now_us();
        errno = err;
    }
    if (n > 0) {
        *len = (apr_size_t)n;
        return APR_SUCCESS;
    }
    *len = 0;
    if (n == 0) {
        return APR_EOF;
    }
    return errno == EWOULDBLOCK ? APR_EAGAIN : errno;
}

int rp_conn_wait_in_read(rp_conn_t *conn, apr_interval_time_t timeout_us)
{
    if (conn->ops != &rp_conn_plain_ops || conn->fd < 0 || timeout_us <= 0) {
        return 0; /* to the kernel, no time would be all the time */
    }
    if (conn->read_wait_us != timeout_us) {
        struct timeval tv = {(time_t)(timeout_us / 1000000), (suseconds_t)(timeout_us % 1000000)};
        int fl = conn->read_wait_us == 0 ? fcntl(conn->fd, F_GETFL) : 0;

        if (setsockopt(conn->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0
            || (conn->read_wait_us == 0
                && (fl < 0 || fcntl(conn->fd, F_SETFL, fl & ~O_NONBLOCK) < 0))) {
            return 0;
        }
        conn->read_wait_us = timeout_us;
    }
    conn->wait_in_read = 1;
    return 1;
}

/* A head alone, as most requests are, is one piece: the kernel then has no vector and no message header to fetch. */
static ssize_t send_pieces(int fd, const struct iovec *vec, int nvec)
{
    struct msghdr msg;

    if (nvec == 1) {
        return rp_socket_send(fd, vec->iov_base, vec->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    memset(&msg, 0, sizeof(msg));
    msg.msg_iov = (struct iovec *)vec;
    msg.msg_iovlen = (size_t)(nvec > IOV_MAX ? IOV_MAX : nvec);
    return sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static apr_status_t plain_sendv(rp_conn_t *conn, const struct iovec *vec, int nvec,
                                apr_size_t *sent)
{
    ssize_t n;

    *sent = 0;
    do {
        n = send_pieces(conn->fd, vec, nvec);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return errno == EWOULDBLOCK ? APR_EAGAIN : errno;
    }
    *sent = (apr_size_t)n;
    return APR_SUCCESS;
}

static apr_status_t plain_flush(rp_conn_t *conn)
{
    (void)conn;
    return APR_SUCCESS;
}

static apr_status_t plain_shutdown_write(rp_conn_t *conn)
{
    return shutdown(conn->fd, SHUT_WR) < 0 ? errno : APR_SUCCESS;
}

static int plain_buffered(rp_conn_t *conn)
{
    (void)conn;
    return 0;
}

static void plain_close(rp_conn_t *conn)
{
    if (conn->fd >= 0) {
        (void)close(conn->fd);
    }
    conn->fd = -1;
    conn->state = RP_CONN_CLOSED;
}

const rp_conn_ops_t rp_conn_plain_ops = {
    plain_recv, plain_sendv, plain_flush, plain_shutdown_write, plain_buffered, plain_close,
};

/* Bytes on the wire need not be data (a session ticket, the goodbye): ask for decrypted ones. */
static int tls_reuse_check(rp_conn_t *conn)
{
    char byte;
    apr_size_t len = 1;
    apr_status_t rv = conn->ops->recv(conn, &byte, &len);

    if (APR_STATUS_IS_EAGAIN(rv)) {
        return RP_REFUSE_NONE;
    }
    return rv == APR_SUCCESS ? RP_REFUSE_EXTRA_BYTES : RP_REFUSE_PEER_CLOSED;
}

/* Nothing came, no end and no error either: poll() needs no lock of the socket to say so, and takes a fifth less time than a read. */
static int is_quiet(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) == 0;
}

int rp_conn_reuse_check(rp_conn_t *conn)
{
    char byte;
    ssize_t n;

    if (conn->fd < 0) {
        return RP_REFUSE_PEER_CLOSED;
    }
    if (conn->is_tls) {
        return tls_reuse_check(conn);
    }
    if (is_quiet(conn->fd)) {
        return RP_REFUSE_NONE;
    }
    do {
        n = rp_socket_recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        return RP_REFUSE_EXTRA_BYTES;
    }
    if (n == 0 || errno == ECONNRESET) {
        return RP_REFUSE_PEER_CLOSED;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK ? RP_REFUSE_NONE : RP_REFUSE_ERROR;
}
