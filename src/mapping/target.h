/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file target.h
 * Destination URLs while they are being made: where the authority ends, joining a rule's target
 * with the rest of the path, taking the finished text apart, and telling whether a client wrote
 * something. Pure: libc and APR only.
 */
#ifndef RP_MAPPING_TARGET_H
#define RP_MAPPING_TARGET_H

#include "mapping/expand.h"
#include "wire/url.h"

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
 * Join the target of a prefix rule with what remained of the path: plain concatenation, no slash is
 * added or taken away
 * (`/foo http://h/bar/` and `/foo/x` make `/bar//x`). Only where the target has no path at all the
 * rest must start with '/'; a rest that starts with '?' or ';' (query, path parameters) gets one.
 * @return APR_SUCCESS; APR_EINVAL with *err RP_MAP_NO_SLASH
 */
apr_status_t rp_target_join(apr_pool_t *pool, const char *url, const char *rest, const char **out,
                            rp_map_err_e *err) RP_WARN_UNUSED;

/**
 * Split a destination text into its authority and its path (the path may hold any bytes).
 * @param allow_uds 1: a leading "unix:" is a socket; 0: it is an unknown scheme
 * @param out  as rp_url_parse fills it; path is "" there
 * @param path from the authority's end, with a '/' in front if it had none; "/" when empty
 * @return APR_SUCCESS or the error of rp_url_parse with *err
 */
apr_status_t rp_target_split(apr_pool_t *pool, const char *text, int allow_uds, rp_url_t *out,
                             const char **path, rp_url_err_e *err) RP_WARN_UNUSED;

/**
 * The path and query of a request target as the client sent it, without scheme and authority of an
 * absolute form.
 * @return pointer into unparsed, or NULL when it has no path that starts with '/'
 */
const char *rp_target_raw(const char *unparsed);

/** 1 when needle (any case) is in text as it stands, percent-decoded once, or decoded twice. */
int rp_text_contains(apr_pool_t *pool, const char *text, const char *needle);

#endif
