/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file head_scan.h
 * Finds the end of a request head in bytes that come in pieces, each byte looked at once. Says "give it to httpd" also when the
 * head can not become a good one: httpd then refuses it by its own rules, without having to wait for more. Pure.
 */
#ifndef RP_ENGINE_HEAD_SCAN_H
#define RP_ENGINE_HEAD_SCAN_H

#include <stddef.h>

#include "wire/slice.h"

typedef struct rp_head_limits_t {
    size_t line;    /**< LimitRequestLine */
    size_t field;   /**< LimitRequestFieldSize */
    size_t fields;  /**< LimitRequestFields, 0: any number */
} rp_head_limits_t;

typedef struct rp_head_scan_t {
    size_t in_line;      /**< bytes of the line under way, without CR and LF */
    size_t lines;        /**< whole lines so far: the request line and fields */
    int last_cr;         /**< the last byte was CR */
    int words;           /**< of the request line; 2: HTTP/0.9, no fields follow */
    int in_word;
    int done;            /**< give it to httpd */
    size_t bytes;        /**< of this head so far */
} rp_head_scan_t;

/** Begin a head. */
void rp_head_scan_reset(rp_head_scan_t *s);
/** Look at n more bytes. @return how many of them belong to the head: less than n when it ended before */
size_t rp_head_scan(rp_head_scan_t *s, const rp_head_limits_t *limits, const char *p, size_t n);

#endif
