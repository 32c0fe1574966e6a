/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints of one owner: find or make by key, hold and release, least recently used ones out. */
#include "upstream/endpoint.h"

#include <string.h>

#include <apr_strings.h>

#include "upstream/endpoint_int.h"

#define KEY_MAX 2048

const char *rp_refuse_str(rp_refuse_e r)
{
    static const char *const names[RP_REFUSE_COUNT] = {
        "none",  "peer-closed", "extra-bytes", "short-body", "close-asked", "tunnel",   "error",
        "disabled", "ttl",      "idle-limit",  "pinned",     "evicted",     "shutdown", "address",
    };

    return (unsigned)r < RP_REFUSE_COUNT ? names[r] : "unknown";
}

/* ---- owners ---- */

static struct {
    pthread_mutex_t mutex;
    rp_endpoints_t *first;
} owners = {.mutex = PTHREAD_MUTEX_INITIALIZER};

rp_endpoints_t *rp_owners_lock(void)
{
    (void)pthread_mutex_lock(&owners.mutex);
    return owners.first;
}

void rp_owners_unlock(void)
{
    (void)pthread_mutex_unlock(&owners.mutex);
}

static void owners_remove(const rp_endpoints_t *eps)
{
    rp_endpoints_t **p;

    (void)rp_owners_lock();
    for (p = &owners.first; *p != NULL && *p != eps; p = &(*p)->next_owner) { }
    if (*p != NULL) {
        *p = eps->next_owner;
    }
    rp_owners_unlock();
}

void rp_endpoints_dispose_by(rp_endpoints_t *eps, rp_dispose_fn fn)
{
    eps->dispose = fn;
}

/* ---- keys ---- */

typedef struct keybuf_t {
    char bytes[KEY_MAX];
    apr_size_t len;
    int overflow;
} keybuf_t;

static void add_bytes(keybuf_t *k, const void *p, apr_size_t n)
{
    if (n > sizeof(k->bytes) - k->len) {
        k->overflow = 1;
        return;
    }
    memcpy(k->bytes + k->len, p, n);
    k->len += n;
}

/* A string with its NUL, or a mark for none: no two keys look the same. */
static void add_str(keybuf_t *k, const char *s)
{
    if (s == NULL) {
        add_bytes(k, "\1", 1);
        return;
    }
    add_bytes(k, "\2", 1);
    add_bytes(k, s, strlen(s) + 1);
}

static apr_status_t key_make(const rp_endpoint_key_t *key, keybuf_t *k)
{
    k->len = 0;
    k->overflow = 0;
    add_bytes(k, key->is_tls ? "T" : "P", 1);
    add_bytes(k, &key->port, sizeof(key->port));
    add_str(k, key->host);
    add_str(k, key->uds);
    add_str(k, key->source);
    if (key->is_tls) {
        add_str(k, key->sni);
        add_bytes(k, &key->ssl_conf, sizeof(key->ssl_conf));
        add_bytes(k, &key->ssl_server, sizeof(key->ssl_server));
    }
    return k->overflow ? APR_ENAMETOOLONG : APR_SUCCESS;
}

static const char *copy(apr_pool_t *pool, const char *s)
{
    return s == NULL ? NULL : apr_pstrdup(pool, s);
}

/* ---- life of an endpoint ---- */

static void endpoint_destroy(rp_endpoint_t *ep)
{
    rp_pool_drain(ep, RP_REFUSE_EVICTED);
    rp_address_destroy(&ep->address);
    apr_pool_destroy(ep->pool);
}

