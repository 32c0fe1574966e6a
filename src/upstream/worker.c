/* SPDX-License-Identifier: Apache-2.0 */
/* Workers: names, look-up, the per-child part. */
#include "upstream/worker.h"

#include <stddef.h>
#include <string.h>

#include <apr_strings.h>

#include "upstream/permit_int.h"
#include "wire/prefixes.h"

const char *rp_worker_name(apr_pool_t *pool, const rp_url_t *url)
{
    const char *text = rp_url_str(pool, url);

    return url->uds == NULL ? text : apr_pstrcat(pool, "unix:", url->uds, "|", text, NULL);
}

static const char *copy(apr_pool_t *pool, const char *s)
{
    return s == NULL ? NULL : apr_pstrdup(pool, s);
}

rp_worker_t *rp_worker_create(apr_pool_t *pool, const rp_url_t *url, const char *name)
{
    rp_worker_t *w = apr_pcalloc(pool, sizeof(*w));

    w->url = *url;
    w->url.scheme = copy(pool, url->scheme);
    w->url.host = copy(pool, url->host);
    w->url.path = copy(pool, url->path);
    w->url.uds = copy(pool, url->uds);
    w->name = name ? apr_pstrdup(pool, name) : rp_worker_name(pool, url);
    w->match = rp_url_str(pool, url);
    w->authority = rp_url_authority(pool, &w->url);
    w->is_tls = strcmp(url->scheme, "https") == 0 || strcmp(url->scheme, "wss") == 0;
    w->stat = &w->own_stat;
    rp_worker_params_init(&w->params);
    APR_RING_INIT(&w->shared.waiters, rp_waiter_t, link);
    return w;
}

static apr_status_t worker_cleanup(void *data)
{
    rp_worker_t *w = data;

    if (w->shared.ready) {
        w->shared.ready = 0;
        (void)pthread_mutex_destroy(&w->shared.mutex);
    }
    return APR_SUCCESS;
}

apr_status_t rp_worker_child_init(rp_worker_t *w, apr_pool_t *pool)
{
    int err;

    if (w->shared.ready) {
        return APR_SUCCESS;
    }
    APR_RING_INIT(&w->shared.waiters, rp_waiter_t, link);
    memset(&w->own_stat, 0, sizeof(w->own_stat));
    w->stat = &w->own_stat;
    w->endpoint[0] = w->endpoint[1] = NULL;
    err = pthread_mutex_init(&w->shared.mutex, NULL);
    if (err != 0) {
        return err;
    }
    w->shared.ready = 1;
    apr_pool_cleanup_register(pool, w, worker_cleanup, apr_pool_cleanup_null);
    return APR_SUCCESS;
}

void rp_worker_count_in(rp_worker_t *w, rp_worker_stat_t *stat)
{
    w->stat = stat;
}

/* Length of "scheme://host[:port]" of a URL in normal form; all of it when there is no path. */
static apr_size_t authority_end(const char *url)
{
    const char *p = strstr(url, "://");
    const char *slash = p == NULL ? NULL : strchr(p + 3, '/');

    return slash == NULL ? strlen(url) : (apr_size_t)(slash - url);
}

static int same_uds(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

struct rp_worker_index_t {
    rp_prefixes_t *prefixes;      /* of `match`; id: in workers */
    apr_array_header_t *workers;  /* of rp_worker_t * */
};

rp_worker_index_t *rp_worker_index_make(apr_pool_t *pool)
{
    rp_worker_index_t *ix = apr_palloc(pool, sizeof(*ix));

    ix->prefixes = rp_prefixes_make(pool);
    ix->workers = apr_array_make(pool, 8, sizeof(rp_worker_t *));
    return ix;
}

void rp_worker_index_add(rp_worker_index_t *ix, rp_worker_t *w)
{
    rp_prefix_walk_t walk;
    const char *p;

    rp_prefix_walk_begin(&walk);
    for (p = w->match; *p; p++) {
        rp_prefix_walk_byte(&walk, *p);
    }
    rp_prefixes_add(ix->prefixes, &walk, ix->workers->nelts);
    APR_ARRAY_PUSH(ix->workers, rp_worker_t *) = w;
}

void rp_worker_index_mark(const rp_worker_index_t *ix)
{
    int i;

    for (i = 0; i < ix->workers->nelts; i++) {
        rp_worker_t *w = APR_ARRAY_IDX(ix->workers, i, rp_worker_t *);
        rp_prefix_walk_t walk;

        rp_prefix_walk_begin(&walk);
        while (w->match[walk.len]) {
            const rp_prefix_t *p;

            rp_prefix_walk_byte(&walk, w->match[walk.len]);
            for (p = rp_prefixes_at(ix->prefixes, &walk); p != NULL; p = rp_prefixes_next(p)) {
                if (p->id != i) { /* equal hashes are enough: the mark only says "look" */
                    APR_ARRAY_IDX(ix->workers, p->id, rp_worker_t *)->rivalled = 1;
                }
            }
        }
    }
}

/* The first worker whose URL is the bytes walked over, url[0..walk->len). */
static rp_worker_t *worker_at(const rp_worker_index_t *ix, const rp_prefix_walk_t *walk,
                              const char *url, const char *uds)
{
    const rp_prefix_t *p;

    for (p = rp_prefixes_at(ix->prefixes, walk); p != NULL; p = rp_prefixes_next(p)) {
        rp_worker_t *w = APR_ARRAY_IDX(ix->workers, p->id, rp_worker_t *);

        if (memcmp(w->match, url, p->len) == 0 && same_uds(w->url.uds, uds)) {
            return w;
        }
    }
    return NULL;
}

rp_worker_t *rp_worker_index_find(const rp_worker_index_t *ix, const char *url, const char *uds)
{
    apr_size_t authority = authority_end(url);
    apr_uint32_t longest = rp_prefixes_longest(ix->prefixes);
    rp_prefix_walk_t walk;
    rp_worker_t *best = NULL;

    rp_prefix_walk_begin(&walk);
    while (walk.len < longest && url[walk.len]) {
        rp_worker_t *w;

        rp_prefix_walk_byte(&walk, url[walk.len]);
        w = walk.len >= authority ? worker_at(ix, &walk, url, uds) : NULL;
        best = w ? w : best;
    }
    return best;
}
