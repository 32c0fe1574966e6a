/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream/address.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

#include <apr_strings.h>

struct rp_addrset_t {
    apr_uint32_t refs;                    /* atomic */
    apr_pool_t *pool; /* own, unmanaged: no other thread ever allocates from it */
    int count;
    apr_sockaddr_t *addr[RP_ADDRESS_MAX];
};

int rp_addrset_count(const rp_addrset_t *set) { return set == NULL ? 0 : set->count; }

apr_sockaddr_t *rp_addrset_at(const rp_addrset_t *set, int i)
{
    return set == NULL || i < 0 || i >= set->count ? NULL : set->addr[i];
}

void rp_addrset_ref(rp_addrset_t *set)
{
    (void)__atomic_add_fetch(&set->refs, 1, __ATOMIC_RELAXED);
}

void rp_addrset_unref(rp_addrset_t *set)
{
    if (set != NULL && __atomic_sub_fetch(&set->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        apr_pool_destroy(set->pool);
    }
}

/* Ask APR for the addresses and make a set of them with one reference. */
static apr_status_t addrset_make(const char *host, int family, int port, rp_addrset_t **out)
{
    apr_pool_t *pool = NULL;
    apr_sockaddr_t *sa = NULL;
    rp_addrset_t *set;
    apr_status_t rv;

    *out = NULL;
    rv = apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_sockaddr_info_get(&sa, host, family, (apr_port_t)port, 0, pool);
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return rv;
    }
    set = apr_pcalloc(pool, sizeof(*set));
    set->refs = 1;
    set->pool = pool;
    for (; sa != NULL && set->count < RP_ADDRESS_MAX; sa = sa->next) {
        set->addr[set->count++] = sa;
    }
    *out = set;
    return APR_SUCCESS;
}

static int is_literal(const char *host)
{
    unsigned char buf[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, buf) == 1 || inet_pton(AF_INET6, host, buf) == 1;
}

apr_status_t rp_address_init(rp_address_t *a, const char *host, int port, const char *uds,
                             apr_pool_t *pool)
{
    apr_status_t rv;

    memset(a, 0, sizeof(*a));
    a->host = uds == NULL ? apr_pstrdup(pool, host) : NULL;
    a->port = port;
    a->uds = uds == NULL ? NULL : apr_pstrdup(pool, uds);
    rv = apr_thread_mutex_create(&a->shared.mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    if (rv == APR_SUCCESS) {
        rv = apr_thread_mutex_create(&a->resolving, APR_THREAD_MUTEX_DEFAULT, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (uds != NULL) {
        if (strlen(uds) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
            return APR_ENAMETOOLONG;
        }
        a->literal = 1;
        return addrset_make(uds, APR_UNIX, 0, &a->shared.set);
    }
    if (is_literal(host)) {
        a->literal = 1;
        return addrset_make(host, APR_UNSPEC, port, &a->shared.set);
    }
    return APR_SUCCESS;
}

static apr_status_t cached_locked(rp_address_t *a, apr_time_t now_us,
                                  apr_interval_time_t max_age_us, rp_addrset_t **out)
{
    if (a->shared.set == NULL) {
        return APR_EAGAIN;
    }
    if (!a->literal && max_age_us >= 0 && now_us - a->shared.resolved_us >= max_age_us) {
        return APR_EAGAIN;
    }
    rp_addrset_ref(a->shared.set);
    *out = a->shared.set;
    return APR_SUCCESS;
}

apr_status_t rp_address_cached(rp_address_t *a, apr_time_t now_us, apr_interval_time_t max_age_us,
                               rp_addrset_t **out)
{
    apr_status_t rv;

    *out = NULL;
    apr_thread_mutex_lock(a->shared.mutex);
    rv = cached_locked(a, now_us, max_age_us, out);
    apr_thread_mutex_unlock(a->shared.mutex);
    return rv;
}

apr_status_t rp_address_has(rp_address_t *a, const apr_sockaddr_t *addr, apr_time_t now_us,
                            apr_interval_time_t max_age_us)
{
    rp_addrset_t *set = NULL;
    apr_status_t rv = APR_SUCCESS;
    int i;

    if (a->literal) {
        return APR_SUCCESS;
    }
    rv = rp_address_cached(a, now_us, max_age_us, &set);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = APR_NOTFOUND;
    for (i = 0; i < set->count && rv != APR_SUCCESS; i++) {
        if (set->addr[i]->port == addr->port && apr_sockaddr_equal(set->addr[i], addr)) {
            rv = APR_SUCCESS;
        }
    }
    rp_addrset_unref(set);
    return rv;
}

/* The resolver's answer becomes the cached set; the caller gets a reference of its own. */
static void publish(rp_address_t *a, rp_addrset_t *set, apr_time_t now_us)
{
    rp_addrset_t *old;

    rp_addrset_ref(set);
    apr_thread_mutex_lock(a->shared.mutex);
    old = a->shared.set;
    a->shared.set = set;
    a->shared.resolved_us = now_us;
    a->shared.lookups++;
    apr_thread_mutex_unlock(a->shared.mutex);
    rp_addrset_unref(old);
}

apr_uint32_t rp_address_lookups(rp_address_t *a)
{
    apr_uint32_t n;

    apr_thread_mutex_lock(a->shared.mutex);
    n = a->shared.lookups;
    apr_thread_mutex_unlock(a->shared.mutex);
    return n;
}

apr_status_t rp_address_resolve(rp_address_t *a, apr_time_t now_us, rp_addrset_t **out)
{
    apr_uint32_t before = rp_address_lookups(a);
    apr_status_t rv = APR_EAGAIN;

    *out = NULL;
    if (a->literal) {
        return rp_address_cached(a, now_us, -1, out);
    }
    apr_thread_mutex_lock(a->resolving);
    if (rp_address_lookups(a) != before) { /* another caller asked while we waited for the lock */
        rv = rp_address_cached(a, now_us, -1, out);
    }
    if (rv != APR_SUCCESS) {
        rv = addrset_make(a->host, APR_UNSPEC, a->port, out);
        if (rv == APR_SUCCESS) {
            publish(a, *out, now_us);
        }
    }
    apr_thread_mutex_unlock(a->resolving);
    return rv;
}

void rp_address_destroy(rp_address_t *a)
{
    rp_addrset_unref(a->shared.set);
    a->shared.set = NULL;
}
