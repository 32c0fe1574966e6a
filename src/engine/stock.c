/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of connections that come and go. The MPM uses pools again that it gets back, and makes one anew for a connection when it has none, as after
 * those that were given to a loop. All blocks would come from the system and go there again, which costs more than the request: a
 * mapping, its pages, and an interruption of all threads when it goes. So what a closed connection has is kept here, for the next one.
 */
#include "engine/owned_int.h"

#include <pthread.h>

#define BUNDLES_MOST 64 /* 2 MB; as many connections may open at once as have closed at once before */

/* What one connection has had, at most RP_STOCK_LEND blocks; they belong to no allocator. */
typedef struct bundle_t {
    apr_memnode_t *first;
    int n;
} bundle_t;

static struct {
    pthread_mutex_t mutex;
    bundle_t bundles[BUNDLES_MOST];
    int n;
} stock = {.mutex = PTHREAD_MUTEX_INITIALIZER};

int rp_stock_lend(apr_allocator_t *a)
{
    bundle_t got = {0};

    (void)pthread_mutex_lock(&stock.mutex);
    if (stock.n > 0) {
        got = stock.bundles[--stock.n];
    }
    (void)pthread_mutex_unlock(&stock.mutex);
    if (got.first != NULL) {
        apr_allocator_free(a, got.first); /* takes a whole list */
    }
    return got.n;
}

/* 0: there is no room. */
static int put(apr_memnode_t *first, int n)
{
    int has_room;

    (void)pthread_mutex_lock(&stock.mutex);
    has_room = stock.n < BUNDLES_MOST;
    if (has_room) {
        stock.bundles[stock.n].first = first;
        stock.bundles[stock.n++].n = n;
    }
    (void)pthread_mutex_unlock(&stock.mutex);
    return has_room;
}

/* Free blocks of an allocator, as a list. */
static apr_memnode_t *gather(apr_allocator_t *a, int *n)
{
    apr_memnode_t *first = NULL, *large = NULL;
    int most = *n;

    for (*n = 0; *n < most && large == NULL; ) {
        apr_memnode_t *node = apr_allocator_alloc(a, 1);

        if (node == NULL) {
            break;
        }
        if (node->endp - (char *)node > RP_STOCK_BLOCK) {
            large = node; /* it has no more small ones */
            continue;
        }
        node->next = first;
        first = node;
        (*n)++;
    }
    if (large != NULL) {
        large->next = NULL;
        apr_allocator_free(a, large);
    }
    return first;
}

void rp_stock_take(apr_allocator_t *a, int n)
{
    apr_memnode_t *first = gather(a, &n);

    if (first != NULL && !put(first, n)) {
        apr_allocator_free(a, first);
    }
}

void rp_stock_clear(apr_pool_t *pool, int n)
{
    apr_allocator_t *a = apr_pool_allocator_get(pool);

    apr_pool_clear(pool);
    rp_stock_take(a, n);
    apr_allocator_max_free_set(a, 1); /* the pool's first block goes to the system, too */
}

void rp_stock_end(apr_allocator_t *a)
{
    while (rp_stock_lend(a) > 0) {
        /* all */
    }
}
