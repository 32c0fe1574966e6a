/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file endpoint.h
 * An endpoint: scheme class (plain or TLS), host, port or socket path, SNI name, the SSLProxy
 * configuration it was bound with, source address. It owns the idle connections. rp_endpoints_t is
 * the owner: all endpoints of one child (later: of one loop), behind a mutex; connections never
 * change owner.
 */
#ifndef RP_UPSTREAM_ENDPOINT_H
#define RP_UPSTREAM_ENDPOINT_H

#include "upstream/address.h"
#include "upstream/conn.h"
#include "upstream/dial.h"
#include "upstream/worker.h"

#define RP_UNCONFIGURED_MAX_DEFAULT 256 /**< endpoints outside the configuration, per owner */
#define RP_IDLE_MAX 4096                /**< idle connections of one endpoint, in any case */
#define RP_LEARN_MIN_US 1000000         /**< a close after less idle time teaches nothing */
#define RP_LEARN_FOR_US 300000000       /**< what a close taught is believed for 5 minutes */

/** Why a connection was not kept or not used again. Append only: counters and logs show it. */
typedef enum rp_refuse_e {
    RP_REFUSE_NONE = 0,    /**< kept / usable */
    RP_REFUSE_PEER_CLOSED, /**< closed by the backend while idle */
    RP_REFUSE_EXTRA_BYTES, /**< bytes behind the response or while idle */
    RP_REFUSE_SHORT_BODY,  /**< the response or the request body was not finished */
    RP_REFUSE_CLOSE_ASKED, /**< Connection: close, HTTP/1.0, or framing until close */
    RP_REFUSE_TUNNEL,      /**< was upgraded */
    RP_REFUSE_ERROR,       /**< the exchange failed */
    RP_REFUSE_DISABLED,    /**< disablereuse, proxy-nokeepalive, or it may not be pooled */
    RP_REFUSE_TTL,         /**< idle longer than ttl or than the backend said it waits */
    RP_REFUSE_IDLE_LIMIT,  /**< more idle ones than smax / max bear */
    RP_REFUSE_PINNED,      /**< carried NTLM or Negotiate of another client connection */
    RP_REFUSE_EVICTED,     /**< its endpoint was the least recently used, or its place was needed */
    RP_REFUSE_SHUTDOWN,    /**< the child ends */
    RP_REFUSE_ADDRESS,     /**< addressttl: its address is not known to be the name's any more */
    RP_REFUSE_COUNT
} rp_refuse_e;
/** Stable name for logs and counters ("peer-closed"); never NULL. */
const char *rp_refuse_str(rp_refuse_e r);

/** What identifies an endpoint. Borrowed while the call lasts. */
typedef struct rp_endpoint_key_t {
    int is_tls;
    const char *host;       /**< lower case */
    int port;
    const char *uds;        /**< or NULL */
    const char *sni;        /**< TLS: name for SNI and the peer check, or NULL */
    const void *ssl_conf;   /**< TLS: ap_conf_vector_t * with SSLProxy*, outlives the owner */
    const void *ssl_server; /**< TLS: server_rec * whose log applies. NULL: the main server */
    const char *source;     /**< local address to bind to, or NULL */
} rp_endpoint_key_t;

typedef struct rp_endpoints_t rp_endpoints_t;

typedef struct rp_endpoint_t {
    rp_endpoint_key_t key;          /**< own copies */
    rp_endpoints_t *owner;
    rp_address_t address;           /**< resolved addresses */
    apr_sockaddr_t *source_addr;    /**< or NULL */
    int configured;                 /**< never evicted */
    struct {
        apr_thread_mutex_t *mutex;
        APR_RING_HEAD(rp_conn_ring_t, rp_conn_t) idle; /**< most recently used first */
        int nidle;
        apr_time_t learned_idle_us; /**< shortest idle time after which it had closed, or 0 */
        apr_time_t learned_at_us;   /**< monotonic */
    } shared;
    apr_uint32_t users;             /**< atomic: who holds it; not evicted while > 0 */
    apr_time_t used_us;             /**< last taken; guarded by the owner's mutex */
    APR_RING_ENTRY(rp_endpoint_t) lru; /**< guarded by the owner's mutex */
    rp_dial_group_t dial;           /**< its name look-ups and handshakes on helpers */
    const void *id;                 /**< the key as bytes, of the owner's table */
    apr_size_t id_len;
    apr_pool_t *pool;               /**< own; goes with the endpoint */
} rp_endpoint_t;

/** Make an owner; pool: the child's. unconfigured_max: how many endpoints outside the configuration
 * are kept. */
apr_status_t rp_endpoints_create(rp_endpoints_t **out, apr_pool_t *pool,
                                 int unconfigured_max) RP_WARN_UNUSED;
