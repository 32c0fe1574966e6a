/* SPDX-License-Identifier: Apache-2.0 */
/* ProxyHCExpr and ProxyHCTemplate: names for health checks, validated and kept. */
#include "config/define.h"
#include "config/directives.h"

#include <http_core.h>
#include <http_log.h>
#include <apr_strings.h>

APLOG_USE_MODULE(rproxy);

static const char *name_add(cmd_parms *cmd, apr_array_header_t *names, const char *name,
                            const char *text)
{
    rp_hc_name_t *entry;

    for (int i = 0; i < names->nelts; i++) {
        const rp_hc_name_t *known = &APR_ARRAY_IDX(names, i, rp_hc_name_t);

        if (ap_cstr_casecmp(known->name, name) == 0) {
            return apr_psprintf(cmd->pool, "%s: the name \"%s\" is taken (%s)", cmd->cmd->name,
                                name, known->defined_at);
        }
    }
    entry = apr_array_push(names);
    entry->name = name;
    entry->text = text;
    entry->defined_at = rp_at(cmd);
    return NULL;
}

/* ProxyHCExpr name {expression}, or the expression in quotes. */
const char *rp_set_hc_expr(cmd_parms *cmd, void *mconfig, const char *args)
{
    const rp_directive_t *row = cmd->info;
    const char *err = rp_directive_check(cmd);
    const char *name;
    const char *text;

    (void)mconfig;
    if (err) {
        return err;
    }
    name = ap_getword_conf(cmd->pool, &args);
    if (*name == '\0' || strlen(name) > (apr_size_t)row->max) {
        return apr_psprintf(cmd->pool, "ProxyHCExpr: the name \"%s\" is not 1 to %d bytes long",
                            name, (int)row->max);
    }
    if (*args == '{') {
        const char *end = ap_strrchr_c(args, '}');

        if (end == NULL || end[1] != '\0') {
            return apr_psprintf(cmd->pool, "ProxyHCExpr %s: the '{' has no '}' at the end", name);
        }
        text = apr_pstrmemdup(cmd->pool, args + 1, (apr_size_t)(end - args - 1));
    }
    else {
        text = ap_getword_conf(cmd->pool, &args);
        if (*args) {
            return apr_psprintf(cmd->pool, "ProxyHCExpr %s: put the expression into braces", name);
        }
    }
    if (text[strspn(text, " \t")] == '\0') {
        return apr_psprintf(cmd->pool, "ProxyHCExpr %s: the expression is empty", name);
    }
    return name_add(cmd, rp_server_conf(cmd->server)->hc_exprs, name, text);
}

const char *rp_set_hc_template(cmd_parms *cmd, void *mconfig, const char *args)
{
    apr_array_header_t *words = rp_words(cmd, args);
    const char *err = rp_directive_check(cmd);
    apr_array_header_t *params;
    rp_worker_params_t scratch;
    const char *name;

    (void)mconfig;
    if (err == NULL && words->nelts < 2) {
        err = "ProxyHCTemplate needs a name and key=value";
    }
    if (err == NULL) {
        err = rp_words_params(cmd, words, 1, &params);
    }
    if (err) {
        return err;
    }
    name = APR_ARRAY_IDX(words, 0, const char *);
    rp_worker_params_init(&scratch);
    for (int i = 0; i < params->nelts; i++) {
        const rp_keyvalue_t *kv = &APR_ARRAY_IDX(params, i, rp_keyvalue_t);

        if (ap_cstr_casecmpn(kv->key, "hc", 2) != 0
            || ap_cstr_casecmp(kv->key, "hctemplate") == 0) {
            return apr_psprintf(cmd->pool,
                                "ProxyHCTemplate %s: \"%s\" is no health check parameter: use "
                                "hcmethod, hcinterval, hcpasses, hcfails, hcuri or hcexpr",
                                name, kv->key);
        }
    }
    err = rp_worker_params_apply(cmd, apr_pstrcat(cmd->pool, "ProxyHCTemplate ", name, NULL),
                                 &scratch, params);
    return err ? err : name_add(cmd, rp_server_conf(cmd->server)->hc_templates, name, args);
}
