/* SPDX-License-Identifier: Apache-2.0 */
#include "config/define.h"

#include <http_core.h>
#include <http_log.h>
#include <apr_strings.h>

#include "config/target.h"

APLOG_USE_MODULE(rproxy);

apr_array_header_t *rp_words(cmd_parms *cmd, const char *args)
{
    apr_array_header_t *words = apr_array_make(cmd->pool, 8, sizeof(const char *));

    while (*args) {
        const char *before = args;
        const char *word = ap_getword_conf(cmd->pool, &args);

        if (*word == '\0' && *before != '"' && *before != '\'') {
            break;
        }
        APR_ARRAY_PUSH(words, const char *) = word;
    }
    return words;
}

/* A key that the same line has already: the later one holds, as it always did. */
static void warn_twice(cmd_parms *cmd, const apr_array_header_t *params, const rp_keyvalue_t *kv)
{
    for (int i = 0; i < params->nelts; i++) {
        const rp_keyvalue_t *before = &APR_ARRAY_IDX(params, i, rp_keyvalue_t);

        if (ap_cstr_casecmp(before->key, kv->key) == 0) {
            rp_message_add(cmd, APLOG_WARNING,
                           "RP0722: %s: %s: %s is given twice: %s=%s holds, %s=%s does not; remove it",
                           rp_at(cmd), cmd->cmd->name, kv->key, kv->key, kv->value, before->key,
                           before->value);
            return;
        }
    }
}

const char *rp_words_params(cmd_parms *cmd, const apr_array_header_t *words, int first,
                            apr_array_header_t **params)
{
    *params = apr_array_make(cmd->pool, 4, sizeof(rp_keyvalue_t));
    for (int i = first; i < words->nelts; i++) {
        const char *word = APR_ARRAY_IDX(words, i, const char *);
        rp_keyvalue_t kv;

        if (!rp_keyvalue_split(cmd->pool, word, &kv)) {
            return apr_psprintf(cmd->pool, "%s: \"%s\" is not a parameter: write key=value",
                                cmd->cmd->name, word);
        }
        warn_twice(cmd, *params, &kv);
        APR_ARRAY_PUSH(*params, rp_keyvalue_t) = kv;
    }
    return NULL;
}

/* Sentence for a URL whose protocol is not ours. */
static const char *scheme_error(cmd_parms *cmd, const char *who, const char *url)
{
    const char *scheme;
    rp_target_e kind = rp_target_kind(cmd->temp_pool, url, &scheme);

    if (kind == RP_TARGET_DIRECT) {
        return NULL;
    }
    if (kind == RP_TARGET_BALANCER) {
        return apr_psprintf(cmd->pool, "%s: \"%s\" is a balancer; a backend is wanted here", who,
                            url);
    }
    if (*scheme == '\0') {
        return apr_psprintf(cmd->pool, "%s: \"%s\" is no URL: write http://host:port/path, %s",
                            who, url, "unix:/socket|http://host/path, or balancer://name");
    }
    return apr_psprintf(cmd->pool,
                        "%s: \"%s\": the protocol %s is not supported; mod_rproxy speaks %s", who,
                        url, scheme, RP_TARGET_SPOKEN);
}

const char *rp_socket_absolute(cmd_parms *cmd, const char *url)
{
    const char *bar = ap_cstr_casecmpn(url, "unix:", 5) == 0 ? strchr(url, '|') : NULL;
    const char *path;

    if (bar == NULL || url[5] == '/') {
        return url;
    }
    path = ap_runtime_dir_relative(cmd->pool,
                                   apr_pstrmemdup(cmd->pool, url + 5, (apr_size_t)(bar - url - 5)));
    return path ? apr_pstrcat(cmd->pool, "unix:", path, bar, NULL) : url;
}

const char *rp_dest_parse(cmd_parms *cmd, const char *who, const char *url, rp_dest_t *out)
{
    rp_url_err_e why = RP_URL_OK;
    const char *err = scheme_error(cmd, who, url);

    if (err) {
        return err;
    }
    if (rp_url_parse(cmd->pool, url, 1, &out->url, &why) != APR_SUCCESS) {
        return apr_psprintf(cmd->pool, "%s: the URL \"%s\" %s", who, url, rp_url_err_str(why));
    }
    if (out->url.uds) {
        const char *path = ap_runtime_dir_relative(cmd->pool, out->url.uds);

        if (path == NULL || strlen(path) > RP_URL_UDS_MAX) {
            return apr_psprintf(cmd->pool,
                                "%s: the socket path \"%s\" is longer than %d bytes: move the "
                                "socket, or shorten DefaultRuntimeDir",
                                who, path ? path : out->url.uds, RP_URL_UDS_MAX);
        }
        out->url.uds = path;
    }
    out->name = rp_worker_name(cmd->pool, &out->url);
    out->text = rp_url_str(cmd->pool, &out->url);
    if (strlen(out->name) > RP_WORKER_NAME_MAX) {
        return apr_psprintf(cmd->pool, "%s: the URL \"%s\" is longer than %d bytes", who, url,
                            RP_WORKER_NAME_MAX);
    }
    return NULL;
}

const char *rp_worker_params_apply(cmd_parms *cmd, const char *who, rp_worker_params_t *set,
                                   const apr_array_header_t *params)
{
    for (int i = 0; i < params->nelts; i++) {
        const rp_keyvalue_t *kv = &APR_ARRAY_IDX(params, i, rp_keyvalue_t);
        const char *err = rp_worker_param_set(cmd->pool, set, kv->key, kv->value);

        if (err) {
            return apr_psprintf(cmd->pool, "%s: %s", who, err);
        }
    }
    return NULL;
}

