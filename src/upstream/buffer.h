/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file buffer.h
 * Memory for bytes on their way: each thread keeps a few buffers that were freed on it, so that taking one costs next to nothing and
 * what a connection read an hour ago is not still its own. Pools and bucket allocators keep what was freed in them for the connection
 * whose they are; thousands of idle connections would keep a read buffer each.
 */
#ifndef RP_UPSTREAM_BUFFER_H
#define RP_UPSTREAM_BUFFER_H

#include <apr.h>
#include <apr_pools.h>

#define RP_BUFFER_RECORD 2032 /**< bytes; for what is kept of one request */
#define RP_BUFFER_SMALL 8176  /**< bytes; with what the allocator adds two pages */
#define RP_BUFFER_LARGE 65520 /**< bytes; for bodies that have shown to be large */

/**
 * A buffer of at least size bytes, for any thread; ends the process when there is no memory, as pools do. Sizes above RP_BUFFER_LARGE
 * are allowed and never kept.
 */
char *rp_buffer_get(apr_size_t size);
/** Bytes that a buffer of rp_buffer_get(size) has. */
apr_size_t rp_buffer_room(apr_size_t size);
/** Give a buffer back, on any thread; NULL is allowed. For apr_bucket_heap_create. */
void rp_buffer_free(void *buf);

/** The calling thread keeps up to that many of each kind from now on (at most RP_BUFFER_KEEP_MAX each; a thread that never says so
 * keeps two, one and one). Freed when the thread ends. */
void rp_buffer_keep(int records, int small, int large);
#define RP_BUFFER_KEEP_MAX 64

/** Memory for what does not outlive a step of an exchange: of one thread, or of one exchange. */
typedef struct rp_scratch_t {
    apr_pool_t *pool;
    unsigned uses;
} rp_scratch_t;

/** A pool that the caller may use until somebody calls this again. It is not cleared each time: that costs as much as what is made in it. */
static inline apr_pool_t *rp_scratch_use(rp_scratch_t *s)
{
    if ((++s->uses & 3) == 0) {
        apr_pool_clear(s->pool);
    }
    return s->pool;
}

/** How many of the kind of this size the calling thread keeps at the moment. */
int rp_buffer_kept(apr_size_t size);

#endif
