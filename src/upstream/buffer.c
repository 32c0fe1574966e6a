/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream/buffer.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

enum { RECORD = 0, SMALL, LARGE, KINDS, UNKEPT = KINDS };

/* In front of the bytes. */
typedef struct head_t {
    _Alignas(max_align_t) struct head_t *next; /* while it is kept */
    int kind;
} head_t;

typedef struct cache_t {
    head_t *first[KINDS];
    int n[KINDS];
    int most[KINDS];
    enum { CACHE_NEW = 0, CACHE_OPEN, CACHE_CLOSED } state;
} cache_t;

static const apr_size_t sizes[KINDS] = {RP_BUFFER_RECORD, RP_BUFFER_SMALL, RP_BUFFER_LARGE};

static _Thread_local cache_t cache;
static pthread_key_t at_end;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int have_key;

/* The thread ends; what others of its endings free after this goes to the system. */
static void close_cache(void *data)
{
    cache_t *c = data;
    int kind;

    c->state = CACHE_CLOSED;
    for (kind = 0; kind < KINDS; kind++) {
        while (c->first[kind] != NULL) {
            head_t *h = c->first[kind];

            c->first[kind] = h->next;
            free(h);
        }
        c->n[kind] = c->most[kind] = 0;
    }
}

/* The module goes: threads that live longer must not look for its code. What they keep is lost. */
__attribute__((destructor)) static void forget_key(void)
{
    if (have_key) {
        (void)pthread_key_delete(at_end);
    }
}

static void make_key(void)
{
    have_key = pthread_key_create(&at_end, close_cache) == 0;
}

/* A thread whose end can not be told keeps nothing. */
static void open_cache(cache_t *c)
{
    (void)pthread_once(&once, make_key);
    c->state = have_key && pthread_setspecific(at_end, c) == 0 ? CACHE_OPEN : CACHE_CLOSED;
    if (c->state == CACHE_OPEN) {
        c->most[RECORD] = 2;
        c->most[SMALL] = c->most[LARGE] = 1;
    }
}

static int kind_of(apr_size_t size)
{
    if (size <= RP_BUFFER_SMALL) {
        return size <= RP_BUFFER_RECORD ? RECORD : SMALL;
    }
    return size <= RP_BUFFER_LARGE ? LARGE : UNKEPT;
}

apr_size_t rp_buffer_room(apr_size_t size)
{
    int kind = kind_of(size);

    return kind == UNKEPT ? size : sizes[kind];
}

char *rp_buffer_get(apr_size_t size)
{
    cache_t *c = &cache;
    int kind = kind_of(size);
    head_t *h = kind == UNKEPT ? NULL : c->first[kind];

    if (h != NULL) {
        c->first[kind] = h->next;
        c->n[kind]--;
        return (char *)(h + 1);
    }
    h = malloc(sizeof(*h) + rp_buffer_room(size));
    if (h == NULL) {
        abort();
    }
    h->kind = kind;
    return (char *)(h + 1);
}

static void keep(cache_t *c, head_t *h)
{
    h->next = c->first[h->kind];
    c->first[h->kind] = h;
    c->n[h->kind]++;
}

/* The first one of a thread, or one too many. */
static void free_other(cache_t *c, head_t *h)
{
    if (c->state == CACHE_NEW) {
        open_cache(c);
    }
    if (h->kind != UNKEPT && c->n[h->kind] < c->most[h->kind]) {
        keep(c, h);
    }
    else {
        free(h);
    }
}

void rp_buffer_free(void *buf)
{
    cache_t *c = &cache;
    head_t *h;

    if (buf == NULL) {
        return;
    }
    h = (head_t *)buf - 1;
    if (h->kind != UNKEPT && c->n[h->kind] < c->most[h->kind]) {
        keep(c, h);
    }
    else {
        free_other(c, h);
    }
}

static int at_most(int n)
{
    return n < RP_BUFFER_KEEP_MAX ? n : RP_BUFFER_KEEP_MAX;
}

void rp_buffer_keep(int records, int small, int large)
{
    if (cache.state == CACHE_NEW) {
        open_cache(&cache);
    }
    if (cache.state == CACHE_OPEN) {
        cache.most[RECORD] = at_most(records);
        cache.most[SMALL] = at_most(small);
        cache.most[LARGE] = at_most(large);
    }
}

int rp_buffer_kept(apr_size_t size)
{
    int kind = kind_of(size);

    return kind == UNKEPT ? 0 : cache.n[kind];
}
