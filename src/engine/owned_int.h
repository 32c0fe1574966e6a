/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file owned_int.h
 * Inside of the engine: an owned client connection, its states, and what the files of this folder share.
 */
#ifndef RP_ENGINE_OWNED_INT_H
#define RP_ENGINE_OWNED_INT_H

#include <httpd.h>
#include <http_log.h>
#include <util_filter.h>

#include "engine/chunk_gate.h"
#include "engine/engine.h"
#include "engine/head_scan.h"
#include "engine/head_time.h"
#include "engine/helpers.h"
#include "engine/loop.h"
#include "engine/slow.h"
#include "engine/visits.h"
#include "upstream/permit_int.h"

APLOG_USE_MODULE(rproxy);

/** Life of an owned connection. */
typedef enum rp_owned_state_e {
    RP_OWNED_ADOPTING = 0, /**< the MPM has not let go yet */
    RP_OWNED_HEAD,         /**< waiting for a request head, nothing or a part of it is here */
    RP_OWNED_REQUEST,      /**< httpd's hooks run, on the loop */
    RP_OWNED_EXCHANGE,     /**< the handler suspended: the exchange is stepped by events */
    RP_OWNED_HELPER,       /**< a helper has the request; the loop keeps off */
    RP_OWNED_DRAIN,        /**< the request is over; its last bytes are on their way to the client */
    RP_OWNED_LINGER,       /**< our end was sent; reading until the client's, so that it sees the answer */
    RP_OWNED_CLOSED
} rp_owned_state_e;

/** A cleared pool that rests until the MPM's thread has left it: the last one of that thread. */
typedef struct rp_grave_t {
    apr_pool_t *pool;      /**< NULL: none */
    rp_visit_t visit;
} rp_grave_t;

#define RP_DEAD_MOST 64

/** One loop with what it owns. */
typedef struct rp_engine_loop_t {
    rp_loop_t *loop;
    rp_helpers_t *helpers;  /**< for requests */
    rp_helpers_t *dialers;  /**< for names and TLS handshakes: backends that do not answer hold up no file */
    rp_endpoints_t *endpoints;
    rp_scratch_t scratch;
    apr_memnode_t *stash;  /**< blocks that connections gave back */
    int nstash;
    apr_thread_t *thread;
    APR_RING_HEAD(rp_owned_ring_t, rp_owned_t) owned;
    rp_grave_t *graves;    /**< one for each thread of the MPM, by its index */
    unsigned ngraves;
    apr_pool_t *dead[RP_DEAD_MOST]; /**< cleared pools to destroy together */
    int ndead;
    rp_timer_t grave_timer;
    rp_timer_t care_timer;
    rp_child_stat_t *stat; /**< of the child */
    int stopping;          /**< graceful: no more keep-alive */
    int full;              /**< the MPM took no connections at the last look */
    int buried;            /**< its thread is gone: nothing begins any more */
    rp_post_t stop_post;
    struct worker_score *score; /**< atomic: where requests are counted, or NULL */
    int score_known;
    int stop_sent;         /**< atomic */
    server_rec *server;
    rp_slow_t slow;        /**< hooks that took long */
} rp_engine_loop_t;

/** Watch of one backend connection; as long as its socket. */
typedef struct rp_backend_watch_t {
    rp_loop_t *loop;
    rp_watch_t *watch;
    rp_conn_t *conn;
    rp_owned_t *user;      /**< whose exchange has the connection, NULL: idle */
    unsigned ready;        /**< RP_WAIT_BACKEND_* that an event said and no step was told yet */
    int eof;               /**< sticky */
    rp_post_t post;        /**< another thread took it out of the idle ones: close it */
} rp_backend_watch_t;

/** A name look-up under way: driver_loop.c. */
typedef struct rp_lookup_t rp_lookup_t;

/**
 * An owned connection. One thread has it at a time; it changes hands by messages, which order what was written before them:
 *  - an MPM thread, until its message of the suspend hook;
 *  - the loop, in all states but HELPER;
 *  - a helper, in state HELPER: from rp_helpers_submit to its message, but for rp_helpers_cancel. The loop may then touch what is marked
 *    [loop] and nothing else, not even to read; the helper nothing that is marked so, but `post` at its end. Events that come meanwhile wait in `heard`.
 * While a dialer looks a name up or makes a handshake (helper_busy) the connection stays the loop's; the dialer has the exchange and its
 * backend connection, and the members named helper_*, and the loop keeps off those.
 */
