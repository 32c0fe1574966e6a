/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file wire_unit.h
 * What the unit tests of src/wire share: a pool for each test, input literals that may hold NUL,
 * copies on the heap of just the right size (so that a sanitizer sees one byte too many), a small
 * random generator, main().
 */
#ifndef RP_WIRE_UNIT_H
#define RP_WIRE_UNIT_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_pools.h>
#include <check.h>

#include "../pool_case.h"

#define BYTES(literal)               \
    {                                \
        literal, sizeof(literal) - 1 \
    }

typedef struct bytes_t {
    const char *p;
    size_t n;
} bytes_t;

/** n bytes on the heap, nothing behind them. Free with free(). */
__attribute__((unused)) static char *exact_copy(const char *p, size_t n)
{
    char *copy = malloc(n ? n : 1);

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, p, n);
    return copy;
}

/** Numbers that are the same in each run. */
__attribute__((unused)) static uint32_t random_next(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

#endif
