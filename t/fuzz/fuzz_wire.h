/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fuzz_wire.h
 * What the fuzz targets of src/wire share: an assertion that stays in release builds, a pool that
 * is emptied for each input, copies of just the right size.
 */
#ifndef RP_FUZZ_WIRE_H
#define RP_FUZZ_WIRE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_pools.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_ASSERT(cond)                                                        \
    do {                                                                         \
        if (!(cond)) {                                                           \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #cond); \
            abort();                                                             \
        }                                                                        \
    } while (0)

/** An empty pool, good until the next call. */
static apr_pool_t *fuzz_pool(void)
{
    static apr_pool_t *pool;

    if (pool) {
        apr_pool_clear(pool);
    }
    else {
        FUZZ_ASSERT(apr_initialize() == APR_SUCCESS);
        FUZZ_ASSERT(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    }
    return pool;
}

/** n bytes on the heap, nothing behind them. Free with free(). */
__attribute__((unused)) static char *fuzz_copy(const void *p, size_t n)
{
    char *copy = malloc(n ? n : 1);

    FUZZ_ASSERT(copy != NULL);
    if (n) {
        memcpy(copy, p, n);
    }
    return copy;
}

/** n bytes and a terminator on the heap. Free with free(). */
__attribute__((unused)) static char *fuzz_string(const void *p, size_t n)
{
    char *copy = malloc(n + 1);

    FUZZ_ASSERT(copy != NULL);
    if (n) {
        memcpy(copy, p, n);
    }
    copy[n] = '\0';
    return copy;
}

#endif
