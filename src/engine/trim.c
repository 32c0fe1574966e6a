/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of connections that wait. A connection's allocator keeps what its requests have freed for the next one, which is right as long
 * as that comes soon. Of a request that waits for its backend, of a tunnel in which nothing moves and of a client that is idle it is given back to the
 * system: thousands of them would keep more for later than they use.
 */
#include "engine/owned_int.h"

#define KEEP_FREE 32768 /* bytes that a connection's allocator keeps for its next request */
#define LOOK_WORDS 128  /* a kilobyte: all in the block's first page */
#define TRIM_MOST 8     /* blocks given back at once; KEEP_FREE has room for no more than four */

void rp_owned_trim_init(rp_owned_t *o)
{
    apr_allocator_max_free_set(apr_pool_allocator_get(o->c->pool), KEEP_FREE);
}

/* A block straight from the system holds zeros; an allocator that has one of its own gives that first. */
static int was_used(const apr_memnode_t *node)
{
    const apr_uint64_t *word = (const apr_uint64_t *)((const char *)node + APR_MEMNODE_T_SIZE);
    int i;

    for (i = 0; i < LOOK_WORDS && word[i] == 0; i++) {
        /* what was made there first may well begin with zeros */
    }
    return i < LOOK_WORDS;
}

void rp_owned_trim(rp_owned_t *o, apr_size_t keep)
{
    apr_allocator_t *a = apr_pool_allocator_get(o->c->pool);
    apr_memnode_t *taken = NULL;
    int n;

    o->trimmed = 1;
    for (n = 0; n < TRIM_MOST; n++) {
        apr_memnode_t *node = apr_allocator_alloc(a, 1);

        if (node == NULL) {
            break;
        }
        node->next = taken;
        taken = node;
        if (!was_used(node)) {
            break;
        }
    }
    apr_allocator_max_free_set(a, keep > 0 ? keep : 1); /* 0 would be no limit; 1 is less than any block has */
    if (taken != NULL) {
        apr_allocator_free(a, taken);
    }
    apr_allocator_max_free_set(a, KEEP_FREE);
}
