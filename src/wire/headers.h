/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file headers.h
 * Which header fields exist for a proxy, and what it does with each: hop-by-hop rules (RFC
 * 9110 7.6.1), fields we write ourselves, validity of names and values. Pure.
 */
#ifndef RP_WIRE_HEADERS_H
#define RP_WIRE_HEADERS_H

#include <apr_tables.h>

#include "wire/slice.h"

/** Fields the proxy treats by name. 0 is "any other". */
typedef enum rp_hdr_e {
    RP_HDR_OTHER = 0,
    RP_HDR_CONNECTION,
    RP_HDR_PROXY_CONNECTION,
    RP_HDR_KEEP_ALIVE,
    RP_HDR_TE,
    RP_HDR_TRAILER,
    RP_HDR_UPGRADE,
    RP_HDR_TRANSFER_ENCODING,
    RP_HDR_CONTENT_LENGTH,
    RP_HDR_CONTENT_TYPE,
    RP_HDR_HOST,
    RP_HDR_EXPECT,
    RP_HDR_MAX_FORWARDS,
    RP_HDR_VIA,
    RP_HDR_DATE,
    RP_HDR_EXPIRES,
    RP_HDR_LAST_MODIFIED,
    RP_HDR_SET_COOKIE,
    RP_HDR_WARNING,
    RP_HDR_PROXY_AUTHENTICATE,
    RP_HDR_PROXY_AUTHORIZATION,
    RP_HDR_AUTHORIZATION,
    RP_HDR_WWW_AUTHENTICATE,
    RP_HDR_X_FORWARDED_FOR,
    RP_HDR_X_FORWARDED_HOST,
    RP_HDR_X_FORWARDED_SERVER,
    RP_HDR_X_FORWARDED_PROTO,
    RP_HDR_IF_MATCH,
    RP_HDR_IF_NONE_MATCH,
    RP_HDR_IF_MODIFIED_SINCE,
    RP_HDR_IF_UNMODIFIED_SINCE,
    RP_HDR_IF_RANGE,
    RP_HDR_LOCATION,
    RP_HDR_SERVER,
    RP_HDR_COUNT
} rp_hdr_e;

/** Look a field name up, case-insensitively; fast (at most one name is compared). */
rp_hdr_e rp_hdr_id(const char *name, apr_size_t n);

/** 1 when every byte is a tchar and n > 0 (RFC 9110 5.6.2). */
int rp_hdr_name_ok(const char *name, apr_size_t n);

/** 1 when no byte is a control character other than HTAB (obs-text is allowed). */
int rp_hdr_value_ok(const char *value, apr_size_t n);

/** 1 when the comma-separated list holds the token, case-insensitively. list may be NULL. */
int rp_list_has_token(const char *list, const char *token);

/** Iterate a comma-separated list: *cursor starts at the list, OWS and empty members are skipped.
 * @return 1 and the member in *out, or 0 at the end. Quoted strings are kept whole. */
int rp_list_next(const char **cursor, rp_slice_t *out);

/**
 * Set of field names that the Connection field(s) of a message nominate for removal. Bounded: more
 * than RP_CONNTOK_MAX tokens make the message malformed.
 */
#define RP_CONNTOK_MAX 32
typedef struct rp_conntok_t {
    rp_slice_t tok[RP_CONNTOK_MAX]; /**< slices of the field values handed in */
    int n;
    int close;     /**< "close" was there */
    int keepalive; /**< "keep-alive" was there */
    int upgrade;   /**< "upgrade" was there */
} rp_conntok_t;

/** Make an empty set; the slots for tokens stay as they are. */
static inline void rp_conntok_init(rp_conntok_t *set)
{
    set->n = set->close = set->keepalive = set->upgrade = 0;
}

/** Add the tokens of one Connection value. @return APR_SUCCESS, APR_ENOSPC (too many), APR_EINVAL
 * (not a token) */
apr_status_t rp_conntok_add(rp_conntok_t *set, const char *value) RP_WARN_UNUSED;

/** 1 when the field called name must not be forwarded: nominated by the set. Framing and end-to-end
 * fields that a Connection header has no right to take away (Host, Content-Length, Cache-Control
 * ...) are still reported: it is the caller who writes its own Host, X-Forwarded-*, Via and framing
 * afterwards. */
int rp_conntok_has(const rp_conntok_t *set, const char *name, apr_size_t n);

/** 1 for a field that is never forwarded in a request / in a response because it is hop-by-hop or
 * rebuilt by us: requests: Host, Expect, framing and connection fields; responses: framing and
 * connection fields. Content-Length is among the latter: the caller writes it from
 * rp_framing_t.length, which has merged "5, 5" into one number. */
int rp_hdr_req_dropped(rp_hdr_e id);
int rp_hdr_resp_dropped(rp_hdr_e id);

/** May this field appear in a trailer section that is passed on? (RFC 9110 6.5.1: no framing,
 * routing, auth, cookies.) */
int rp_hdr_trailer_ok(const char *name, apr_size_t n);

#endif
