/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file h1_resp.h
 * The head of an HTTP/1.x response (RFC 9112 section 4 and 5), in two steps: find its end
 * incrementally, each byte looked at once (rp_h1_scan), then dissect it in place
 * (rp_h1_resp_parse). Parse, then decide: nothing here chooses the framing, see framing.h. Pure: no
 * clock, no I/O, any thread.
 */
#ifndef RP_WIRE_H1_RESP_H
#define RP_WIRE_H1_RESP_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "wire/slice.h"

/** Why a head was refused. The order is part of log and metrics: append only. */
typedef enum rp_h1_err_e {
    RP_H1_OK = 0,
    RP_H1_NOT_HTTP,        /**< does not start like HTTP/1.x (HTTP/0.9, HTTP/2, garbage) */
    RP_H1_BAD_STATUS,      /**< status code is not three digits 100..999 */
    RP_H1_LINE_TOO_LONG,   /**< one line is not shorter than max_line */
    RP_H1_HEAD_TOO_LARGE,  /**< all lines together exceed max_head */
    RP_H1_TOO_MANY_FIELDS, /**< more than max_fields header lines */
    RP_H1_NUL,             /**< a NUL byte */
    RP_H1_BARE_CR,         /**< CR that no LF follows */
    RP_H1_CTL,             /**< another control character in a value or the reason phrase */
    RP_H1_OBS_FOLD,        /**< a line that starts with white space (RFC 9112 5.2) */
    RP_H1_SPACE_COLON,     /**< white space between field name and colon (RFC 9112 5.1) */
    RP_H1_BAD_NAME,        /**< empty field name or a byte that is no tchar */
    RP_H1_NO_COLON,        /**< a line without colon (subject to rp_h1_badline_e) */
    RP_H1_EOF /**< input ended inside the head (set by the caller, by rp_h1_scan_eof, and by the
                 parser only when it is handed less than a whole head) */
} rp_h1_err_e;

/** Short stable name, e.g. "bare-cr"; never NULL. */
const char *rp_h1_err_str(rp_h1_err_e err);

/**
 * What a header line without colon means: ProxyBadHeader. One kind of line is dropped whatever this
 * says: a second status line ("HTTP/x.y NNN") among the fields. A line that starts with white space
 * is never a line without colon.
 */
typedef enum rp_h1_badline_e {
    RP_H1_BADLINE_ERROR = 0, /**< IsError: refuse the head */
    RP_H1_BADLINE_IGNORE,    /**< Ignore: drop the line */
    RP_H1_BADLINE_STARTBODY /**< StartBody: the head ends before this line; the line is the first of
                               the body. A line without colon in its first max_line bytes is one
                               too. */
} rp_h1_badline_e;

typedef struct rp_h1_limits_t {
    apr_size_t max_line; /**< longest line in bytes without line end (responsefieldsize), >= 64 */
    apr_size_t max_head; /**< longest head in bytes, all line ends included */
    int max_fields;      /**< most header lines, >= 0; lines that are dropped count for the scan */
    rp_h1_badline_e badline;
} rp_h1_limits_t;

/** State of the search for the end of the head. Zero it to start. One leading empty line is
 * allowed. */
typedef struct rp_h1_scan_t {
    apr_size_t seen;       /**< bytes already scanned */
    apr_size_t line_start; /**< offset of the current line's first byte */
    int lines;             /**< complete lines so far, a leading empty one not counted */
    int lead_empty;        /**< 1 after the one tolerated leading empty line */
    rp_h1_err_e err;       /**< set with APR_EINVAL */
} rp_h1_scan_t;

/**
 * Look for the end of a head in buf[0..len); call again with the same bytes and more behind them.
 * Fails as early as the bytes allow (an answer that does not start with "HTTP/1." is refused at its
 * first wrong byte), so that a backend that is not HTTP is found without waiting for a line end.
 * @param head_len  on success: bytes of the head, including the empty line that ends it. With
 *                  RP_H1_BADLINE_STARTBODY the head may end before a line without colon.
 * @return APR_SUCCESS, APR_EAGAIN (needs more bytes), APR_EINVAL (s->err says why)
 */
apr_status_t rp_h1_scan(rp_h1_scan_t *s, const rp_h1_limits_t *lim, const char *buf, apr_size_t len,
                        apr_size_t *head_len) RP_WARN_UNUSED;

/**
 * The backend closed after buf[0..len), which rp_h1_scan has seen and answered with APR_EAGAIN.
 * @return APR_SUCCESS when RP_H1_BADLINE_STARTBODY makes a body of an unfinished last line
 * (*head_len as above); else APR_EINVAL, s->err is RP_H1_EOF
 */
apr_status_t rp_h1_scan_eof(rp_h1_scan_t *s, const rp_h1_limits_t *lim, const char *buf,
                            apr_size_t len, apr_size_t *head_len) RP_WARN_UNUSED;

/** One header line; name and value are NUL-terminated in place, trailing/leading OWS removed. */
typedef struct rp_h1_field_t {
    char *name;
    char *value;
    apr_size_t name_len;
    apr_size_t value_len;
    int id; /**< rp_hdr_e of headers.h when the name is known there, else 0 */
} rp_h1_field_t;

typedef struct rp_h1_resp_t {
    int minor;             /**< 0 or 1 (a higher minor is treated as 1) */
    int status;            /**< 100..999 */
    const char *reason;    /**< NUL-terminated, may be "" */
    rp_h1_field_t *fields; /**< in the order of the wire */
    int nfields;
    rp_h1_err_e err;    /**< set with APR_EINVAL */
    apr_size_t err_pos; /**< offset in buf where the error was seen */
} rp_h1_resp_t;

/**
 * Dissect a whole head found by rp_h1_scan, in place: buf is written to (terminators), the result
 * points into it and lives as long as buf; the array of fields is allocated from pool.
 * 1xx heads are parsed by the same rules as final ones.
 * @return APR_SUCCESS or APR_EINVAL (out->err, out->err_pos)
 */
apr_status_t rp_h1_resp_parse(rp_h1_resp_t *out, apr_pool_t *pool, const rp_h1_limits_t *lim,
                              char *buf, apr_size_t head_len) RP_WARN_UNUSED;

/**
 * Dissect field lines that have no status line before them: a trailer section collected from
 * rp_chunk_dec_t.trailer. Same rules, same lifetime; status and minor stay 0.
 * @return APR_SUCCESS or APR_EINVAL (out->err, out->err_pos)
 */
apr_status_t rp_h1_fields_parse(rp_h1_resp_t *out, apr_pool_t *pool, const rp_h1_limits_t *lim,
                                char *buf, apr_size_t len) RP_WARN_UNUSED;

#endif