struct rp_owned_t {
    APR_RING_ENTRY(rp_owned_t) link; /**< [loop] */
    conn_rec *c;                 /**< the pointer: const */
    rp_engine_loop_t *el;        /**< the pointer: const */
    rp_owned_state_e state;      /**< [loop] */
    int fd;
    apr_socket_t *sock;
    rp_watch_t *watch;     /**< [loop] */
    unsigned heard;        /**< [loop] RP_EV_* that came while a helper had the connection */
    rp_timer_t timer;      /**< [loop] */
    rp_post_t post;        /**< adoption, a helper's answer, a permit: never two at once */
    rp_post_t later;       /**< [loop] another turn of the loop's own thread */
    int later_set;         /**< [loop] */
    rp_visit_t visit;      /**< of the MPM's thread that gave it away */
    int stocked;           /**< blocks that its allocator had from the stock */
    int on_loop;           /**< 1 while the loop's thread has it; a helper: 0 */

    /* input: filter_in.c */
    ap_filter_t *in_filter;
    apr_bucket_brigade *in, *in_new;
    apr_bucket_brigade *ahead;   /**< read from the socket, and not served to the filters above it yet */
    apr_status_t in_status;      /**< APR_SUCCESS, or what ended the input */
    int readable;                /**< the socket may have bytes */
    int read_large;              /**< the last read filled its buffer: the next one is large */
    int peer_eof;                /**< its FIN was announced: do not clear readable before it was read */
    int in_maybe;                /**< filters between us and the socket may hold bytes */
    int plain;                   /**< no, they can not: only the socket tells */
    int core_drained;            /**< CORE_IN has nothing left: read the socket directly */
    apr_off_t in_len;            /**< bytes in `in` */
    apr_off_t in_served;         /**< bytes served since the gate was put up */
    rp_head_scan_t scan;
    int scanning;                /**< a head is awaited */
    rp_chunk_gate_t gate;
    int gated;                   /**< the request's body is chunked: the gate says what may be served */
    apr_time_t head_since_us;    /**< first byte of a head */
    const rp_head_time_t *head_time; /**< how long heads may take here */
    apr_time_t idle_until_us;    /**< so long a head may let itself be waited for */
    int trimmed;                 /**< nothing has happened since memory was given back */
    int trimmed_once;            /**< it has given back what it had before that */
    int lean;                    /**< it has but what a request needs to wait */
    int lent;                    /**< blocks of the loop that its allocator has */
    ap_filter_t *reqtimeout;     /**< mod_reqtimeout's input filter, or NULL; it is in the chain during requests only */
    int head_late;               /**< the time for the head is over */

    /* output: filter_out.c */
    ap_filter_t *out_filter;
    apr_bucket_brigade *out, *out_tmp;
    int core_busy;               /**< the core's filter holds bytes that go first */
    apr_size_t out_len;
    int writable;                /**< the socket may take bytes */
    int blocked;                 /**< it did not take all we have */
    int shutdown_write;          /**< 1: FIN behind `out`, 2: it was sent */
    apr_time_t stuck_us;         /**< since when it takes nothing */

    /* request */
    request_rec *r;
    apr_interval_time_t keepalive_us;
    int closing;                 /**< no further request on this connection */
    int goodbye;                 /**< httpd's hooks before a close have run */
    apr_time_t linger_until_us;
    rp_suspended_t suspended;
    enum {
        RP_HANDOFF_NO = 0,
        RP_HANDOFF_HANDLER,
        RP_HANDOFF_ALL,          /**< hooks and handler; the handler may turn out to be one that waits on the loop */
        RP_HANDOFF_ERROR
    } handoff;                   /**< what is left to a helper */
    int hooks_over;              /**< a helper ran the hooks, and the handler was left to the loop */
    apr_off_t served_before;     /**< in_served when a helper got the request */
    const char *handler;         /**< its name while handlers run: httpd takes a default one away again */
    int final_status;            /**< with RP_HANDOFF_ERROR: for httpd */
    int late;                    /**< no helper came in time */
    rp_lane_e lane;
    rp_job_t job;                /**< on the way to a helper: the request, a name, a handshake */
    rp_waiter_t waiter;          /**< in line for a permit of waiting_for */
    rp_worker_t *waiting_for;
    int helper_busy;             /**< a name look-up or handshake is under way */
    int look;                    /**< the timer is only for a look at the client's body */
    int doomed;                  /**< the client is gone; end as soon as the helper is back */
    rp_backend_watch_t *backend;
    apr_status_t helper_rv;
    rp_lookup_t *lookup;         /**< of its backend's name, under way */
    const char *helper_reason;
    unsigned requests;
};

