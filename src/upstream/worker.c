/* SPDX-License-Identifier: Apache-2.0 */
/* Workers: names, look-up, the per-child part. */
#include "upstream/worker.h"

#include <stddef.h>
#include <string.h>

#include <apr_strings.h>

#include "upstream/permit_int.h"

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
    w->endpoint = NULL;
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

/* How many bytes of url the worker covers (its own length), or 0. */
static apr_size_t covers(const rp_worker_t *w, const char *url, apr_size_t url_len,
                         apr_size_t authority)
{
    const char *text = w->wildcard ? w->wildcard : w->match;
    const char *dollar = w->wildcard ? strchr(text, '$') : NULL;
    apr_size_t len = strlen(text);
    apr_size_t fixed = dollar ? (apr_size_t)(dollar - text) : len;

    if (len > url_len || fixed < authority || strncmp(text, url, fixed) != 0) {
        return 0;
    }
    return len;
}

rp_worker_t *rp_worker_find(const apr_array_header_t *workers, const char *url, const char *uds)
{
    apr_size_t url_len = strlen(url);
    apr_size_t authority = authority_end(url);
    apr_size_t best_len = 0;
    rp_worker_t *best = NULL;
    int i;

    for (i = 0; workers != NULL && i < workers->nelts; i++) {
        rp_worker_t *w = APR_ARRAY_IDX(workers, i, rp_worker_t *);
        apr_size_t len = same_uds(w->url.uds, uds) ? covers(w, url, url_len, authority) : 0;

        if (len > best_len) {
            best = w;
            best_len = len;
        }
    }
    return best;
}
