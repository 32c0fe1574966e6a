/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members that are added while the server runs: the same judgement and the same worker as for a
 * BalancerMember line without parameters.
 */
#include "config/define.h"

#include <http_config.h>
#include <apr_strings.h>

#include "config/check.h"
#include "config/target.h"
#include "rproxy.h"

/* NULL or a sentence. */
static const char *judge(apr_pool_t *pool, const char *url, int allow_unix)
{
    const char *scheme;
    rp_target_e kind = rp_target_kind(pool, url, &scheme);

    if (kind == RP_TARGET_BALANCER) {
        return apr_psprintf(pool, "\"%s\" is a balancer; a backend is wanted here", url);
    }
    if (*scheme == '\0') {
        return apr_psprintf(pool, "\"%s\" is no URL: write http://host:port/path", url);
    }
    if (kind != RP_TARGET_DIRECT) {
        return apr_psprintf(pool, "\"%s\": the protocol %s is not supported; mod_rproxy speaks %s",
                            url, scheme, RP_TARGET_SPOKEN);
    }
    if (!allow_unix && ap_cstr_casecmpn(url, "unix:", 5) == 0) {
        return apr_psprintf(pool, "\"%s\": a unix socket can only be a member by the configuration",
                            url);
    }
    return NULL;
}

/* ProxyRemote says that it must not be reached directly. */
static const char *judge_remote(apr_pool_t *pool, const rp_server_conf_t *conf,
                                const rp_worker_t *worker)
{
    const rp_remote_t *remote =
        worker->url.uds ? NULL : rp_remote_of(pool, conf, worker->match, worker->url.host);

    return remote ? apr_psprintf(pool,
                                 "%s is to be reached through another proxy according to %s, which "
                                 "is not supported",
                                 worker->name, rp_remote_str(pool, remote))
                  : NULL;
}

static void (*on_ready)(rp_worker_t *worker);

void rp_member_on_ready(void (*fn)(rp_worker_t *worker))
{
    on_ready = fn;
}

apr_status_t rp_member_ready(rp_worker_t *worker, apr_pool_t *pool)
{
    apr_status_t rv = rp_worker_child_init(worker, pool);

    if (rv == APR_SUCCESS && on_ready != NULL) {
        on_ready(worker);
    }
    return rv;
}

rp_worker_t *rp_member_make(apr_pool_t *pool, const void *balancer, const char *url, int flags,
                            const char **why)
{
    const rp_balancer_conf_t *bal = balancer;
    const rp_server_conf_t *conf = rp_server_conf(bal->server);
    rp_url_err_e err = RP_URL_OK;
    rp_worker_t *worker;
    rp_url_t parsed;

    *why = judge(pool, url, flags & RPROXY_MEMBER_UNIX);
    if (*why) {
        return NULL;
    }
    if (rp_url_parse(pool, url, 1, &parsed, &err) != APR_SUCCESS) {
        *why = apr_psprintf(pool, "the URL \"%s\" %s", url, rp_url_err_str(err));
        return NULL;
    }
    worker = rp_worker_create(pool, &parsed, NULL);
    *why = judge_remote(pool, conf, worker);
    if (*why == NULL && strlen(worker->name) > RP_WORKER_NAME_MAX) {
        *why = apr_psprintf(pool, "the URL is %" APR_SIZE_T_FMT " bytes long; at most %d are allowed",
                            strlen(worker->name), RP_WORKER_NAME_MAX);
    }
    if (*why) {
        return NULL;
    }
    worker->defined_at = "run time";
    worker->configured = 1;
    worker->added_to = bal;
    worker->params.timeout_us = conf->timeout_us;
    rp_worker_complete(conf, worker);
    worker->ssl_conf = rp_ssl_conf_find_member(bal->server, bal->name, rp_url_str(pool, &worker->url));
    return worker;
}
