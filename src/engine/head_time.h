/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file head_time.h
 * How long a client may take for a request head and for its TLS handshake while no thread waits for it: what RequestReadTimeout (mod_reqtimeout)
 * says of header= and handshake=, which only looks while somebody reads. That module tells nobody its values, so its lines are read from the configuration tree.
 */
#ifndef RP_ENGINE_HEAD_TIME_H
#define RP_ENGINE_HEAD_TIME_H

#include <httpd.h>
#include <http_config.h>

/** header=first-most,MinRate=rate, and so handshake= */
typedef struct rp_head_time_t {
    apr_interval_time_t first_us; /**< for the first bytes; 0: no limit but Timeout between any two of them */
    apr_interval_time_t most_us;  /**< in all; 0: as much as bytes buy */
    apr_interval_time_t byte_us;  /**< bought by each byte */
} rp_head_time_t;

/** As long as this for a head, or a handshake, of so many bytes. Pure; first_us is not 0. */
apr_interval_time_t rp_head_time_for(const rp_head_time_t *ht, apr_size_t bytes);

/** What the last key ("header=", "handshake=") of one RequestReadTimeout line says. 1: it says something, which is in *out. Pure. */
int rp_head_time_parse(const char *args, const char *key, rp_head_time_t *out);

/** Parent, post_config: read all lines below tree. p: the configuration's. */
void rp_head_time_read(apr_pool_t *p, server_rec *main_server, const ap_directive_t *tree);

/** Of the server that a connection came to; never NULL, lives as long as the configuration. mod_reqtimeout's defaults where nothing is written. */
const rp_head_time_t *rp_head_time_of(const server_rec *s);

/** The same of TLS handshakes: first_us is 0, no limit but Timeout, where nothing is written. */
const rp_head_time_t *rp_head_time_handshake(const server_rec *s);

#endif
