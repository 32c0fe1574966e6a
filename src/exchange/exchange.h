/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file exchange.h
 * One proxied exchange as a state machine that never waits: prefetch the request body, take a connection, resolve, connect, TLS,
 * transfer (send head and body, read head and body, both at the same time), tunnel. step() does what can be done
 * and says what it waits for; a driver does the waiting (driver_blocking.c, later the event loop). It holds no clock: `now_us` comes
 * in. It sees the client through rp_client_ops_t alone. One thread at a time.
 */
#ifndef RP_EXCHANGE_EXCHANGE_H
#define RP_EXCHANGE_EXCHANGE_H

#include <apr_buckets.h>

#include "exchange/attempt.h"
#include "upstream/buffer.h"
#include "wire/chunked.h"
#include "wire/framing.h"
#include "wire/headers.h"
#include "wire/h1_req.h"

#define RP_PREFETCH_MAX 16384     /**< request body gathered before a connection is taken, bytes */
#define RP_INTERIM_MAX 10         /**< the tenth interim response in a row ends the exchange */
#define RP_ATTEMPTS_MAX 16        /**< attempt records kept for one request */
#define RP_DISCARD_MAX 65536      /**< bytes of an unwanted body that are read to save the connection ... */
#define RP_DISCARD_US 2000000     /**< ... and how long, microseconds */

typedef struct rp_exchange_t rp_exchange_t;

/** What step() wants. Bits of rp_wait_t.mask. */
typedef enum rp_wait_e {
    RP_WAIT_BACKEND_READ = 0x01,
    RP_WAIT_BACKEND_WRITE = 0x02,
    RP_WAIT_CLIENT_READ = 0x04,
    RP_WAIT_CLIENT_WRITE = 0x08,
    RP_WAIT_POOL = 0x10,      /**< driver: a permit of the worker, then rp_exchange_permit_granted; or step() to look again */
    RP_WAIT_RESOLVE = 0x20,   /**< driver: look the endpoint's name up, then rp_exchange_resolved */
    RP_WAIT_TLS = 0x40        /**< driver: handshake on ex's connection, then rp_exchange_tls_done */
} rp_wait_e;

typedef struct rp_wait_t {
    unsigned mask;           /**< any of these ends the wait */
    apr_time_t deadline_us;  /**< monotonic; step() at or after it acts on the time-out */
    rp_reason_e on_timeout;
} rp_wait_t;

typedef enum rp_step_e {
    RP_STEP_WAIT = 0, /**< see rp_exchange_wait */
    RP_STEP_DONE,     /**< the client has its whole answer */
    RP_STEP_FAILED    /**< rp_exchange_reason; the client got nothing, or a visibly cut answer (head_sent) */
} rp_step_e;

/** What the client side does for the exchange. All calls come from step(), on its thread, and must not re-enter it. */
typedef struct rp_client_ops_t {
    /** Append up to max bytes of the request body to bb, without waiting. *eos = 1 behind the last byte.
     * APR_SUCCESS, APR_EAGAIN, or an error with *why set to one of the RP_FAIL_CLIENT_* reasons. */
    apr_status_t (*read_body)(void *ctx, apr_bucket_brigade *bb, apr_off_t max, int *eos, rp_reason_e *why);
    /** Put the bytes of bb where they take no memory (a temporary file) and leave buckets for them in bb; used for what exceeds
     * RP_PREFETCH_MAX when the whole body must be known first. */
    apr_status_t (*spool)(void *ctx, apr_bucket_brigade *bb, rp_reason_e *why);
    /** Write the request head for this framing; the bytes need not live longer than the call of step() that asked for them. */
    apr_status_t (*request_head)(void *ctx, rp_req_framing_e framing, apr_int64_t length, const char **head,
                                 apr_size_t *len);
    /* The next two and tunnel_start: APR_EINVAL when this response can not be passed on (the backend's fault), other errors: the client
     * is gone. */
    /** An interim response (not 101). May drop it. */
    apr_status_t (*interim)(void *ctx, const rp_h1_resp_t *resp);
    /** The final head. *discard = 1: read the body but do not pass it on (error override). */
    apr_status_t (*head)(void *ctx, const rp_h1_resp_t *resp, const rp_framing_t *framing, int *discard);
    /** Trailers of a chunked body, at most once and before finish; `trailers` holds fields alone and lives in the exchange's pool. May be
     * NULL: trailers are checked but not kept. */
    void (*trailers)(void *ctx, const rp_h1_resp_t *trailers);
    /** Pass body bytes on; empties bb. flush: nothing may be held back. may_wait: the request is out, back-pressure by waiting is fine
     * for a driver that may block. */
    apr_status_t (*write)(void *ctx, apr_bucket_brigade *bb, int flush, int may_wait);
    /** 1: bytes are stuck on their way to the client; read no more from the backend until it is writable. */
    int (*backlog)(void *ctx);
    /** The last bytes of the body (may be none) and the end of the answer: RP_FAIL_NONE for a whole one, otherwise it must be visibly
     * cut. Empties bb. An error: the client did not get it all. */
    apr_status_t (*finish)(void *ctx, apr_bucket_brigade *bb, rp_reason_e reason);
    /** A 101 was accepted: send its head, take HTTP off the client connection. */
    apr_status_t (*tunnel_start)(void *ctx, const rp_h1_resp_t *resp);
    apr_status_t (*tunnel_read)(void *ctx, char *buf, apr_size_t *len);            /**< as rp_conn_ops_t.recv */
    apr_status_t (*tunnel_write)(void *ctx, const char *buf, apr_size_t *len);     /**< APR_SUCCESS may be short; APR_EAGAIN */
    apr_status_t (*tunnel_shutdown)(void *ctx); /**< no more bytes to the client. APR_ENOTIMPL: it can not be told, end the tunnel */
} rp_client_ops_t;

