/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file chunked.h
 * Chunked transfer coding (RFC 9112 section 7.1), decoding and encoding. Incremental: the decoder
 * never keeps bytes, it tells which part of the input is data.
 */
#ifndef RP_WIRE_CHUNKED_H
#define RP_WIRE_CHUNKED_H

#include <apr_errno.h>

#include "wire/slice.h"

#define RP_CHUNK_LINE_MAX 4096     /**< longest chunk-size line with extensions, bytes */
#define RP_CHUNK_TRAILER_MAX 65536 /**< longest trailer section, bytes */
#define RP_CHUNK_EXT_EXCESS_MAX                                                                    \
    16384 /**< bytes of chunk extensions in a message beyond one for each byte of data */

typedef enum rp_chunk_err_e {
    RP_CHUNK_OK = 0,
    RP_CHUNK_BAD_SIZE, /**< not 1*HEXDIG, or above 2^63-1 */
    RP_CHUNK_BAD_EXT,  /**< control character in an extension */
    RP_CHUNK_BAD_END,  /**< no CRLF where one must be (bare LF and bare CR are refused) */
    RP_CHUNK_LINE_TOO_LONG,
    RP_CHUNK_TRAILER_TOO_LARGE,
    RP_CHUNK_BAD_TRAILER, /**< a trailer line that is no header line */
    RP_CHUNK_EXT_EXCESS   /**< many extensions, little data: RP_CHUNK_EXT_EXCESS_MAX (RFC 9112 7.1.1) */
} rp_chunk_err_e;

const char *rp_chunk_err_str(rp_chunk_err_e err);

typedef enum rp_chunk_state_e {
    RP_CHUNK_SIZE = 0,   /**< in the chunk-size line */
    RP_CHUNK_EXT,        /**< in its extensions */
    RP_CHUNK_SIZE_LF,    /**< after the CR of that line */
    RP_CHUNK_DATA,       /**< in chunk data */
    RP_CHUNK_DATA_CR,    /**< CR behind the data expected */
    RP_CHUNK_DATA_LF,    /**< LF behind the data expected */
    RP_CHUNK_TRAILER,    /**< at the start of or in a trailer line */
    RP_CHUNK_TRAILER_LF, /**< after a CR in the trailer section */
    RP_CHUNK_DONE,       /**< the message has ended */
    RP_CHUNK_FAILED      /**< err says why; sticky */
} rp_chunk_state_e;

/** Decoder. Zero it to start. */
typedef struct rp_chunk_dec_t {
    rp_chunk_state_e state;
    rp_chunk_err_e err;
    apr_uint64_t left;   /**< bytes of the current chunk still to come */
    apr_size_t line_len; /**< bytes of the current line / trailer section so far */
    apr_size_t excess;   /**< bytes of extensions that no data has paid for yet */
    int digits;          /**< hex digits seen */
    int line_started; /**< the current trailer line has bytes; in RP_CHUNK_EXT: the ';' was there */
    int line_colon;   /**< the current trailer line has its colon */
    rp_slice_t trailer; /**< the part of the last call's input that belongs to the trailer section,
                           line ends and the empty line included; for callers that want the trailers
                           (rp_h1_fields_parse) */
} rp_chunk_dec_t;

/**
 * Eat framing bytes and report the next run of data.
 * Call in a loop: each call consumes *consumed bytes of in[0..len); data->n > 0 says that those
 * data bytes (a slice of in) belong to the body. Ends with state RP_CHUNK_DONE; bytes behind the
 * message are not consumed.
 * @return APR_SUCCESS (data was found, or DONE), APR_EAGAIN (all consumed, no data, more needed),
 * APR_EINVAL (d->err; *consumed is the offset of the byte that cannot be)
 */
apr_status_t rp_chunk_decode(rp_chunk_dec_t *d, const char *in, apr_size_t len,
                             apr_size_t *consumed, rp_slice_t *data) RP_WARN_UNUSED;

#define RP_CHUNK_HEAD_MAX 18 /**< 16 hex digits and CRLF */

/** Write the line that opens a chunk of size bytes into out; size 0 opens the last chunk. @return
 * its length in bytes. */
apr_size_t rp_chunk_head(char out[RP_CHUNK_HEAD_MAX], apr_uint64_t size);

#endif
