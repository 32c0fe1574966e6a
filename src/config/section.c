/* SPDX-License-Identifier: Apache-2.0 */
/* <Proxy> and <ProxyMatch> sections, ProxySet and BalancerMember. */
#include "config/define.h"
#include "config/directives.h"
#include "config/target.h"
#include "mapping/target.h"

#include <http_core.h>
#include <http_log.h>
#include <apr_fnmatch.h>
#include <apr_strings.h>

APLOG_USE_MODULE(rproxy);

int rp_section_matches(const rp_dir_conf_t *section, const char *url)
{
    if (section->section_regex) {
        return ap_regexec(section->section_regex, url, 0, NULL, 0) == 0;
    }
    if (section->section_url == NULL) {
        return 0;
    }
    if (section->section_wild) {
        return apr_fnmatch(section->section_pattern, url, 0) == APR_SUCCESS;
    }
    return strncmp(section->section_url, url, strlen(section->section_url)) == 0
           || (section->section_normal != NULL && rp_target_begins(url, section->section_normal));
}

/* 1 when a directive of mod_ssl's SSLProxy family is written in a section. */
static int has_ssl(const ap_directive_t *node)
{
    for (; node; node = node->next) {
        if (ap_cstr_casecmpn(node->directive, "SSLProxy", 8) == 0
            || (node->first_child && has_ssl(node->first_child))) {
            return 1;
        }
    }
    return 0;
}

/* Parameters on the `<Proxy url ...>` line or in a ProxySet inside: url has no wildcards. */
static const char *set_by_url(cmd_parms *cmd, const char *who, const char *url,
                              const apr_array_header_t *params)
{
    rp_server_conf_t *conf = rp_server_conf(cmd->server);
    rp_dest_t dest;
    rp_worker_t *worker;
    int found = 0;
    const char *err;

    if (rp_target_kind(cmd->temp_pool, url, NULL) == RP_TARGET_BALANCER) {
        const char *name;
        const char *rest;
        const char *bad = rp_target_balancer(cmd->pool, url, &name, &rest);

        if (bad) {
            return apr_psprintf(cmd->pool, "%s: the balancer URL \"%s\" %s", who, url, bad);
        }
        return rp_balancer_apply(cmd, who, rp_balancer_get(cmd, name, 1), params);
    }
    err = rp_dest_parse(cmd, who, url, &dest);
    if (err == NULL) {
        err = rp_worker_apply(cmd, who, conf->workers, dest.name, params, &found);
    }
    if (err == NULL && !found) {
        err = rp_worker_define(cmd, who, &dest, params, &worker);
    }
    return err;
}

/* The inside of a section, with the rights of one. */
static const char *walk(cmd_parms *cmd, ap_conf_vector_t *vector)
{
    int override = cmd->override;
    const char *err;

    cmd->override = OR_ALL | ACCESS_CONF | PROXY_CONF;
    err = ap_walk_config(cmd->directive->first_child, cmd, vector);
    cmd->override = override;
    return err;
}

static const char *name_section(cmd_parms *cmd, rp_dir_conf_t *section, const char *url,
                                int is_regex)
{
    rp_base_t base;
    rp_url_err_e why;

    section->section_url = rp_socket_absolute(cmd, url);
    if (!is_regex) {
        url = section->section_url;
        section->section_wild = rp_target_wild(cmd->pool, url, &section->section_pattern);
        if (!section->section_wild && rp_base_parse(cmd->pool, url, 1, &base, &why) == APR_SUCCESS) {
            section->section_normal = rp_target_normal(cmd->pool, url, &base, 1);
        }
        return NULL;
    }
    section->section_regex = ap_pregcomp(cmd->pool, url, AP_REG_EXTENDED);
    if (section->section_regex == NULL) {
        return apr_psprintf(cmd->pool, "%s \"%s\">: no valid regular expression",
                            cmd->cmd->name, url);
    }
    section->section_refs = apr_array_make(cmd->pool, 4, sizeof(char *));
    ap_regname(section->section_regex, section->section_refs, AP_REG_MATCH, 1);
    return NULL;
}

static const char *read_section(cmd_parms *cmd, const char *args, int is_regex)
{
    const char *end = ap_strrchr_c(args, '>');
    rp_server_conf_t *conf = rp_server_conf(cmd->server);
    ap_conf_vector_t *vector = ap_create_per_dir_config(cmd->pool);
    rp_dir_conf_t *section = rp_dir_conf_create(cmd->pool, NULL);
    const char *err = rp_directive_check(cmd);
    char *old_path = cmd->path;
    apr_array_header_t *words;
    apr_array_header_t *params;
    int first = 0;
    int ssl;

    if (err) {
        return err;
    }
    ssl = has_ssl(cmd->directive->first_child); /* the walk leaves cmd->directive elsewhere */
    if (end == NULL) {
        return apr_psprintf(cmd->pool, "%s> directive missing closing '>'", cmd->cmd->name);
    }
    words = rp_words(cmd, apr_pstrmemdup(cmd->pool, args, (apr_size_t)(end - args)));
    if (words->nelts > 0 && strcmp(APR_ARRAY_IDX(words, 0, const char *), "~") == 0) {
        is_regex = 1;
        first = 1;
    }
    if (words->nelts <= first) {
        return apr_psprintf(cmd->pool, "%s> needs a URL", cmd->cmd->name);
    }
    cmd->path = apr_pstrdup(cmd->pool, APR_ARRAY_IDX(words, first, const char *));
    ap_set_module_config(vector, &rproxy_module, section);
    err = name_section(cmd, section, cmd->path, is_regex);
    if (err == NULL) {
        err = rp_words_params(cmd, words, first + 1, &params);
    }
    if (err == NULL && params->nelts > 0) {
        if (is_regex || section->section_wild) {
            err = apr_psprintf(cmd->pool,
                               "%s \"%s\">: parameters are not supported for a URL with wildcards "
                               "or a regular expression: they belong to one worker or balancer",
                               cmd->cmd->name, cmd->path);
        }
        else {
            err = set_by_url(cmd, apr_pstrcat(cmd->pool, cmd->cmd->name, ">", NULL), cmd->path,
                             params);
        }
    }
    if (err == NULL) {
        err = walk(cmd, vector);
    }
    cmd->path = old_path;
    if (err) {
        return err;
    }
    APR_ARRAY_PUSH(conf->sections, ap_conf_vector_t *) = vector;
    APR_ARRAY_PUSH(conf->own_sections, ap_conf_vector_t *) = vector;
    if (ssl) {
        APR_ARRAY_PUSH(conf->ssl_sections, ap_conf_vector_t *) = vector;
    }
    return NULL;
}

