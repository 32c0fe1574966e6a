/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exchange's world in memory: a scripted backend, a recording client, a pool, a clock. The upstream layer is replaced at link
 * time. A run in one gulp is driven truthfully: only what is ready is reported, and time jumps to the deadline when nothing is, so
 * that a forgotten wait shows as a time-out and a wait that is over at once for ever as a busy loop. A slow run moves one byte with
 * an EAGAIN before it, and every wait is reported as over.
 */
#ifndef RP_T_EXCHANGE_WORLD_H
#define RP_T_EXCHANGE_WORLD_H

#include <apr_strings.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "exchange/exchange_int.h"

#define WORLD_CONNS 4
#define SEEN_MAX (1 << 20)

/* What follows the response of a connection. */
enum { END_OPEN = 0, END_EOF = 1, END_RESET = 2, END_DEAD = 3 /* reset at the first write */, END_ETIMEDOUT = 4, END_UNCLEAN = 5 /* TLS: no close-notify */ };

/* Functions that can be told to fail at their nth call. */
typedef enum fault_e {
    F_READ_BODY = 0, F_SPOOL, F_REQUEST_HEAD, F_INTERIM, F_HEAD, F_WRITE, F_FINISH, F_TUNNEL_START, F_TUNNEL_READ, F_TUNNEL_WRITE,
    F_TUNNEL_SHUTDOWN, F_RECV, F_SENDV, F_FLUSH, F_SHUTDOWN_WRITE, F_TAKE, F_CONNECT_START, F_CONNECT_FINISH, F_COUNT
} fault_e;

typedef struct script_t {
    const char *responses[WORLD_CONNS]; /* one per connection; NULL: refuse to connect */
    int end[WORLD_CONNS];
    int reused[WORLD_CONNS];            /* the connection is an idle one */
    const char *gate[WORLD_CONNS];      /* the response comes only behind this text ... */
    apr_size_t gate_from[WORLD_CONNS];  /* ... from this byte on */
    apr_size_t takes[WORLD_CONNS];      /* the backend takes so many bytes and no more (0: all) */
    int takes_then_breaks;              /* ... and a write beyond that fails */
    const char *body;                   /* request body, NULL none */
    apr_size_t body_piece;              /* most bytes of it that one read gives (0: any number) */
    apr_size_t body_stops;              /* the client stops behind so many bytes (0: never) */
    int body_gate_interim;              /* the client sends its body only after an interim response */
    apr_status_t body_error;            /* at the end of the body instead of its end ... */
    rp_reason_e body_why;               /* ... for this reason */
    const char *tunnel_in;              /* bytes of the client in a tunnel */
    int tunnel_open;                    /* the client does not end the tunnel */
    int client_stuck;                   /* the client takes no answer */
    int discard;                        /* the client side asks to discard the body */
    int flush_again;                    /* so many flushes answer EAGAIN ... */
    int tunnel_flush_again;             /* ... and so many once there is a tunnel */
    int cached;                         /* addresses are known already */
    int literal;
    int naddr;                          /* addresses of the endpoint (0: one) */
    apr_status_t connect[8];            /* results of connects, in order, when the response is not NULL */
    int connect_again;                  /* so many connect_finish answer "in progress" (1000: nobody answers) */
    int pool_waits;                     /* so many takes find no permit */
    int resolve_fails;
    int tls;                            /* the connection needs a handshake */
    apr_status_t tls_result;
    apr_size_t in_buffer;               /* so many bytes of a response are in the connection's buffer and not in the socket (TLS) */
} script_t;

typedef struct world_t {
    apr_pool_t *pool;
    apr_bucket_alloc_t *ba;
    const script_t *script;
    const rp_exchange_conf_t *conf;
    rp_exchange_t *ex;
    int slow;                 /* one byte, one EAGAIN */
    unsigned again;           /* state of the pseudo-random blocking */
    apr_time_t now;
    int nconn;                /* connections handed out */
    int nput, nconnects, nresolves, ntakes, grants, released;
    int addr_refs;
    int take_flags;           /* of the last rp_pool_take */
    apr_size_t rpos, bpos, tpos;
    char backend_saw[WORLD_CONNS][SEEN_MAX / 16];
    apr_size_t nbackend[WORLD_CONNS];
    char client_saw[SEEN_MAX];
    apr_size_t nclient;
    int head_status, finished, interims, tunnel_opened, shut_backend, shut_client, flushes, writes;
    int waiting_writes;       /* writes that were allowed to wait */
    rp_reason_e finish_reason;
    rp_refuse_e refused[WORLD_CONNS];
    int flush_left, connect_left;
    int calls[F_COUNT];
    int fault_at[F_COUNT];    /* call number that fails, from 1; 0: none */
    apr_status_t fault_rv;
    int after_end;            /* something was called although the exchange had ended */
    int ended;
    int stop_idle;            /* return when there is nothing to do but to wait */
    int most_buckets;         /* in one write */
    int trailers;             /* fields seen */
} world_t;

extern apr_pool_t *root;
extern rp_worker_t worker;
extern rp_endpoint_t endpoint;
extern rp_exchange_conf_t base_conf;
extern world_t W;

void world_setup(void);
void world_teardown(void);

/* A fresh world. */
rp_exchange_t *world_begin(world_t *w, const script_t *script, const rp_exchange_conf_t *conf, int slow);
/* Drive to the end, or for so many steps (-1: no limit); RP_STEP_WAIT: not at its end then. */
rp_step_e world_run(world_t *w, int steps);
/* All that was taken was given back, and the like. */
void world_settle(world_t *w);
/* begin, run, settle */
rp_step_e drive(world_t *w, const script_t *script, const rp_exchange_conf_t *conf, int slow, rp_exchange_t **pex);
/* Both ways, same result. The world of the fast run is left for further checks. */
rp_step_e both(world_t *w, const script_t *script, const rp_exchange_conf_t *conf, rp_exchange_t **pex);
void expect_answer(const script_t *s, const rp_exchange_conf_t *c, int status, const char *body, rp_refuse_e refuse);
void expect_failure(const script_t *s, const rp_exchange_conf_t *c, rp_reason_e reason, int connections);
/* A run in one gulp alone. */
rp_exchange_t *expect_gulp(const script_t *s, const rp_exchange_conf_t *c, rp_step_e step, rp_reason_e reason);

/* The frame of a test program: tests are added to the case in between. */
TCase *world_tcase(const char *name);
int world_main(TCase *tc);

#endif
