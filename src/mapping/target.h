/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file target.h
 * Destination URLs while they are being made: where the authority ends, what comes before the path,
 * joining a rule's target with the rest of the path, and telling whether a client wrote something.
 * Pure: libc and APR only.
 */
#ifndef RP_MAPPING_TARGET_H
#define RP_MAPPING_TARGET_H

#include "mapping/expand.h"
#include "wire/url.h"

/** Begins r->filename of a proxied request, and SetHandler's text. */
#define RP_PROXY_PREFIX     "proxy:"
#define RP_PROXY_PREFIX_LEN 6

/** 1 when text starts with "unix:" in any case. */
int rp_text_is_uds(const char *text);

/**
 * Where the authority of a URL lies: text[*start .. *end). Without "//" it is empty and lies behind
 * the scheme's colon.
 * @param uds 1: text is `unix:/socket|URL`, look behind the '|'
 * @return 1, or 0 when there is no scheme
 */
int rp_authority_find(const char *text, int uds, apr_size_t *start, apr_size_t *end);

/**
 * A destination up to its path, taken apart. Nearly always that part is written in the
 * configuration and so the same for all requests of a rule; then it is made when the configuration
 * is read.
 */
typedef struct rp_base_t {
    rp_url_t url;         /**< path is "" */
    apr_size_t written;   /**< bytes of the text it was made from; the path is what follows */
    const char *text;     /**< RP_PROXY_PREFIX and the normal form, without the socket */
    apr_size_t len;       /**< of text */
    const char *balancer; /**< "balancer://name[:port]" in lower case, or NULL */
} rp_base_t;

/**
 * Take a destination text apart up to its path (which may hold any bytes).
 * @param pool pays for the strings of out
 * @param allow_uds 1: a leading "unix:" is a socket; 0: it is an unknown scheme
 * @return APR_SUCCESS or the error of rp_url_parse with *err
 */
apr_status_t rp_base_parse(apr_pool_t *pool, const char *text, int allow_uds, rp_base_t *out,
                           rp_url_err_e *err) RP_WARN_UNUSED;

/**
 * The form in which two texts for one destination are the same: scheme and host in lower case, without the scheme's own port, the
 * path by rp_path_normal. A socket stays in front.
 * @param base of text. @param encoded 0: the path is a decoded one
 * @return in pool
 */
const char *rp_target_normal(apr_pool_t *pool, const char *text, const rp_base_t *base, int encoded);

/** 1 when url begins with prefix, both in normal form, and has the whole of its scheme, host and port. No boundary in the path. */
int rp_target_begins(const char *url, const char *prefix);

/** The path of a destination: what follows its base, with a '/' in front if it has none; "/" when
 * there is nothing. In pool, or rest itself. */
const char *rp_base_path(apr_pool_t *pool, const char *rest);

/**
 * Join the target of a prefix rule with what remained of the path: plain concatenation, no slash is
 * added or taken away
 * (`/foo http://h/bar/` and `/foo/x` make `/bar//x`). Only where the target has no path at all the
 * rest must start with '/'; a rest that starts with '?' or ';' (query, path parameters) gets one.
 * @param base of url, or NULL
 * @param out in pool, with RP_PROXY_PREFIX in front
 * @return APR_SUCCESS; APR_EINVAL with *err RP_MAP_NO_SLASH
 */
apr_status_t rp_target_join(apr_pool_t *pool, const char *url, const rp_base_t *base,
                            const char *rest, const char **out, rp_map_err_e *err) RP_WARN_UNUSED;

/**
 * The path and query of a request target as the client sent it, without scheme and authority of an
 * absolute form.
 * @return pointer into unparsed, or NULL when it has no path that starts with '/'
 */
const char *rp_target_raw(const char *unparsed);

/** 1 when needle (any case) is in text as it stands, percent-decoded once, or decoded twice. */
int rp_text_contains(apr_pool_t *pool, const char *text, const char *needle);

#endif