const char *rp_section_proxy(cmd_parms *cmd, void *mconfig, const char *args)
{
    (void)mconfig;
    return read_section(cmd, args, 0);
}

const char *rp_section_proxy_match(cmd_parms *cmd, void *mconfig, const char *args)
{
    (void)mconfig;
    return read_section(cmd, args, 1);
}

/* ProxySet outside a section: the worker or balancer must exist. */
static const char *set_existing(cmd_parms *cmd, const char *url, const apr_array_header_t *params)
{
    rp_server_conf_t *conf = rp_server_conf(cmd->server);
    rp_worker_t *worker;
    rp_dest_t dest;
    int found = 0;
    const char *err;

    if (rp_target_kind(cmd->temp_pool, url, NULL) == RP_TARGET_BALANCER) {
        const char *name;
        const char *rest;
        const char *bad = rp_target_balancer(cmd->pool, url, &name, &rest);
        rp_balancer_conf_t *balancer = bad ? NULL : rp_balancer_get(cmd, name, 0);

        if (balancer) {
            return rp_balancer_apply(cmd, "ProxySet", balancer, params);
        }
        return apr_psprintf(cmd->pool,
                            "ProxySet can not find the balancer \"%s\" in this server: define it "
                            "with <Proxy> or BalancerMember before this line",
                            url);
    }
    err = rp_dest_parse(cmd, "ProxySet", url, &dest);
    if (err == NULL) {
        err = rp_worker_apply(cmd, "ProxySet", conf->workers, dest.name, params, &found);
    }
    if (err || found) {
        return err;
    }
    worker = rp_worker_index_find(conf->worker_index, dest.text, dest.url.uds);
    if (worker) {
        return rp_worker_params_apply(cmd, "ProxySet", &worker->params, params);
    }
    return apr_psprintf(cmd->pool,
                        "ProxySet can not find the worker \"%s\" in this server: name it in a "
                        "ProxyPass before this line, or write ProxySet inside <Proxy \"%s\">",
                        url, url);
}

const char *rp_set_proxy_set(cmd_parms *cmd, void *mconfig, const char *args)
{
    const rp_dir_conf_t *section = mconfig;
    int inside = cmd->path != NULL && section->section_url != NULL;
    apr_array_header_t *words = rp_words(cmd, args);
    apr_array_header_t *params = NULL;
    const char *err = rp_directive_check(cmd);

    if (err == NULL && words->nelts < (inside ? 1 : 2)) {
        err = apr_psprintf(cmd->pool, "ProxySet needs %s", inside ? "key=value"
                                                                  : "a URL and key=value");
    }
    if (err == NULL) {
        err = rp_words_params(cmd, words, inside ? 0 : 1, &params);
    }
    if (err) {
        return err;
    }
    if (!inside) {
        return set_existing(cmd, APR_ARRAY_IDX(words, 0, const char *), params);
    }
    if (section->section_regex || section->section_wild) {
        return apr_psprintf(cmd->pool,
                            "ProxySet: <Proxy \"%s\"> has wildcards or is a regular expression: "
                            "parameters belong to one worker or balancer, name it",
                            section->section_url);
    }
    return set_by_url(cmd, "ProxySet", section->section_url, params);
}

const char *rp_set_member(cmd_parms *cmd, void *mconfig, const char *args)
{
    const rp_dir_conf_t *section = mconfig;
    int inside = cmd->path != NULL && section->section_url != NULL;
    apr_array_header_t *words = rp_words(cmd, args);
    apr_array_header_t *params = NULL;
    const char *err = rp_directive_check(cmd);
    const char *where;
    const char *name;
    const char *rest;
    const char *bad;

    if (err) {
        return err;
    }
    if (words->nelts < (inside ? 1 : 2)) {
        return apr_psprintf(cmd->pool, "BalancerMember needs %s",
                            inside ? "a URL" : "the balancer's URL and the member's");
    }
    where = inside ? section->section_url : APR_ARRAY_IDX(words, 0, const char *);
    bad = section->section_regex && inside ? "is a regular expression"
                                           : rp_target_balancer(cmd->pool, where, &name, &rest);
    if (bad) {
        return apr_psprintf(cmd->pool, "BalancerMember: \"%s\" %s: members belong to a balancer, "
                            "<Proxy balancer://name>", where, bad);
    }
    err = rp_words_params(cmd, words, inside ? 1 : 2, &params);
    if (err) {
        return err;
    }
    return rp_member_define(cmd, rp_balancer_get(cmd, name, 1),
                            APR_ARRAY_IDX(words, inside ? 0 : 1, const char *), params);
}
