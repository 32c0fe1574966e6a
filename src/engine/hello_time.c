/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS handshakes whose time is limited. Their connections wait in the MPM, which knows one time-out for all of them and begins it anew with each
 * byte, and any of its threads may close them: so the watch has a descriptor of its own for the socket. When the time is over the socket is shut
 * down, which the MPM hears of; mod_ssl sees the end of the client's bytes and everything goes its usual way.
 */
#include "engine/hello_time.h"

#include <apr_portable.h>
#include <fcntl.h>
#include <http_core.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "upstream/clock.h"

#define KEY "rp_hello" /* of the connection's pool */

/** In the connection's pool. */
typedef struct hello_t {
    APR_RING_ENTRY(hello_t) link;
    int fd;                      /**< our own of the client's socket; -1: out of the ring */
    apr_time_t began_us, due_us; /**< due: when to look */
    const rp_head_time_t *limit;
    const char *client;          /**< its address */
} hello_t;

APR_RING_HEAD(hello_ring_t, hello_t);

/** Those of this child. */
static struct {
    pthread_mutex_t mutex; /* for what follows, and for the hellos in the ring */
    struct hello_ring_t ring;
} watched = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static hello_t *hello_of(const conn_rec *c)
{
    void *h = NULL;

    (void)apr_pool_userdata_get(&h, KEY, c->pool);
    return h;
}

static void take_out_locked(hello_t *h)
{
    if (h->fd >= 0) {
        APR_RING_REMOVE(h, link);
        (void)close(h->fd);
        h->fd = -1;
    }
}

static apr_status_t forget(void *data)
{
    (void)pthread_mutex_lock(&watched.mutex);
    take_out_locked(data);
    (void)pthread_mutex_unlock(&watched.mutex);
    return APR_SUCCESS;
}

static void put_in(hello_t *h)
{
    (void)pthread_mutex_lock(&watched.mutex);
    if (APR_RING_FIRST(&watched.ring) == NULL) { /* all zero */
        APR_RING_INIT(&watched.ring, hello_t, link);
    }
    APR_RING_ELEM_INIT(h, link);
    APR_RING_INSERT_TAIL(&watched.ring, h, hello_t, link);
    (void)pthread_mutex_unlock(&watched.mutex);
}

/* -1: none. */
static int own_descriptor(conn_rec *c)
{
    apr_socket_t *sock = ap_get_conn_socket(c);
    apr_os_sock_t fd;

    return sock != NULL && apr_os_sock_get(&fd, sock) == APR_SUCCESS ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
}

void rp_hello_wait(conn_rec *c)
{
    const rp_head_time_t *limit = rp_head_time_handshake(c->base_server);
    hello_t *h;

    if (limit->first_us == 0 || hello_of(c) != NULL) {
        return;
    }
    h = apr_pcalloc(c->pool, sizeof(*h));
    h->fd = own_descriptor(c);
    if (h->fd < 0) { /* no descriptors are left: the MPM ends this child for that */
        return;
    }
    h->limit = limit;
    h->client = c->client_ip;
    h->began_us = rp_clock_now_us();
    h->due_us = h->began_us + limit->first_us;
    put_in(h);
    apr_pool_cleanup_register(c->pool, h, forget, apr_pool_cleanup_null); /* a forked child has nothing to do with it */
    (void)apr_pool_userdata_setn(h, KEY, NULL, c->pool);
}

void rp_hello_over(conn_rec *c)
{
    hello_t *h = hello_of(c);

    if (h != NULL) {
        (void)forget(h); /* it stays known: a handshake is awaited once */
    }
}

/* Bytes that came from the client so far, as the system counts them. */
static apr_size_t received(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 ? (apr_size_t)info.tcpi_bytes_received : 0;
}

static void look_locked(server_rec *s, hello_t *h, apr_time_t now_us)
{
    h->due_us = h->began_us + rp_head_time_for(h->limit, received(h->fd));
    if (h->due_us > now_us) {
        return; /* its bytes have bought time */
    }
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, s, "RP0361: the TLS handshake of client %s took longer than RequestReadTimeout handshake= allows: it is closed",
                 h->client);
    (void)shutdown(h->fd, SHUT_RDWR);
    take_out_locked(h);
}

void rp_hello_expire(server_rec *s, apr_time_t now_us)
{
    hello_t *h, *next;

    (void)pthread_mutex_lock(&watched.mutex);
    h = APR_RING_FIRST(&watched.ring);
    while (h != NULL && h != APR_RING_SENTINEL(&watched.ring, hello_t, link)) {
        next = APR_RING_NEXT(h, link);
        if (h->due_us <= now_us) {
            look_locked(s, h, now_us);
        }
        h = next;
    }
    (void)pthread_mutex_unlock(&watched.mutex);
}
