/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file slice.h
 * A run of bytes that somebody else owns: pointer and length, no terminator promised unless the
 * function that made it says so. Lives as long as the buffer it points into.
 */
#ifndef RP_WIRE_SLICE_H
#define RP_WIRE_SLICE_H

#include <apr.h>

typedef struct rp_slice_t {
    const char *p; /**< first byte; NULL only when n is 0 */
    apr_size_t n;  /**< length in bytes */
} rp_slice_t;

#define RP_WARN_UNUSED __attribute__((warn_unused_result))

#endif
