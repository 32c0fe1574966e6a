/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table of texts, asked with a running hash; a map of the lengths that occur answers most questions at once. */
#include "wire/prefixes.h"

#include <string.h>

#define SLOTS_FIRST 16
#define LENGTHS_FIRST 64

typedef struct slot_t {
    rp_prefix_t *first, *last; /* in the order in which they were added */
} slot_t;

struct rp_prefixes_t {
    apr_pool_t *pool;
    slot_t *slots;
    apr_uint32_t nslots;   /* a power of two, at least as many as texts */
    apr_uint32_t n;
    char *has_length;      /* [0..room): 1 where a text has that length */
    apr_uint32_t room;
    apr_uint32_t longest;
};

rp_prefixes_t *rp_prefixes_make(apr_pool_t *pool)
{
    rp_prefixes_t *set = apr_pcalloc(pool, sizeof(*set));

    set->pool = pool;
    set->nslots = SLOTS_FIRST;
    set->slots = apr_pcalloc(pool, SLOTS_FIRST * sizeof(*set->slots));
    set->room = LENGTHS_FIRST;
    set->has_length = apr_pcalloc(pool, LENGTHS_FIRST);
    return set;
}

static void append(rp_prefixes_t *set, rp_prefix_t *p)
{
    slot_t *slot = &set->slots[p->hash & (set->nslots - 1)];

    p->next = NULL;
    if (slot->last != NULL) {
        slot->last->next = p;
    }
    else {
        slot->first = p;
    }
    slot->last = p;
}

/* Texts of one old slot come to two new ones, and keep their order there. */
static void grow(rp_prefixes_t *set)
{
    slot_t *old = set->slots;
    apr_uint32_t nold = set->nslots;
    apr_uint32_t i;

    set->nslots *= 2;
    set->slots = apr_pcalloc(set->pool, set->nslots * sizeof(*set->slots));
    for (i = 0; i < nold; i++) {
        rp_prefix_t *p = old[i].first;

        while (p != NULL) {
            rp_prefix_t *next = p->next;
            append(set, p);
            p = next;
        }
    }
}

static void note_length(rp_prefixes_t *set, apr_uint32_t len)
{
    if (len >= set->room) {
        char *bigger = apr_pcalloc(set->pool, 2 * (apr_size_t)len);

        memcpy(bigger, set->has_length, set->room);
        set->has_length = bigger;
        set->room = 2 * len;
    }
    set->has_length[len] = 1;
    if (len > set->longest) {
        set->longest = len;
    }
}

void rp_prefixes_add(rp_prefixes_t *set, const rp_prefix_walk_t *text, int id)
{
    rp_prefix_t *p = apr_palloc(set->pool, sizeof(*p));

    p->hash = text->hash;
    p->len = text->len;
    p->id = id;
    if (set->n == set->nslots) {
        grow(set);
    }
    append(set, p);
    set->n++;
    note_length(set, text->len);
}

static const rp_prefix_t *same(const rp_prefix_t *p, apr_uint32_t hash, apr_uint32_t len)
{
    while (p != NULL && (p->hash != hash || p->len != len)) {
        p = p->next;
    }
    return p;
}

const rp_prefix_t *rp_prefixes_at(const rp_prefixes_t *set, const rp_prefix_walk_t *w)
{
    if (w->len > set->longest || !set->has_length[w->len]) {
        return NULL;
    }
    return same(set->slots[w->hash & (set->nslots - 1)].first, w->hash, w->len);
}

const rp_prefix_t *rp_prefixes_next(const rp_prefix_t *p)
{
    return same(p->next, p->hash, p->len);
}

apr_uint32_t rp_prefixes_longest(const rp_prefixes_t *set)
{
    return set->longest;
}