typedef enum rp_body_policy_e {
    RP_BODY_AUTO = 0,   /**< Content-Length where known or small, else chunked */
    RP_BODY_SENDCL,     /**< always Content-Length: spool what has none */
    RP_BODY_SENDCHUNKED /**< chunked for what does not fit the prefetch and may change size */
} rp_body_policy_e;

/** What an exchange does, for people to look at. */
typedef enum rp_progress_e {
    RP_PROGRESS_REQUEST_BODY = 0, /**< gathers the beginning of the request's body */
    RP_PROGRESS_POOL, RP_PROGRESS_RESOLVE, RP_PROGRESS_CONNECT, RP_PROGRESS_TLS,
    RP_PROGRESS_SEND,             /**< the request is not out yet */
    RP_PROGRESS_ANSWER,           /**< it is, and no final head came */
    RP_PROGRESS_RESPONSE_BODY, RP_PROGRESS_TUNNEL, RP_PROGRESS_ENDED
} rp_progress_e;
/** "waits for the answer". Static. */
const char *rp_progress_str(rp_progress_e progress);

/** All that an exchange needs to know; borrowed for its life. */
typedef struct rp_exchange_conf_t {
    rp_worker_t *worker;
    rp_endpoint_t *endpoint;              /**< held by the caller */
    apr_interval_time_t connect_us, io_us, acquire_us;
    apr_interval_time_t ping_us;          /**< 0: no ping */
    apr_interval_time_t failover_us;      /**< idempotent, and somebody else could answer: how long this member may be silent; 0: io_us */
    apr_interval_time_t client_us;        /**< time-out of the client side */
    apr_interval_time_t tunnel_us;        /**< idle time of a tunnel */
    rp_h1_limits_t limits;
    int head_request;                     /**< HEAD */
    int idempotent;                       /**< may be sent again under the resend rule */
    int others_first;                     /**< a balancer: what a fresh connection closed on goes to another member */
    int no_resend;                        /**< switched off for this request */
    int tls_eof_ok;                       /**< a body until close may end without close-notify */
    int has_body;                         /**< the client announced a body */
    apr_int64_t body_length;              /**< announced length, -1: chunked */
    int body_may_change;                  /**< input filters may change its size */
    rp_body_policy_e body_policy;
    int prefetch_nonblocking;             /**< gather what is there, do not wait for more */
    int expect_100;                       /**< send Expect: hold the body back until 100 or a final head; without ping_us also until the
                                               client sends it unasked */
    int want_upgrade;                     /**< the head carries Connection: Upgrade */
    const char *upgrade;                  /**< protocol asked for */
    int fresh;                            /**< first attempt on a new connection too */
    int no_reuse;                         /**< close after use */
    int no_halfclose;                     /**< a tunnel ends at the first EOF */
    void *pinned_to;                      /**< client connection to pin to, or NULL */
    int extra_crlf;                       /**< CRLF behind the request body */
    apr_interval_time_t dns_max_age_us;   /**< -1: any */
    rp_scratch_t *scratch;                /**< for what does not outlive a call of step(); NULL: the exchange's pool */
    apr_uint32_t *progress;               /**< where rp_progress_e is written, atomically, whenever it waits; or NULL */
} rp_exchange_conf_t;

/** Make an exchange. pool and ba pay for all it keeps and outlive it. */
rp_exchange_t *rp_exchange_create(apr_pool_t *pool, apr_bucket_alloc_t *ba, const rp_exchange_conf_t *conf,
                                  const rp_client_ops_t *ops, void *ctx);
