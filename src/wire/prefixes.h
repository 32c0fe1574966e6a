/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file prefixes.h
 * Which of many texts are prefixes of one text? The reader walks over its text byte by byte and asks at the positions of its choice;
 * it pays for its own length, not for the number of texts. Answers are candidates (equal length and hash): the caller compares.
 */
#ifndef RP_WIRE_PREFIXES_H
#define RP_WIRE_PREFIXES_H

#include <apr_pools.h>

/** One text. Read only. */
typedef struct rp_prefix_t {
    apr_uint32_t hash;
    apr_uint32_t len;
    int id;                  /**< of the caller */
    struct rp_prefix_t *next;
} rp_prefix_t;

typedef struct rp_prefixes_t rp_prefixes_t;

/** A walk over a text: rp_prefix_walk_begin, then rp_prefix_walk_byte for each byte. */
typedef struct rp_prefix_walk_t {
    apr_uint32_t hash;
    apr_uint32_t len; /**< bytes so far */
} rp_prefix_walk_t;

/** An empty set; pool pays for it and for what is added. Not thread-safe while texts are added, const after. */
rp_prefixes_t *rp_prefixes_make(apr_pool_t *pool);

/** Add the text that was walked over. Texts may be there several times. */
void rp_prefixes_add(rp_prefixes_t *set, const rp_prefix_walk_t *text, int id);

static inline void rp_prefix_walk_begin(rp_prefix_walk_t *w)
{
    w->hash = 2166136261U; /* FNV-1a: the texts are the administrator's, so nobody can choose them to collide */
    w->len = 0;
}

static inline void rp_prefix_walk_byte(rp_prefix_walk_t *w, char c)
{
    w->hash = (w->hash ^ (unsigned char)c) * 16777619U;
    w->len++;
}

/** The first added text that the bytes walked over so far may be equal to, or NULL. */
const rp_prefix_t *rp_prefixes_at(const rp_prefixes_t *set, const rp_prefix_walk_t *w);
/** The one added next after p that may be equal to the same bytes, or NULL. */
const rp_prefix_t *rp_prefixes_next(const rp_prefix_t *p);
/** Length of the longest text: no walk needs to go further. */
apr_uint32_t rp_prefixes_longest(const rp_prefixes_t *set);

#endif