/* A worker with what is in force where it is defined; known to its server and to the reading. */
static rp_worker_t *worker_make(cmd_parms *cmd, const rp_dest_t *dest)
{
    const rp_server_conf_t *conf = rp_server_conf(cmd->server);
    rp_worker_t *worker = rp_worker_create(cmd->pool, &dest->url, dest->name);

    worker->defined_at = rp_at(cmd);
    worker->configured = 1;
    worker->params.timeout_us = conf->timeout_us;
    APR_ARRAY_PUSH(rp_reading(cmd->pool)->workers, rp_worker_t *) = worker;
    return worker;
}

const char *rp_worker_define(cmd_parms *cmd, const char *who, const rp_dest_t *dest,
                             const apr_array_header_t *params, rp_worker_t **out)
{
    rp_server_conf_t *conf = rp_server_conf(cmd->server);
    rp_worker_t *shared = rp_worker_index_find(conf->worker_index, dest->text, dest->url.uds);

    if (shared && params->nelts == 0) {
        *out = shared;
        return NULL;
    }
    *out = worker_make(cmd, dest);
    (*out)->ignore_errors = 1;
    if (shared) {
        (*out)->params = shared->params;
        rp_message_add(cmd, APLOG_INFO,
                       "RP0011: %s: %s: the parameters hold for this line alone; what it does not "
                       "say is as for %s (%s)",
                       (*out)->defined_at, dest->name, shared->name, shared->defined_at);
    }
    APR_ARRAY_PUSH(conf->workers, rp_worker_t *) = *out;
    rp_worker_index_add(conf->worker_index, *out);
    return rp_worker_params_apply(cmd, who, &(*out)->params, params);
}

const char *rp_worker_any(cmd_parms *cmd, const char *who, const rp_dest_t *dest,
                          const apr_array_header_t *params, rp_rule_t *rule)
{
    rp_worker_t *worker = worker_make(cmd, dest);

    worker->ignore_errors = 1;
    worker->configured = 0;
    APR_ARRAY_PUSH(rp_server_conf(cmd->server)->any_workers, rp_worker_t *) = worker;
    rule->worker = worker;
    rule->worker_own = 1;
    return rp_worker_params_apply(cmd, who, &worker->params, params);
}

static rp_worker_t *worker_named(const apr_array_header_t *workers, const char *name)
{
    for (int i = 0; i < workers->nelts; i++) {
        rp_worker_t *worker = APR_ARRAY_IDX(workers, i, rp_worker_t *);

        if (strcmp(worker->name, name) == 0) {
            return worker;
        }
    }
    return NULL;
}

const char *rp_worker_apply(cmd_parms *cmd, const char *who, apr_array_header_t *workers,
                            const char *name, const apr_array_header_t *params, int *found)
{
    const char *err = NULL;

    *found = 0;
    for (int i = 0; i < workers->nelts && err == NULL; i++) {
        rp_worker_t *worker = APR_ARRAY_IDX(workers, i, rp_worker_t *);

        if (strcmp(worker->name, name) == 0) {
            err = rp_worker_params_apply(cmd, who, &worker->params, params);
            ++*found;
        }
    }
    return err;
}

rp_balancer_conf_t *rp_balancer_get(cmd_parms *cmd, const char *name, int make)
{
    rp_server_conf_t *conf = rp_server_conf(cmd->server);
    rp_balancer_conf_t *balancer = NULL;

    for (int i = 0; i < conf->balancers->nelts; i++) {
        balancer = APR_ARRAY_IDX(conf->balancers, i, rp_balancer_conf_t *);
        if (strcmp(balancer->name, name) == 0) {
            return balancer;
        }
    }
    if (!make) {
        return NULL;
    }
    balancer = apr_pcalloc(cmd->pool, sizeof(*balancer));
    balancer->name = name;
    rp_balancer_params_init(&balancer->params);
    balancer->members = apr_array_make(cmd->pool, 4, sizeof(rp_worker_t *));
    balancer->server = cmd->server;
    balancer->defined_at = rp_at(cmd);
    APR_ARRAY_PUSH(conf->balancers, rp_balancer_conf_t *) = balancer;
    return balancer;
}

const char *rp_balancer_apply(cmd_parms *cmd, const char *who, rp_balancer_conf_t *balancer,
                              const apr_array_header_t *params)
{
    for (int i = 0; i < params->nelts; i++) {
        const rp_keyvalue_t *kv = &APR_ARRAY_IDX(params, i, rp_keyvalue_t);
        const char *err =
            rp_balancer_param_set(cmd->pool, &balancer->params, kv->key, kv->value);

        if (err) {
            return apr_psprintf(cmd->pool, "%s %s: %s", who, balancer->name, err);
        }
    }
    return NULL;
}

const char *rp_member_define(cmd_parms *cmd, rp_balancer_conf_t *balancer, const char *url,
                             const apr_array_header_t *params)
{
    rp_dest_t dest;
    rp_worker_t *member;
    rp_worker_t *before;
    int found = 0;
    const char *err = rp_dest_parse(cmd, "BalancerMember", url, &dest);

    if (err == NULL) {
        err = rp_worker_apply(cmd, "BalancerMember", balancer->members, dest.name, params, &found);
    }
    if (err) {
        return err;
    }
    if (found) {
        before = worker_named(balancer->members, dest.name);
        rp_message_add(cmd, APLOG_WARNING,
                       "RP0723: %s: %s is a member of %s already (%s): the parameters of both lines "
                       "hold together; write one line",
                       rp_at(cmd), dest.name, balancer->name, before->defined_at);
        return NULL;
    }
    member = worker_make(cmd, &dest);
    APR_ARRAY_PUSH(balancer->members, rp_worker_t *) = member;
    return rp_worker_params_apply(cmd, "BalancerMember", &member->params, params);
}