/** Called with an idle connection that another thread has taken out of the owner's lists; its socket is shut down. The
 * owner's thread MUST call rp_pool_disposed for it, soon. Any thread; MUST NOT call back. */
typedef void (*rp_dispose_fn)(rp_conn_t *conn);
/** Before the first connection: watched connections of this owner are closed by its own thread alone. */
void rp_endpoints_dispose_by(rp_endpoints_t *eps, rp_dispose_fn fn);
/** Free a connection given to rp_dispose_fn. */
void rp_pool_disposed(rp_conn_t *conn);
/** Close all idle connections (child's end). Runs as a cleanup of the pool too. */
void rp_endpoints_shutdown(rp_endpoints_t *eps);

/** Find or make. The result is held (users + 1) until rp_endpoint_release. Thread-safe. May evict
 * another one. configured: 1 when the destination is in the configuration; an endpoint whose SNI
 * name is not its host (so a client may have chosen it) counts as unconfigured all the same.
 * @return APR_SUCCESS, APR_ENAMETOOLONG (key over 2048 bytes), or what rp_address_init says */
apr_status_t rp_endpoint_get(rp_endpoints_t *eps, const rp_endpoint_key_t *key, int configured,
                             apr_time_t now_us, rp_endpoint_t **out) RP_WARN_UNUSED;
/** Hold an endpoint that is known already and configured, or held by the caller already (a worker's
 * cached one). */
void rp_endpoint_hold(rp_endpoint_t *ep);
/** Undo one rp_endpoint_get or rp_endpoint_hold. NULL is fine. */
void rp_endpoint_release(rp_endpoint_t *ep);

/** Number of endpoints; of those outside the configuration. For status pages and tests.
 * Thread-safe. */
int rp_endpoints_count(rp_endpoints_t *eps, int *unconfigured);

/** Flags of rp_pool_take. */
#define RP_TAKE_FRESH 1   /**< do not take an idle connection */
#define RP_TAKE_GRANTED 2 /**< the caller owns a permit of w (rp_permit_acquire): it is ours now */

#define RP_TAKE_WATCHED 4 /**< an idle connection that a loop watches is good while nothing was heard of it: spares the check's system
                               call where a request may go again */

/**
 * Take a connection for one exchange of w: the most recently used idle one that passes the check,
 * else a new object (RP_CONN_NEW) with a permit of w. A taken idle connection opened for another
 * worker is counted for w from then on. When w has `max` connections already, one of its idle ones
 * elsewhere is closed first. The connection holds the endpoint until rp_pool_put.
 * @param pinned_to  client connection that asks (for NTLM): gets its own pinned connection first;
 * never one pinned to another
 * @param flags      RP_TAKE_* (1 alone: a fresh one)
 * @return APR_SUCCESS, APR_EAGAIN (all permits in use, or others wait already:
 * rp_permit_acquire), or an error
 */
apr_status_t rp_pool_take(rp_endpoint_t *ep, rp_worker_t *w, void *pinned_to, int flags,
                          apr_time_t now_us, rp_conn_t **out) RP_WARN_UNUSED;

/**
 * Give a connection back. why == RP_REFUSE_NONE: keep it when the rules allow (state READY, ttl,
 * smax, max); anything else: close it, count it under why. Releases the permit when closed. conn is
 * not the caller's any more.
 * @return what was decided
 */
rp_refuse_e rp_pool_put(rp_conn_t *conn, rp_refuse_e why, apr_time_t now_us);

/** Close idle connections beyond their ttl and those that the backend closed. rp_pool_put calls it,
 * and where nothing is put back for long, a thread (caretaker.h). At most once a second per owner it does work.
 * Thread-safe. */
void rp_pool_maintain(rp_endpoints_t *eps, apr_time_t now_us);

/** Something was heard of an idle connection: close it unless it is still good. Thread-safe; nothing
 * happens when it is not idle any more. */
void rp_pool_look(rp_conn_t *conn, apr_time_t now_us);

/** Descriptors are scarce: close one idle connection of the owner, whoever's. 1, or 0: there is none. On a thread that may use the owner. */
int rp_pool_free_one(rp_endpoints_t *eps);

/** Close the connections pinned to a client connection that ends. */
void rp_pool_unpin(rp_endpoints_t *eps, void *pinned_to);

/** 1 when an idle connection may still be trusted: younger than ttl, than the backend's Keep-Alive
 * hint (less a second, or less half of it when it is short), and than the idle time after which
 * this backend was seen to close. *why says which rule failed. The caller holds the endpoint's
 * mutex or owns the connection. */
int rp_conn_fresh_enough(const rp_conn_t *conn, const rp_worker_t *w, apr_time_t now_us,
                         rp_refuse_e *why);

#endif
