/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file chunk_gate.h
 * How much of a chunked request body may be given to httpd's HTTP filter: that one waits for the trailers as soon as it sees the last
 * chunk, so the last chunk's line is held back until the whole trailer section is here (RFC 9112 7.1). Judges nothing: malformed
 * bytes pass, to be refused by the filter. Pure.
 */
#ifndef RP_ENGINE_CHUNK_GATE_H
#define RP_ENGINE_CHUNK_GATE_H

#include <apr.h>

#include "wire/slice.h"

typedef enum rp_chunk_gate_state_e {
    RP_GATE_SIZE = 0,  /**< digits of a chunk size */
    RP_GATE_EXT,       /**< rest of that line */
    RP_GATE_DATA,
    RP_GATE_DATA_END,  /**< CRLF behind the data */
    RP_GATE_TRAILER,   /**< behind the last chunk's line, in a line */
    RP_GATE_TRAILER_START, /**< ... at the start of one */
    RP_GATE_DONE,      /**< the body is whole: what follows is the next request */
    RP_GATE_BAD        /**< not chunked coding, or trailers too long: everything passes, the HTTP filter refuses it */
} rp_chunk_gate_state_e;

#define RP_GATE_HELD_MAX 16384 /**< bytes of a chunk size line, or of the last one and the trailers, that are held back */

typedef struct rp_chunk_gate_t {
    rp_chunk_gate_state_e state;
    apr_uint64_t size;     /**< of the chunk: read so far, or left */
    int digits;
    apr_off_t seen;        /**< bytes given in */
    apr_off_t safe;        /**< bytes, from the start of the body, that may be served */
    apr_off_t line_start;  /**< where the chunk size line under way began */
} rp_chunk_gate_t;

/** A body begins. */
void rp_chunk_gate_reset(rp_chunk_gate_t *g);
/** n more bytes have come. */
void rp_chunk_gate(rp_chunk_gate_t *g, const char *p, apr_size_t n);

#endif