/** The owned connection, or the loop, that something is a member of. */
#define RP_OWNED_OF(p, member) ((rp_owned_t *)((char *)(p) - offsetof(rp_owned_t, member)))
#define RP_ENGINE_LOOP_OF(p, member) ((rp_engine_loop_t *)((char *)(p) - offsetof(rp_engine_loop_t, member)))

/** engine.c: n connections more are the loops'. Any thread. */
void rp_engine_hold(int n);
/** engine.c: of this child. */
const rp_engine_conf_t *rp_engine_conf(void);

/** Note what was announced for the client's socket (RP_EV_* bits). Loop thread, and the connection is the loop's. */
void rp_owned_note(rp_owned_t *o, unsigned events);
/** Something happened: do what can be done. Loop thread. */
void rp_owned_advance(rp_owned_t *o);
/** Come back later in this turn. */
void rp_owned_later(rp_owned_t *o);
/** httpd came back from a request, or its handler did: what is next. */
void rp_owned_processed(rp_owned_t *o);
/** Events that came while a helper had the request, whose exchange is about to begin. o may be gone. */
void rp_owned_overheard(rp_owned_t *o, unsigned events);
/** The suspended request has its final status: end it as httpd would. */
void rp_owned_end_request(rp_owned_t *o, int status);
/** End a request with this status as httpd does behind a handler; r may be gone. On the thread that has the request. */
void rp_owned_finish(request_rec *r, int status);
/** Close now. o is gone. */
void rp_owned_close(rp_owned_t *o);
/** Take over: the MPM has let go. */
void rp_owned_adopted(rp_owned_t *o);
/** The request is over: what is left of it goes out, then the next one or the end. */
void rp_owned_after_request(rp_owned_t *o);
/** An idle connection of a loop that stops. */
void rp_owned_retire(rp_owned_t *o);
/** Close it when it is idle between two requests, to make room for another client. 1: it was. */
int rp_owned_make_room(rp_owned_t *o);
/** owner of a connection, or NULL. */
rp_owned_t *rp_owned_of(const conn_rec *c);

/* filter_in.c */
void rp_owned_input_register(void);
void rp_owned_input_add(rp_owned_t *o);
/** Read what the socket has, up to a whole request head. */
void rp_owned_fill_head(rp_owned_t *o);
/** 1: a head is whole, or can never be: give it to httpd. */
int rp_owned_head_ready(const rp_owned_t *o);
/** 1: an attempt to read the request's body may give bytes. */
int rp_owned_may_read(const rp_owned_t *o);
/** httpd is about to read a request: mod_reqtimeout may look on. */
void rp_owned_reqtimeout_in(rp_owned_t *o);
/** The next head begins with what is behind the last request; mod_reqtimeout does not look on meanwhile. */
void rp_owned_next_head(rp_owned_t *o);
/** A chunked request body follows. */
void rp_owned_gate_body(rp_owned_t *o);
/** Read and throw away. APR_EAGAIN, APR_EOF or an error. */
apr_status_t rp_owned_discard(rp_owned_t *o);

/* filter_out.c */
void rp_owned_output_register(void);
/** All modules are loaded. */
void rp_owned_output_child_init(void);
void rp_owned_output_add(rp_owned_t *o);
/** Write without waiting. APR_SUCCESS: all is out; APR_EAGAIN: o->blocked; other: the client is gone. */
apr_status_t rp_owned_push(rp_owned_t *o);

