/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file be_int.h
 * Inside of the scripted backend. One thread per connection, blocking I/O, one mutex for all shared
 * state (`shared` below); every change of it is broadcast on one condition variable, so that tests
 * wait for facts and never for time.
 */
#ifndef RP_T_UPSTREAM_BE_INT_H
#define RP_T_UPSTREAM_BE_INT_H

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

#include "backend.h"

#define BE_INBUF (64u * 1024)             /**< read buffer of a connection */
#define BE_HEAD_MAX (256u * 1024)         /**< longest request head */
#define BE_FIELDS_MAX 1024                /**< most header lines */
#define BE_ECHO_MAX (64u * 1024 * 1024)   /**< /echo keeps this much in memory */
#define BE_STORE_BODY (64u * 1024)        /**< of each body kept for `body N` */
#define BE_RAW_MAX (128u * 1024)          /**< of each connection kept for `raw N` */
#define BE_RECORDS_MAX 20000              /**< further requests are only counted */
#define BE_COMMAND_MAX (8u * 1024 * 1024) /**< longest command */
#define BE_OPS_MAX 4096                   /**< most lines of a script */

/** Growable byte string; always NUL-terminated once something was added. */
typedef struct be_str_t {
    char *p;
    size_t len;
    size_t cap;
} be_str_t;

