/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of connections that wait. A connection's allocator keeps what its requests have freed for the next one, which is right as long
 * as that comes soon. A request that waits for its backend, a tunnel in which nothing moves and a client that is idle give it back to their
 * loop, which lends some to those that go on: thousands would keep more for later than they use, and asking the system each time
 * costs as much as a request.
 */
#include "engine/owned_int.h"

#define KEEP_FREE 32768 /* bytes that a connection's allocator keeps for its next request */
#define LOOK_WORDS 128  /* a kilobyte: all in the block's first page */
#define TRIM_MOST 8     /* blocks given back at once; KEEP_FREE has room for no more than four */
#define STASH_MOST 64   /* blocks that a loop keeps for its connections */
#define LEND 2          /* blocks that answering takes beyond those that waiting does: the request's pool, the head's buffer */

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

/* To the loop, for whoever of its connections needs it next; blocks belong to no allocator. What is too much goes to the system. */
static void stash(rp_engine_loop_t *el, apr_memnode_t *node)
{
    if (el->nstash < STASH_MOST) {
        node->next = el->stash;
        el->stash = node;
        el->nstash++;
    }
    else {
        node->next = NULL;
        apr_allocator_free(apr_pool_allocator_get(el->scratch.pool), node);
    }
}

/* One of those kept, or a new one: what a connection takes from the system by itself nobody could count, and it would keep that until it is trimmed. */
static apr_memnode_t *unstash(rp_engine_loop_t *el)
{
    apr_memnode_t *node = el->stash;

    if (node == NULL) {
        return apr_allocator_alloc(apr_pool_allocator_get(el->scratch.pool), 1);
    }
    el->stash = node->next;
    el->nstash--;
    return node;
}

void rp_trim_end(rp_engine_loop_t *el)
{
    if (el->stash != NULL) {
        apr_allocator_free(apr_pool_allocator_get(el->scratch.pool), el->stash); /* takes a whole list */
        el->stash = NULL;
        el->nstash = 0;
    }
}

/* As many as were lent to it. */
static void take_back(rp_owned_t *o, apr_allocator_t *a)
{
    for (; o->lent > 0; o->lent--) {
        apr_memnode_t *node = apr_allocator_alloc(a, 1);

        if (node != NULL) {
            stash(o->el, node);
        }
    }
}

/* All that it has. */
static void take_all(rp_owned_t *o, apr_allocator_t *a)
{
    int n, used = 1;

    for (n = 0; n < TRIM_MOST && used; n++) {
        apr_memnode_t *node = apr_allocator_alloc(a, 1);

        if (node == NULL) {
            break;
        }
        used = was_used(node);
        stash(o->el, node);
    }
}

void rp_owned_trim(rp_owned_t *o)
{
    apr_allocator_t *a = apr_pool_allocator_get(o->c->pool);

    o->trimmed = o->trimmed_once = 1;
    if (o->lent > 0) {
        take_back(o, a);
    }
    else {
        take_all(o, a);
    }
}

void rp_owned_lend(rp_owned_t *o)
{
    rp_engine_loop_t *el = o->el;
    apr_allocator_t *a = apr_pool_allocator_get(o->c->pool);

    o->trimmed = 0;
    while (o->lent < LEND) {
        apr_memnode_t *node = unstash(el);

        if (node == NULL) {
            return;
        }
        node->next = NULL;
        apr_allocator_free(a, node);
        o->lent++;
    }
}