#define RP_EXCHANGE_ROOM 1248 /**< bytes that an exchange takes at most */
/** The same in the caller's memory: RP_EXCHANGE_ROOM bytes, aligned for anything, that live until pool's cleanups have run. */
rp_exchange_t *rp_exchange_create_in(void *room, apr_pool_t *pool, apr_bucket_alloc_t *ba, const rp_exchange_conf_t *conf,
                                     const rp_client_ops_t *ops, void *ctx);

/** 1 when the whole body has to be read before the request head is written: then the client must be asked for it. */
int rp_exchange_spools(const rp_exchange_conf_t *conf);

/** Do what can be done. ready: which waits are over (rp_wait_e bits; 0 at the start and at a time-out). */
rp_step_e rp_exchange_step(rp_exchange_t *ex, apr_time_t now_us, unsigned ready) RP_WARN_UNUSED;

/** After RP_STEP_WAIT. */
const rp_wait_t *rp_exchange_wait(const rp_exchange_t *ex);

/** The driver waited in line and owns a permit of the worker (rp_permit_acquire): it goes to the exchange. */
void rp_exchange_permit_granted(rp_exchange_t *ex);
/** The worker in use: whose permits to wait for. */
rp_worker_t *rp_exchange_worker(const rp_exchange_t *ex);
/** The endpoint in use: whose address to look up. */
rp_endpoint_t *rp_exchange_endpoint(const rp_exchange_t *ex);

/** Answers of the driver. set: the reference goes to the exchange; NULL with an error. */
void rp_exchange_resolved(rp_exchange_t *ex, apr_status_t rv, rp_addrset_t *set);
void rp_exchange_tls_done(rp_exchange_t *ex, apr_status_t rv, const char *reason);

/** The connection in use, or NULL. For drivers (descriptor, handshake). */
rp_conn_t *rp_exchange_conn(const rp_exchange_t *ex);

/** Point a failed exchange at another member with its settings; only when rp_exchange_may_failover said so. What was gathered of the
 * request body stays. */
void rp_exchange_retarget(rp_exchange_t *ex, const rp_exchange_conf_t *conf);
/** 1 when the failure table and the resend rule allow another member. */
int rp_exchange_may_failover(const rp_exchange_t *ex);

rp_reason_e rp_exchange_reason(const rp_exchange_t *ex);
/** Detail of the last failure for the log ("bare-cr", "te-and-cl", system error text), or NULL. From the exchange's pool. */
const char *rp_exchange_detail(const rp_exchange_t *ex);
/** 1 when a final head went to the client. */
int rp_exchange_head_sent(const rp_exchange_t *ex);
/** 1 when the client's request body was read to its end (or there was none). */
int rp_exchange_body_read(const rp_exchange_t *ex);
/** 1 while a tunnel is or was open. */
int rp_exchange_tunnel(const rp_exchange_t *ex);
/** End an open tunnel as if both sides had; step() then says RP_STEP_DONE. */
void rp_exchange_tunnel_end(rp_exchange_t *ex, apr_time_t now_us);
/** Records so far, oldest first. */
const rp_attempt_t *rp_exchange_attempts(const rp_exchange_t *ex, int *n);

/** 1 when it has come to its end, good or bad. */
int rp_exchange_over(const rp_exchange_t *ex);

/** Drop everything (client connection lost, pool cleanup). Safe at any time, twice too. now_us does not matter when it is over. */
void rp_exchange_abort(rp_exchange_t *ex, apr_time_t now_us);

/** A driver saw that the client has left: the exchange fails with RP_FAIL_CLIENT_GONE, the backend connection is closed. */
void rp_exchange_client_gone(rp_exchange_t *ex, apr_time_t now_us);

/** Blocking driver (driver_blocking.c): run to the end on the calling thread. */
typedef struct rp_blocking_client_t {
    int fd;             /**< client socket, or -1 when there is none to poll (HTTP/2 streams, subrequests) */
    int (*input_pending)(void *ctx); /**< 1: client bytes can be had without the socket (decrypted already), may be NULL */
    int (*gone)(void *ctx); /**< without a descriptor: 1 when the client has left; may be NULL */
    int eof_is_gone;    /**< a client that ends its stream has left, although it might still read */
    int (*tunnel_over)(apr_time_t now_us); /**< asked once a second: 1 when tunnels have to end; may be NULL */
} rp_blocking_client_t;
rp_step_e rp_exchange_run(rp_exchange_t *ex, const rp_blocking_client_t *client, void *ctx) RP_WARN_UNUSED;

#endif