void be_str_add(be_str_t *s, const void *data, size_t len);
void be_str_addf(be_str_t *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void be_str_free(be_str_t *s);
/** malloc that ends the program when there is no memory: this is a test tool. The memory is zeroed.
 */
void *be_alloc(size_t size);
/** Copy of len bytes, NUL-terminated. */
char *be_dup(const char *p, size_t len);
/** Decimal number at p up to end; @return 0 and *out, -1 when there is no number or something
 * follows it. */
int be_num(const char *p, const char *end, uint64_t *out);
/** ASCII only, as header names need it. */
int be_ieq(const char *a, size_t alen, const char *b);

/* hashes (be_hash.c) */
typedef struct be_sha256_t {
    uint32_t h[8];
    uint64_t total;
    unsigned char block[64];
    size_t fill;
} be_sha256_t;

void be_sha256_init(be_sha256_t *s);
void be_sha256_add(be_sha256_t *s, const void *data, size_t len);
/** Lower-case hex and NUL; ends the computation. */
void be_sha256_hex(be_sha256_t *s, char hex[65]);
/** Sec-WebSocket-Accept value (RFC 6455 4.2.2) of a key, NUL-terminated. */
void be_ws_accept(const char *key, size_t len, char out[29]);
/** Fill buf with pseudo-random bytes; *state must not be 0 and goes on to the next call. len must
 * be a multiple of 8 but for the last call of a stream. */
void be_random(uint64_t *state, void *buf, size_t len);
/** Start state for a seed. */
uint64_t be_random_start(uint64_t seed);

/* requests (be_request.c) */
typedef struct be_field_t {
    const char *name;
    const char *value;
    size_t name_len;
    size_t value_len;
} be_field_t;

typedef enum be_framing_e { BE_BODY_NONE, BE_BODY_LENGTH, BE_BODY_CHUNKED } be_framing_e;

/** What is remembered of a request; fields below `conn` change only under the backend's lock. */
typedef struct be_rec_t {
    unsigned n;        /**< 1, 2, ... over the backend */
    unsigned conn;     /**< ordinal of its connection */
    unsigned conn_seq; /**< 1 for the first request of the connection */
    char *id;          /**< X-Test-Id or "-" */
    char *method;
    char *target;
    be_str_t head; /**< exact bytes, with the empty line */
    be_str_t body; /**< its first BE_STORE_BODY bytes */
    uint64_t body_len;
    char sha[65];
    int complete; /**< the whole body arrived */
} be_rec_t;

typedef struct be_req_t {
    be_str_t head; /**< the fields point into it */
    char *method;
    char *target;
    char *path;  /**< target without query */
    char *query; /**< "" when there is none */
    int minor;   /**< of HTTP/1.x */
    be_field_t field[BE_FIELDS_MAX];
    int fields;
    be_framing_e framing;
    uint64_t left;     /**< of the body or the chunk */
    int chunk_started; /**< a chunk's data was read, its line end was not */
    int ended;         /**< the body was read to its end */
    int broken;        /**< the body can not be read any further */
    int expect;        /**< Expect: 100-continue not yet answered */
    int close;         /**< the peer asked for Connection: close or speaks 1.0 without keep-alive */
    be_sha256_t sha;
    uint64_t body_len;
    be_rec_t *rec; /**< NULL past BE_RECORDS_MAX */
} be_req_t;

/* scripts (be_script.c) */
typedef enum be_op_e {
    BE_OP_RECV_HEAD,
    BE_OP_RECV_BODY,
    BE_OP_RECV_EOF,
    BE_OP_RECV_N,
    BE_OP_SEND,
    BE_OP_SEND_SLOW,
    BE_OP_SEND_BYTES,
    BE_OP_WAIT,
    BE_OP_SIGNAL,
    BE_OP_CLOSE,
    BE_OP_RST,
    BE_OP_HALF_CLOSE,
    BE_OP_LINGER,
    BE_OP_HOLD,
    BE_OP_LOOP,
    BE_OP_END,
    BE_OP_REFUSE,
    BE_OP_LISTEN,
    BE_OP_ANSWER
} be_op_e;

typedef struct be_line_t {
    be_op_e op;
    char *text; /**< bytes to send, or a name */
    size_t len;
    uint64_t n;    /**< count */
    uint64_t seed; /**< of send-bytes */
} be_line_t;

/** A script and what it is for; immutable once in the list, freed with the backend. */
typedef struct be_script_t {
    char *path; /**< for this path; NULL: for a connection */
    unsigned
        nth; /**< only the nth request of the path, or the connection with this ordinal; 0: each */
    unsigned hits;
    be_line_t *line;
    size_t lines;
    int off; /**< replaced or cleared, maybe still running somewhere */
    struct be_script_t *next;
} be_script_t;

typedef enum be_state_e { BE_CONN_NEW, BE_CONN_IDLE, BE_CONN_BUSY } be_state_e;

typedef struct be_conn_t {
    struct rp_backend_t *be;
    int fd;
    void *tls; /**< SSL, or NULL */
    int is_tls;
    unsigned ordinal; /**< 1, 2, ... over the backend */
    unsigned requests;
    be_state_e state; /**< under the lock */
    int reset;        /**< under the lock: close by a reset */
    char *in;         /**< read but not consumed: in[pos..end) */
    size_t pos;
    size_t end;
    int write_failed;
    be_req_t *req; /**< current request or NULL */
    char sni[256];
    char peer_cn[256];
    struct be_conn_t *next;
} be_conn_t;

/** Bytes of a connection, kept after it is gone. */
typedef struct be_raw_t {
    unsigned conn;
    unsigned requests;
    be_str_t bytes;
    struct be_raw_t *next;
} be_raw_t;

typedef struct be_signal_t {
    char *name;
    uint64_t count;
    int open; /**< never runs out */
    struct be_signal_t *next;
} be_signal_t;

typedef struct be_listener_t {
    struct rp_backend_t *be;
    rp_backend_listener_e kind;
    int fd;
    int wake; /**< eventfd that gets the accept thread out of poll() */
    int port;
    int paused;  /**< wanted; under the lock */
    int resting; /**< reached; under the lock */
    int started;
    pthread_t thread;
} be_listener_t;

struct rp_backend_t {
    char *name;
    char *unix_path;
    void *tls_ctx; /**< SSL_CTX or NULL */
    be_listener_t listener[RP_BACKEND_LISTENERS];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct { /* guarded by lock */
        int stopping;
        unsigned accepted;
        unsigned accepted_base; /**< before the last `reset` */
        unsigned open;
        unsigned idle;
        unsigned busy;
        unsigned max_open;
        unsigned max_busy;
        unsigned requests;
        unsigned complete;
        unsigned controls; /**< control connections open */
        unsigned violations;
        unsigned bytes_in;  /**< over all connections, since the last `reset`; atomic */
        unsigned bytes_out; /**< the same */
        be_str_t violation_text;
        be_rec_t **rec;
        unsigned recs;
        unsigned recs_base; /**< before the last `reset` */
        be_conn_t *conns;
        be_raw_t *raw;
        be_script_t *scripts;
        be_signal_t *signals;
        int jam[64]; /**< our own connections that fill the accept queue */
        int jams;
        int control_fd[64];
        int quit;
    } shared;
};

/* lock and facts (backend.c) */
void be_lock(rp_backend_t *be);
/** Unlock and tell everybody who waits for a fact. */
void be_unlock(rp_backend_t *be);
/** Stop accepting and refuse connections (on) or listen again (off) on all listeners but the
 * control port. @return 0 or errno. */
int be_refuse(rp_backend_t *be, int on);
/** Let connections hang: the accept queue is full and nobody accepts. @return 0 or errno. */
int be_jam(rp_backend_t *be, int on);

/* transport (be_io.c) */
void be_conn_state(be_conn_t *c, be_state_e state);
/** TLS handshake where the listener wants one. @return 0 or -1. */
int be_tls_accept(be_conn_t *c);
/** @return 0, or an errno value. */
int be_tls_setup(rp_backend_t *be, const rp_backend_opts_t *opts);
void be_tls_free(rp_backend_t *be);
/** Make at least one byte available in c->in. @return 1, 0 at the end of the stream, -1 on error.
 */
int be_fill(be_conn_t *c);
/** Up to n bytes. @return their number, 0 at the end, -1 on error. */
ssize_t be_read(be_conn_t *c, void *buf, size_t n);
/** One byte, -1 at the end or on error. */
int be_getc(be_conn_t *c);
/** All n bytes. @return 0 or -1. */
int be_write(be_conn_t *c, const void *buf, size_t n);
/** As be_write, each byte a segment of its own. */
int be_write_slow(be_conn_t *c, const char *buf, size_t n);
/** No more from us; the peer's bytes can still be read. */
void be_half_close(be_conn_t *c);
/** Read and forget up to the end of the stream. */
void be_drain(be_conn_t *c);
/** Is something there to be read now? */
int be_pending(be_conn_t *c);
/** Close the socket, by a reset when asked for. */
void be_conn_close(be_conn_t *c);

/** Note a breach of HTTP by the peer; shown by `violations`. */
void be_violation(be_conn_t *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** Read and record a request head into c->req (the old one is freed). @return 1, 0 when the peer
 * closed first, -1 on error. */
int be_request_read(be_conn_t *c);
void be_request_free(be_req_t *q);
/** The next decoded bytes of the request body. @return their number, 0 at its end, -1 when it broke
 * off. */
ssize_t be_body_some(be_conn_t *c, be_req_t *q, void *buf, size_t n);
/** Read the body to its end; keep up to max bytes in *keep unless that is NULL. @return 0 or -1. */
int be_body_all(be_conn_t *c, be_req_t *q, be_str_t *keep, size_t max);
/** First field of that name or NULL. */
const be_field_t *be_field(const be_req_t *q, const char *name);
/** Value of a query argument, %-decoded; nth counts from 0. @return length or -1 when there is
 * none. */
int be_arg(const be_req_t *q, const char *name, int nth, char *out, size_t size);
/** Numeric query argument, or the default. */
uint64_t be_arg_num(const be_req_t *q, const char *name, uint64_t dflt);

/* answers */
/** Answer c->req by its path. @return 0: the connection may go on, -1: close it. */
int be_answer(be_conn_t *c, be_req_t *q);
/** WebSocket and other upgrades (be_ws.c); they end the connection: always -1. */
int be_answer_ws(be_conn_t *c, be_req_t *q);
int be_answer_upgrade(be_conn_t *c, be_req_t *q);

/** Parse a script. @return it, or NULL with a sentence in err. */
be_script_t *be_script_parse(const char *text, size_t len, be_str_t *err);
/** The script for a path (its nth request) or, path NULL, for a connection; NULL when there is
 * none. Locks. */
const be_script_t *be_script_find(rp_backend_t *be, const char *path, unsigned ordinal);
/** @return 0: the connection may go on, -1: close it. */
int be_script_run(be_conn_t *c, const be_script_t *s);
void be_script_free(be_script_t *s);

/** Raise a signal; forever: it never runs out. Takes the lock. */
void be_signal_raise(rp_backend_t *be, const char *name, uint64_t count, int forever);
/** Wait for a signal and use it up. @return 0, -1 when the backend stops. */
int be_signal_wait(rp_backend_t *be, const char *name);

/** Serve the control port (thread function of its connections). */
int be_control_serve(rp_backend_t *be, int fd);
/** Run one command into *out. @return 0 or -1. */
int be_command(rp_backend_t *be, const char *text, size_t len, be_str_t *out);

#endif
