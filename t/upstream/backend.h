/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file backend.h
 * A scripted HTTP/1.1 backend for tests: it answers by path, or does what a small script tells it
 * to (send these exact bytes, stop in the middle, reset), and remembers what arrived. Perl tests
 * run it as the program rp_backend, C tests start it in their own process with the functions below.
 * libc and pthreads only; TLS when built with RP_BACKEND_LIBSSL.
 *
 * One command language serves both worlds: docs in be_control.c (commands) and be_script.c
 * (scripts).
 */
#ifndef RP_T_UPSTREAM_BACKEND_H
#define RP_T_UPSTREAM_BACKEND_H

#include <stddef.h>

/** A running backend. All functions may be called from any thread. */
typedef struct rp_backend_t rp_backend_t;

/** The listening sockets of a backend. */
typedef enum rp_backend_listener_e {
    RP_BACKEND_PLAIN = 0, /**< 127.0.0.1, always there */
    RP_BACKEND_IPV6,      /**< [::1], the number of the plain port where that is free */
    RP_BACKEND_TLS,       /**< 127.0.0.1 with TLS */
    RP_BACKEND_UNIX,      /**< a unix socket; has no port */
    RP_BACKEND_CONTROL,   /**< 127.0.0.1, the command language */
    RP_BACKEND_LISTENERS
} rp_backend_listener_e;

/** What to start. Strings are borrowed until rp_backend_start() returns. All fields may be zero. */
typedef struct rp_backend_opts_t {
    const char *name;      /**< value of X-Backend in every answer; "backend" when NULL */
    const char *unix_path; /**< also listen on this path; an old socket there is removed */
    const char *tls_cert;  /**< PEM certificate chain; also listen with TLS */
    const char *tls_key;   /**< PEM key of tls_cert */
    const char *tls_ca;    /**< PEM; ask clients for a certificate signed by it and require one */
    int ipv6;              /**< also listen on [::1] */
} rp_backend_opts_t;

/**
 * Start a backend on ephemeral ports; it serves when the call returns.
 * @param pbe set to the backend, NULL on error; the caller ends it with rp_backend_stop().
 * @return 0 or an errno value (ENOTSUP: TLS asked for but not built in).
 */
int rp_backend_start(rp_backend_t **pbe, const rp_backend_opts_t *opts);

/** Port number of a listener in host order; 0 when it has none. */
int rp_backend_port(const rp_backend_t *be, rp_backend_listener_e which);

/**
 * Run one command, as over the control port.
 * @param text the command: its first line, then (for `script`) the lines of a script.
 * @param preply set to the NUL-terminated answer, malloc'd, the caller frees it; may hold NUL bytes
 * before *plen. NULL: not wanted.
 * @param plen set to its length; may be NULL.
 * @return 0 when the command was carried out, -1 when it was refused or timed out (the answer says
 * why).
 */
int rp_backend_command(rp_backend_t *be, const char *text, size_t len, char **preply, size_t *plen);

/** End all connections and threads and free everything. NULL is allowed. Not from a backend thread.
 */
void rp_backend_stop(rp_backend_t *be);

#endif
