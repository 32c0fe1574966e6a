/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file exchange_int.h
 * Inside of the exchange: states and the pieces that the files of this folder share.
 */
#ifndef RP_EXCHANGE_INT_H
#define RP_EXCHANGE_INT_H

#include "exchange/exchange.h"

/** The whole exchange. */
typedef enum rp_ex_state_e {
    RP_EX_PREFETCH = 0, /**< gather the first bytes of the request body */
    RP_EX_TAKE,         /**< take a connection from the endpoint's pool */
    RP_EX_RESOLVE,      /**< waiting for the addresses of the endpoint */
    RP_EX_CONNECT,      /**< start a connect to the next address */
    RP_EX_CONNECTING,   /**< waiting for it */
    RP_EX_TLS,          /**< waiting for the handshake */
    RP_EX_START,        /**< connection ready: write the head */
    RP_EX_TRANSFER,     /**< request out, response in, both at once */
    RP_EX_TUNNEL,
    RP_EX_DONE,
    RP_EX_FAILED
} rp_ex_state_e;

/** Our half of RP_EX_TRANSFER. */
typedef enum rp_ex_send_e {
    RP_SEND_HEAD = 0,  /**< head and what of the body came with it is in `out` */
    RP_SEND_HOLD,      /**< head is out; the body waits for 100 Continue */
    RP_SEND_BODY,      /**< reading the client's body and sending it */
    RP_SEND_DONE,      /**< the whole request was handed over */
    RP_SEND_BROKEN     /**< the backend takes no more (it may have answered already) */
} rp_ex_send_e;

/** The backend's half. */
typedef enum rp_ex_recv_e {
    RP_RECV_HEAD = 0,
    RP_RECV_BODY,
    RP_RECV_DONE
} rp_ex_recv_e;

/** What a state's function tells the loop of step(). */
typedef enum rp_move_e {
    RP_MOVE_ON = 0,  /**< look at the state again */
    RP_MOVE_WAIT     /**< nothing to do until ex->wait */
} rp_move_e;

/** One direction of a tunnel. */
typedef struct rp_pump_t {
    char *buf;              /**< rp_buffer_get, only while there are bytes in it; else NULL */
    apr_size_t size;        /**< of buf; of the next one: more when the last one was filled */
    apr_size_t start, end;  /**< bytes not yet written: buf[start..end) */
    int eof;                /**< the reading side has ended */
    int shut;               /**< and the writing side was told */
} rp_pump_t;

struct rp_exchange_t {
    apr_pool_t *pool;
    apr_bucket_alloc_t *ba;
    rp_exchange_conf_t conf;
    const rp_client_ops_t *ops;
    void *ctx;

    rp_ex_state_e state;
    rp_wait_t wait;
    apr_time_t now_us;
    unsigned ready;               /**< rp_wait_e bits that are believed true */

    /* attempt */
    rp_conn_t *conn;
    rp_addrset_t *addrs;
    int addr_next;
    int addrs_fresh;              /**< the addresses come from a look-up of this attempt */
    int fresh;                    /**< take no idle connection */
    int granted;                  /**< a permit is ours already */
    int retargeted;               /**< `out` begins with a head for another member */
    int resent;                   /**< the one resend was used */
    apr_time_t acquire_deadline_us;
    apr_time_t connect_deadline_us; /**< of the look-up, the connect or the handshake under way */
    apr_time_t progress_us;       /**< last byte moved to or from the backend */
    rp_attempt_t first_attempt;
    rp_attempt_t *attempts;       /**< the first one, or room for RP_ATTEMPTS_MAX */
    int attempts_room;
    int nattempts;
    rp_attempt_t *at;

    /* request */
    rp_ex_send_e send;
    apr_bucket_brigade brigades[4]; /**< what the four pointers of this type lead to; one cleanup of the pool empties them all */
    apr_bucket_brigade *kept;     /**< prefetched body, for every attempt: kept_mem, and a file for what is spooled */
    apr_off_t kept_len;
    apr_bucket *kept_mem;         /**< first bucket of `kept`, its bytes are in kept_buf */
    char *kept_buf;               /**< pieces of any size are gathered here: a client that sends single bytes costs no more */
    apr_size_t kept_size;
    apr_bucket_brigade *out;      /**< framed bytes on their way to the backend */
    int head_borrowed;            /**< `out` begins with a head whose bytes do not outlive this step */
    apr_size_t sent_unlooked;     /**< bytes sent since an answer was looked for */
    int flushing;                 /**< the connection holds bytes that are not in the socket yet */
    apr_bucket_brigade *in;       /**< scratch: body as read from the client */
    int body_eos;                 /**< the client's body was read to its end */
    apr_off_t streamed;           /**< body bytes read beyond `kept` in this attempt */
    rp_req_framing_e framing;
    apr_int64_t length;           /**< with RP_REQ_LENGTH */
    apr_off_t body_sent;          /**< body bytes framed so far */
    apr_time_t client_wait_us;    /**< since when we wait for the client's body */