static apr_status_t endpoint_init(rp_endpoint_t *ep, const rp_endpoint_key_t *key,
                                  const keybuf_t *k)
{
    apr_status_t rv;

    ep->key = *key;
    ep->key.host = copy(ep->pool, key->host);
    ep->key.uds = copy(ep->pool, key->uds);
    ep->key.sni = copy(ep->pool, key->sni);
    ep->key.source = copy(ep->pool, key->source);
    ep->id = apr_pmemdup(ep->pool, k->bytes, k->len);
    ep->id_len = k->len;
    APR_RING_ELEM_INIT(ep, lru);
    APR_RING_INIT(&ep->shared.idle, rp_conn_t, link);
    rv = apr_thread_mutex_create(&ep->shared.mutex, APR_THREAD_MUTEX_DEFAULT, ep->pool);
    if (rv == APR_SUCCESS && key->source != NULL) {
        rv = apr_sockaddr_info_get(&ep->source_addr, key->source, APR_UNSPEC, 0, 0, ep->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = rp_address_init(&ep->address, key->host ? key->host : "", key->port, key->uds,
                             ep->pool);
    }
    return rv;
}

static apr_status_t endpoint_make(rp_endpoints_t *eps, const rp_endpoint_key_t *key,
                                  const keybuf_t *k, rp_endpoint_t **out)
{
    apr_pool_t *pool = NULL;
    rp_endpoint_t *ep;
    apr_status_t rv = apr_pool_create_unmanaged_ex(&pool, NULL, NULL);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    ep = apr_pcalloc(pool, sizeof(*ep));
    ep->pool = pool;
    ep->owner = eps;
    rv = endpoint_init(ep, key, k);
    if (rv != APR_SUCCESS) {
        rp_address_destroy(&ep->address);
        apr_pool_destroy(pool);
        return rv;
    }
    *out = ep;
    return APR_SUCCESS;
}

/* ---- the owner ---- */

/* The least recently used endpoint that nobody holds leaves the table when there are too many. It
 * is the caller's then. */
static rp_endpoint_t *evict_locked(rp_endpoints_t *eps)
{
    rp_endpoint_t *ep;

    if (eps->nunconfigured <= (apr_uint32_t)eps->unconfigured_max) {
        return NULL;
    }
    for (ep = APR_RING_LAST(&eps->shared.lru);
         ep != APR_RING_SENTINEL(&eps->shared.lru, rp_endpoint_t, lru);
         ep = APR_RING_PREV(ep, lru)) {
        if (__atomic_load_n(&ep->users, __ATOMIC_ACQUIRE) == 0) {
            APR_RING_REMOVE(ep, lru);
            apr_hash_set(eps->shared.by_id, ep->id, (apr_ssize_t)ep->id_len, NULL);
            (void)__atomic_sub_fetch(&eps->nunconfigured, 1, __ATOMIC_RELAXED);
            return ep;
        }
    }
    return NULL;
}

static void trim(rp_endpoints_t *eps)
{
    rp_endpoint_t *ep;

    do {
        apr_thread_mutex_lock(eps->mutex);
        ep = evict_locked(eps);
        apr_thread_mutex_unlock(eps->mutex);
        if (ep != NULL) {
            endpoint_destroy(ep); /* nobody can find it any more */
        }
    } while (ep != NULL);
}

static void touch_locked(rp_endpoints_t *eps, rp_endpoint_t *ep, apr_time_t now_us)
{
    ep->used_us = now_us;
    if (!ep->configured && APR_RING_FIRST(&eps->shared.lru) != ep) {
        APR_RING_REMOVE(ep, lru);
        APR_RING_INSERT_HEAD(&eps->shared.lru, ep, rp_endpoint_t, lru);
    }
}

/* A client chooses the SNI name where the Host header is passed on: such endpoints must be bounded
 * in number. */
static int counts_as_configured(const rp_endpoint_key_t *key, int configured)
{
    return configured
           && (!key->is_tls || key->sni == NULL
               || (key->host != NULL && strcasecmp(key->sni, key->host) == 0));
}

static void enter_locked(rp_endpoints_t *eps, rp_endpoint_t *ep, int configured)
{
    ep->configured = configured;
    apr_hash_set(eps->shared.by_id, ep->id, (apr_ssize_t)ep->id_len, ep);
    if (!configured) {
        APR_RING_INSERT_HEAD(&eps->shared.lru, ep, rp_endpoint_t, lru);
        (void)__atomic_add_fetch(&eps->nunconfigured, 1, __ATOMIC_RELAXED);
    }
}

/* It was first seen outside the configuration, and is configured after all. */
static void promote_locked(rp_endpoints_t *eps, rp_endpoint_t *ep)
{
    APR_RING_REMOVE(ep, lru);
    APR_RING_ELEM_INIT(ep, lru);
    ep->configured = 1;
    (void)__atomic_sub_fetch(&eps->nunconfigured, 1, __ATOMIC_RELAXED);
}

apr_status_t rp_endpoint_get(rp_endpoints_t *eps, const rp_endpoint_key_t *key, int configured,
                             apr_time_t now_us, rp_endpoint_t **out)
{
    keybuf_t k;
    rp_endpoint_t *ep;
    apr_status_t rv = key_make(key, &k);
    int over;

    *out = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    configured = counts_as_configured(key, configured);
    apr_thread_mutex_lock(eps->mutex);
    ep = apr_hash_get(eps->shared.by_id, k.bytes, (apr_ssize_t)k.len);
    if (ep == NULL) {
        rv = endpoint_make(eps, key, &k, &ep);
        if (rv == APR_SUCCESS) {
            enter_locked(eps, ep, configured);
        }
    }
    else if (configured && !ep->configured) {
        promote_locked(eps, ep);
    }
    if (rv == APR_SUCCESS) {
        touch_locked(eps, ep, now_us);
        (void)__atomic_add_fetch(&ep->users, 1, __ATOMIC_ACQ_REL);
        *out = ep;
    }
    over = eps->nunconfigured > (apr_uint32_t)eps->unconfigured_max;
    apr_thread_mutex_unlock(eps->mutex);
    if (over) {
        trim(eps);
    }
    return rv;
}

void rp_endpoint_hold(rp_endpoint_t *ep)
{
    (void)__atomic_add_fetch(&ep->users, 1, __ATOMIC_ACQ_REL);
}

void rp_endpoint_release(rp_endpoint_t *ep)
{
    rp_endpoints_t *eps;

    if (ep == NULL) {
        return;
    }
    eps = ep->owner; /* ep may be gone as soon as nobody holds it */
    if (__atomic_sub_fetch(&ep->users, 1, __ATOMIC_ACQ_REL) == 0
        && __atomic_load_n(&eps->nunconfigured, __ATOMIC_RELAXED)
               > (apr_uint32_t)eps->unconfigured_max) {
        trim(eps);
    }
}

int rp_endpoints_count(rp_endpoints_t *eps, int *unconfigured)
{
    int n;

    apr_thread_mutex_lock(eps->mutex);
    n = (int)apr_hash_count(eps->shared.by_id);
    if (unconfigured != NULL) {
        *unconfigured = (int)eps->nunconfigured;
    }
    apr_thread_mutex_unlock(eps->mutex);
    return n;
}

void rp_endpoints_shutdown(rp_endpoints_t *eps)
{
    apr_hash_index_t *hi;

    __atomic_store_n(&eps->stopping, 1, __ATOMIC_SEQ_CST);
    apr_thread_mutex_lock(eps->mutex);
    for (hi = apr_hash_first(NULL, eps->shared.by_id); hi != NULL; hi = apr_hash_next(hi)) {
        rp_pool_drain(apr_hash_this_val(hi), RP_REFUSE_SHUTDOWN);
    }
    apr_thread_mutex_unlock(eps->mutex);
}

/* The child's pool goes: so does all that nobody holds. What is held still (a request that never
 * ended) is left alone. */
static apr_status_t endpoints_cleanup(void *data)
{
    rp_endpoints_t *eps = data;
    apr_hash_index_t *hi;
    int held = 0;

    owners_remove(eps);
    rp_endpoints_shutdown(eps);
    for (hi = apr_hash_first(NULL, eps->shared.by_id); hi != NULL; hi = apr_hash_next(hi)) {
        rp_endpoint_t *ep = apr_hash_this_val(hi);
        if (__atomic_load_n(&ep->users, __ATOMIC_ACQUIRE) == 0) {
            apr_hash_set(eps->shared.by_id, ep->id, (apr_ssize_t)ep->id_len, NULL);
            endpoint_destroy(ep);
        }
        else {
            held = 1;
        }
    }
    if (!held) {
        apr_pool_destroy(eps->pool);
    }
    return APR_SUCCESS;
}

apr_status_t rp_endpoints_create(rp_endpoints_t **out, apr_pool_t *pool, int unconfigured_max)
{
    apr_pool_t *own = NULL;
    rp_endpoints_t *eps;
    apr_status_t rv = apr_pool_create_unmanaged_ex(&own, NULL, NULL);

    *out = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    eps = apr_pcalloc(own, sizeof(*eps));
    eps->pool = own;
    eps->unconfigured_max = unconfigured_max;
    eps->shared.by_id = apr_hash_make(own);
    APR_RING_INIT(&eps->shared.lru, rp_endpoint_t, lru);
    rv = apr_thread_mutex_create(&eps->mutex, APR_THREAD_MUTEX_DEFAULT, own);
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(own);
        return rv;
    }
    apr_pool_cleanup_register(pool, eps, endpoints_cleanup, apr_pool_cleanup_null);
    eps->next_owner = rp_owners_lock();
    owners.first = eps;
    rp_owners_unlock();
    *out = eps;
    return APR_SUCCESS;
}