/* driver_loop.c */
/** Step the exchange with what is ready. */
void rp_owned_step(rp_owned_t *o, unsigned ready);
/** rp_dispose_fn of a loop's endpoints. */
void rp_backend_dispose(rp_conn_t *conn);
/** End its tunnel, when it has one. 1: it had. o may be gone. */
int rp_owned_end_tunnel(rp_owned_t *o);
/** The exchange is over or dropped: no wake-up of its comes any more. */
void rp_owned_unhook(rp_owned_t *o);
/** The client is gone: end the exchange, as soon as no helper and no permit is on its way to it. */
void rp_owned_abort(rp_owned_t *o);

/** Give up the place in line for a permit. 0: the permit is on its way (a post comes). */
int rp_owned_leave_line(rp_owned_t *o) RP_WARN_UNUSED;

/* bury.c: the child's end, when the loop's thread is gone */
/** Wake helpers that wait for a client or for a handshake: their sockets are shut down. */
void rp_bury_interrupt(rp_engine_loop_t *el);
/** What was posted and not looked at any more comes to its end; nobody waits for a permit. Helpers are gone; for all loops before the first
 * rp_bury_loop. */
void rp_bury_settle(rp_engine_loop_t *el);
/** Close all connections, before the pools go that they use. el->loop is gone. */
void rp_bury_loop(rp_engine_loop_t *el);

/** The timer of a suspended request is due. */
void rp_owned_wait_over(rp_owned_t *o);

/* trim.c */
#define RP_TRIM_AFTER_US 100000       /**< a request or tunnel that has waited so long gives back the memory it does not use */
#define RP_TRIM_IDLE_AFTER_US 1000000 /**< and so an idle connection, whose next request would need it again */
/** The connection was adopted: its allocator keeps less. */
void rp_owned_trim_init(rp_owned_t *o);
/** Give back what the connection's allocator keeps: what was lent to it, or else all. Only while nobody else uses the connection. */
void rp_owned_trim(rp_owned_t *o);
/** It goes on. */
void rp_owned_lend(rp_owned_t *o);
/** The loop ends, and none of its connections is left: what they gave back goes to the system. */
void rp_trim_end(rp_engine_loop_t *el);

/* lane.c */
/** All modules are loaded: find the filters that may stand in an inline request. */
void rp_lane_child_init(void);

/* handoff.c */
/** Give the request to a helper. */
void rp_owned_to_helper(rp_owned_t *o);
/** The time in which a helper should have come is over: when none has begun, the request ends with 503. Loop thread. */
void rp_owned_no_helper(rp_owned_t *o);

/* scoreboard.c */
/** 1: ThreadLimit leaves a slot beyond ThreadsPerChild. */
int rp_scoreboard_has_room(void);
/** 1: the MPM says that this child takes no connections for now. Any thread. */
int rp_scoreboard_child_is_full(void);
/** Find the slot of this child by the number that the MPM gave one of its connections. */
void rp_scoreboard_open(rp_engine_loop_t *el, const conn_rec *c);

/* stock.c: blocks of memory of closed connections, for the next ones. Any thread. */
#define RP_STOCK_BLOCK 8192
#define RP_STOCK_LEND 4 /**< what a request takes: a bucket allocator, what is read ahead, the request's pool */
/** Give the allocator of a new connection that much. How many blocks that were: 0 when there are none. */
int rp_stock_lend(apr_allocator_t *a);
/** Take n free blocks of an allocator into the stock; when that is full they stay. */
void rp_stock_take(apr_allocator_t *a, int n);
/** Clear the pool of a closed connection, and take n blocks of its allocator. */
void rp_stock_clear(apr_pool_t *pool, int n);
/** The engine ends: by way of this allocator all goes to the system. */
void rp_stock_end(apr_allocator_t *a);

/* graves.c: the MPM may still write to a connection's pool in the first moments after it let go */
/** Destroy a cleared pool, as soon as the thread of this visit has left it. */
void rp_grave_dig(rp_engine_loop_t *el, apr_pool_t *pool, const rp_visit_t *visit);
/** Destroy all now: the loop ends. */
void rp_graves_clear(rp_engine_loop_t *el);

#endif