    /* response */
    rp_ex_recv_e recv;
    char *head_buf;               /**< rp_buffer_get, or NULL */
    apr_size_t head_size, head_start, head_end; /**< head_buf[head_start..head_end) is unparsed */
    rp_h1_scan_t scan;
    int interims;
    int got_100;
    rp_framing_t resp_framing;
    apr_int64_t resp_left;        /**< RP_FRAMING_LENGTH: bytes to come */
    rp_chunk_dec_t chunk;
    char *trailer;                /**< the trailer section so far, or NULL */
    apr_size_t trailer_len, trailer_size;
    apr_bucket_brigade *bb;       /**< body on its way to the client */
    int head_sent;
    int discard;                  /**< the body is not wanted */
    apr_size_t discarded;         /**< bytes of it */
    apr_time_t discard_until_us;
    apr_time_t stuck_us;          /**< since when the client takes nothing, 0: it does */
    int unflushed;                /**< something was given to the client since the last flush */
    apr_size_t read_size;         /**< next body read, bytes */
    int gather;                   /**< what came with the head waits for the next read, which has more of it */
    int extra_bytes;              /**< bytes behind the end of the response */
    int refused_early;            /**< no success, before the request was out: what is left of the body may be taken for a request */
    int gave_up;                  /**< the rest of the body was not read */

    /* tunnel */
    int tunnel;
    rp_pump_t to_backend, to_client;

    /* result */
    rp_reason_e reason;
    const char *detail;
};

/** Wait for mask until deadline_us. */
rp_move_e rp_ex_wait(rp_exchange_t *ex, unsigned mask, apr_time_t deadline_us, rp_reason_e on_timeout);
/** Go to a state. */
rp_move_e rp_ex_go(rp_exchange_t *ex, rp_ex_state_e state);
/** End the attempt; resend by the rule, or end the exchange. detail may be NULL. */
rp_move_e rp_ex_fail(rp_exchange_t *ex, rp_reason_e reason, apr_status_t os_error, const char *detail);
/** End the attempt well: connection back to its pool (why: RP_REFUSE_NONE to keep it). */
void rp_ex_put(rp_exchange_t *ex, rp_refuse_e why);
/** The backend moved: restart its clock. */
void rp_ex_progress(rp_exchange_t *ex);
/** Read from the backend. When the read itself waited, time has passed: ex->now_us moves. */
apr_status_t rp_ex_recv(rp_exchange_t *ex, char *buf, apr_size_t *len);
/** A client op failed with rv: the reason for rp_ex_fail. */
rp_reason_e rp_ex_client_reason(apr_status_t rv);

/* send.c */
rp_move_e rp_ex_prefetch(rp_exchange_t *ex);
rp_move_e rp_ex_start(rp_exchange_t *ex);
/** Move request bytes. *progress is raised when something moved. RP_MOVE_ON with a changed state after a failure. */
void rp_ex_send_some(rp_exchange_t *ex, int *progress);
/** The body may go now (100 Continue came, or is not waited for any more). */
void rp_ex_release_body(rp_exchange_t *ex);
/** 1: the body is held back, but the client may end that by sending it. */
int rp_ex_client_may_release(const rp_exchange_t *ex);

/* receive.c */
void rp_ex_recv_head(rp_exchange_t *ex, int *progress);
/** Give the buffer back; what it holds is not wanted. */
void rp_ex_head_free(rp_exchange_t *ex);
/* body.c */
void rp_ex_recv_body(rp_exchange_t *ex, int *progress);
/** Body bytes that came with the head. */
void rp_ex_body_leftover(rp_exchange_t *ex);
/** Push what the client side holds before waiting. */
apr_status_t rp_ex_flush_client(rp_exchange_t *ex);
/** 1: nothing may be written to the client now; wait for RP_WAIT_CLIENT_WRITE and read no more from the backend. */
int rp_ex_client_stuck(const rp_exchange_t *ex);
/* tunnel.c */
rp_move_e rp_ex_tunnel_open(rp_exchange_t *ex, const rp_h1_resp_t *resp);
rp_move_e rp_ex_tunnel_step(rp_exchange_t *ex);
/** Give both buffers back. */
void rp_ex_tunnel_free(rp_exchange_t *ex);

/** A pool for what does not outlive this step, nor the next call of this. */
static inline apr_pool_t *rp_ex_scratch(rp_exchange_t *ex)
{
    return ex->conf.scratch == NULL ? ex->pool : rp_scratch_use(ex->conf.scratch);
}

/** 1 while the exchange is still in the state of the caller (no failure, no end happened). */
static inline int rp_ex_alive(const rp_exchange_t *ex) { return ex->state == RP_EX_TRANSFER; }

#endif
