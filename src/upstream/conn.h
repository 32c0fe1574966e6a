/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file conn.h
 * One connection to a backend: explicit state, non-blocking I/O, plain or TLS behind the same four
 * operations. A connection is used by one thread at a time; it never changes its endpoint.
 */
#ifndef RP_UPSTREAM_CONN_H
#define RP_UPSTREAM_CONN_H

#include <apr_network_io.h>
#include <apr_pools.h>
#include <apr_ring.h>
#include <sys/uio.h>

#include "wire/slice.h"

struct rp_endpoint_t;
struct rp_worker_t;

typedef enum rp_conn_state_e {
    RP_CONN_NEW = 0,     /**< has a permit, no socket */
    RP_CONN_CONNECTING,  /**< non-blocking connect under way */
    RP_CONN_CONNECTED,   /**< TCP is up; for TLS: handshake not done */
    RP_CONN_READY,       /**< a request may be sent */
    RP_CONN_IDLE,        /**< in its endpoint's list */
    RP_CONN_CLOSED       /**< socket gone; only rp_pool_put may touch it */
} rp_conn_state_e;
/** Lower-case name of a state; never NULL. */
const char *rp_conn_state_str(rp_conn_state_e s);

typedef struct rp_conn_t rp_conn_t;

/** What carries the bytes. Plain sockets, TLS and the unit tests' fakes implement it. None of them
 * ever waits. */
typedef struct rp_conn_ops_t {
    /** Read up to *len bytes. APR_SUCCESS (*len > 0), APR_EAGAIN, APR_EOF (orderly end), or an
     * error (reset ...). */
    apr_status_t (*recv)(rp_conn_t *conn, char *buf, apr_size_t *len);
    /** Write. *sent is what was handed to the socket or accepted for it (counts even with an error:
     * the resend rule needs it). APR_SUCCESS may be short; APR_EAGAIN: nothing taken. */
    apr_status_t (*sendv)(rp_conn_t *conn, const struct iovec *vec, int nvec, apr_size_t *sent);
    /** Bytes accepted by sendv that are not in the socket yet (TLS): push them. APR_SUCCESS when
     * none is left, APR_EAGAIN. */
    apr_status_t (*flush)(rp_conn_t *conn);
    /** Half-close: no more bytes from us. */
    apr_status_t (*shutdown_write)(rp_conn_t *conn);
    /** Bytes that recv would give although the socket may have none (decrypted already); 0 is
     * exact: wait for the socket. */
    int (*buffered)(rp_conn_t *conn);
    /** Say goodbye (close-notify) and close. Never waits. */
    void (*close)(rp_conn_t *conn);
} rp_conn_ops_t;

struct rp_conn_t {
    APR_RING_ENTRY(rp_conn_t) link;   /**< in the endpoint's idle list */
    rp_conn_state_e state;
    struct rp_endpoint_t *endpoint;
    struct rp_worker_t *worker;       /**< whose permit it holds */
    const rp_conn_ops_t *ops;
    void *io;                         /**< of ops */
    int fd;                           /**< the socket, or -1 */
    int is_tls;                       /**< CONNECTED is not READY yet: a handshake follows */
    apr_sockaddr_t *addr;             /**< address it is or was connected to: addr_own, or NULL */
    apr_sockaddr_t addr_own;
    char addr_str[64];                /**< printable, "ip:port" or "unix:/path" (cut) */
    int local_port;
    unsigned long requests;           /**< complete exchanges so far: 0 = fresh */
    apr_time_t opened_us;             /**< monotonic */
    apr_time_t idle_since_us;         /**< monotonic */
    int peer_keepalive_s;             /**< what its Keep-Alive: timeout= promised, or -1 */
    int unclean_eof;                  /**< TLS: no close-notify (RFC 9112 9.8: may be cut short) */
    apr_interval_time_t read_wait_us; /**< rp_conn_wait_in_read: SO_RCVTIMEO in force, 0 none yet */
    int wait_in_read;                 /**< the next read may wait */
    apr_time_t read_at_us; /**< when the last read that waited came back, monotonic; 0: none did */
    /** Of the loop that watches the socket, or NULL; unwatch is called just before the socket goes
     * and clears both. */
    void *watch;
    void (*unwatch)(rp_conn_t *conn);
    void *pinned_to;       /**< client connection it belongs to (NTLM, Negotiate), or NULL */
};

