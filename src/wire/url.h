/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file url.h
 * URLs of backends: taking them apart, normal form, path encoding, prefix match of mapping rules.
 * Pure.
 */
#ifndef RP_WIRE_URL_H
#define RP_WIRE_URL_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "wire/slice.h"

#define RP_URL_MAX 8192 /**< longest backend URL, bytes */
#define RP_URL_HOST_MAX 255
#define RP_URL_SCHEME_MAX 15
#define RP_URL_UDS_MAX 95 /**< longest unix socket path, bytes */

/** A backend URL taken apart. All strings NUL-terminated, from the pool handed in. */
typedef struct rp_url_t {
    const char *scheme; /**< lower case */
    const char *host;   /**< lower case; IPv6 without brackets */
    int ipv6;           /**< host is an IPv6 literal */
    int port;         /**< 1..65535; the scheme's default when none was written, 0 when it has none
                         (balancer://c) */
    int port_given;   /**< a port was written */
    int port_default; /**< port is the scheme's default (0 for schemes without one) */
    const char *path; /**< from the first '/' (or '?' or '#' right behind the authority), or "" when
                         there is none; query and fragment included as written */
    const char *uds;  /**< path of the unix socket, or NULL */
} rp_url_t;

typedef enum rp_url_err_e {
    RP_URL_OK = 0,
    RP_URL_TOO_LONG,
    RP_URL_NO_SCHEME,
    RP_URL_BAD_SCHEME,
    RP_URL_NO_HOST,
    RP_URL_BAD_HOST,
    RP_URL_BAD_PORT,
    RP_URL_BAD_UDS, /**< "unix:" without path, without '|', or too long */
    RP_URL_CTL      /**< control character or space in the URL */
} rp_url_err_e;
/** A sentence fragment for a message: "has no host", "port is not 1..65535" ... */
const char *rp_url_err_str(rp_url_err_e err);

/** Port of a scheme: http/ws 80, https/wss 443, fcgi 8000, ajp 8009, scgi 4000, uwsgi 3031, ftp 21,
 * h2c 80, h2 443; 0 for others. */
int rp_url_default_port(const char *scheme);

/**
 * Parse `scheme://[userinfo@]host[:port][/path]` or `unix:/socket|scheme:[//host[:port]][/path]`
 * (userinfo is dropped; with unix: a missing host becomes "localhost"). No zone ids. "unix:" is
 * only recognised when allow_uds is 1: text that came from a client never gets there.
 */
apr_status_t rp_url_parse(apr_pool_t *pool, const char *s, int allow_uds, rp_url_t *out,
                          rp_url_err_e *err) RP_WARN_UNUSED;

/** Normal form `scheme://host[:port]path`: default port dropped, IPv6 in brackets. Without the
 * socket path. */
const char *rp_url_str(apr_pool_t *pool, const rp_url_t *u);

/** `host` or `host:port` as it goes into a Host header (default port of the scheme dropped,
 * brackets). */
const char *rp_url_authority(apr_pool_t *pool, const rp_url_t *u);

/**
 * The one spelling that all equal spellings of an encoded path have: what needs no escape has none (but "%2F", which is no '/'), all
 * else has one in upper case; a '%' that begins no escape is "%25". From '?' on the text stays as it is.
 * @return in pool, NUL-terminated
 */
const char *rp_path_normal(apr_pool_t *pool, const char *path);

/**
 * Encode a decoded path for the request line: alnum and ~ $ - _ . + ! * ' ( ) , ; : @ & = / stay,
 * all else becomes %XX in upper case hex. @param keep_slash_escapes 1: "%2F"/"%2f" already in the
 * path stay as they are (AllowEncodedSlashes NoDecode); any other '%' is encoded.
 * @return in pool, NUL-terminated
 */
const char *rp_path_encode(apr_pool_t *pool, const char *path, apr_size_t n,
                           int keep_slash_escapes);

/** 1 when no byte is a control character, DEL or space: fit for a request target. */
int rp_target_ok(const char *s, apr_size_t n);

/**
 * Prefix match of a mapping rule: runs of '/' in the rule match runs of '/' in the uri; the match
 * must end at '/' or at the end of uri unless the rule itself ends in '/'. Case-sensitive.
 * @return number of bytes of uri that matched, 0 for no match
 */
apr_size_t rp_prefix_match(const char *uri, const char *rule);

/**
 * Match for mapping=servlet: path parameters (;x=y) are ignored for comparison, dot segments and
 * empty segments resolved per segment. @param rest what of uri remains behind the match, parameters
 * of the last matched segment first
 * (`/some;a=1/path/;b=2/c` with rule `/some/path` -> `/;b=2/c`; `/some/path;j=1` -> "";
 * `/some/path;j=1/x;y=2` -> `;j=1/x;y=2`)
 * @param clean uri without any parameters. @return APR_SUCCESS, APR_NOTFOUND
 */
apr_status_t rp_servlet_match(apr_pool_t *pool, const char *uri, const char *rule,
                              const char **rest, const char **clean) RP_WARN_UNUSED;

#endif