/** Make a connection object in state NEW, of malloc alone: it may be used on any thread, one at a
 * time, and costs no pool. ep and w are borrowed for its life and may be NULL in tests. NULL when
 * memory is missing. */
rp_conn_t *rp_conn_create(struct rp_endpoint_t *ep, struct rp_worker_t *w);
/** Close what is open and free it. No counters, no permits: that is the pool's business. */
void rp_conn_destroy(rp_conn_t *conn);

/**
 * Open the socket for addr and start a non-blocking connect (TCP_NODELAY; SO_KEEPALIVE, SO_RCVBUF
 * and the source address as the worker and endpoint say; AF_UNIX for unix:). The state is NEW
 * before; after APR_EINPROGRESS it is CONNECTING, after APR_SUCCESS CONNECTED (TLS) or READY,
 * otherwise NEW still (rp_conn_reset is harmless then). A source address that can not be bound is
 * left to the system, as administrators know it. A unix socket whose queue is full counts as
 * refused. EMFILE also while the last descriptors of the process are free still: files and clients need some. addr is copied.
 * @return APR_SUCCESS (connected), APR_EINPROGRESS (wait until writable, then
 * rp_conn_connect_finish), or the error
 */
apr_status_t rp_conn_connect_start(rp_conn_t *conn, apr_sockaddr_t *addr,
                                   apr_time_t now_us) RP_WARN_UNUSED;
/** After writability: the result of the connect. APR_SUCCESS moves to RP_CONN_CONNECTED (plain
 * endpoints: RP_CONN_READY); APR_EINPROGRESS when called too early; otherwise the error of the
 * connect. */
apr_status_t rp_conn_connect_finish(rp_conn_t *conn) RP_WARN_UNUSED;
/** Close the socket of a failed attempt; back to RP_CONN_NEW with the permit kept, to try the next
 * address. */
void rp_conn_reset(rp_conn_t *conn);

/** Wait-free check before reuse: RP_REFUSE_NONE, or why not (peer closed, unexpected bytes, error).
 * One system call for plain connections that are good. A TLS record that holds no data (session tickets) is eaten
 * and is no reason. */
int rp_conn_reuse_check(rp_conn_t *conn);

/**
 * Blocking driver only: let the next recv of a plain connection wait up to timeout_us for its first
 * byte, which saves the poll. What it returns after that time is APR_EAGAIN. The time goes to the
 * kernel only when it changes. @return 1, or 0 when this connection can not.
 */
int rp_conn_wait_in_read(rp_conn_t *conn, apr_interval_time_t timeout_us);

/** The socket's descriptor, or -1. */
int rp_conn_fd(const rp_conn_t *conn);

extern const rp_conn_ops_t rp_conn_plain_ops;

/** TLS: installed by the glue that knows mod_ssl (conn_tls.c). handshake blocks up to timeout_us
 * and may only be called by a driver, on a thread that may wait; conn is RP_CONN_CONNECTED before
 * and RP_CONN_READY after success. */
typedef struct rp_tls_provider_t {
    /** The configuration is the endpoint's key.ssl_conf (and key.ssl_server), which outlives the
     * connection. *reason: a constant. APR_ENOTIMPL: TLS to backends is not
     * switched on there; APR_TIMEUP; other: failed. After a failure only rp_pool_put (or
     * rp_conn_reset) may follow. */
    apr_status_t (*handshake)(rp_conn_t *conn, apr_interval_time_t timeout_us, const char **reason);
    /** Bind to another ap_conf_vector_t, which must outlive the use; NULL: back to the endpoint's.
     * Not needed for requests, since connections are bound to configuration that lives as long as
     * the process; rp_pool_put calls it with NULL. */
    void (*rebind)(rp_conn_t *conn, void *request_conf);
} rp_tls_provider_t;
/** Install the provider (once, before connections exist; p is static). Not thread-safe. */
void rp_conn_set_tls_provider(const rp_tls_provider_t *p);
/** The provider, or NULL when none was installed. */
const rp_tls_provider_t *rp_conn_tls_provider(void);

/** Glue, conn_tls.c: register the network filters and install the provider. Call from
 * register_hooks. */
void rp_conn_tls_register_filters(void);

#endif
