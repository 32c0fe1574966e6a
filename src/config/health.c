/* SPDX-License-Identifier: Apache-2.0 */
/* ProxyHCExpr and ProxyHCTemplate: names for health checks; and what workers make of them. */
#include "config/health.h"

#include "config/define.h"
#include "config/directives.h"

#include <http_core.h>
#include <http_log.h>
#include <mod_watchdog.h>
#include <apr_strings.h>

APLOG_USE_MODULE(rproxy);

#define REFUSE(tag_and_format, ...)                                                                \
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL, tag_and_format, __VA_ARGS__)

static const rp_hc_name_t *name_find(const apr_array_header_t *names, const char *name)
{
    for (int i = 0; i < names->nelts; i++) {
        const rp_hc_name_t *known = &APR_ARRAY_IDX(names, i, rp_hc_name_t);

        if (ap_cstr_casecmp(known->name, name) == 0) {
            return known;
        }
    }
    return NULL;
}

static const char *name_add(cmd_parms *cmd, apr_array_header_t *names, const rp_hc_name_t *entry)
{
    const rp_hc_name_t *known = name_find(names, entry->name);

    if (known) {
        return apr_psprintf(cmd->pool, "%s: the name \"%s\" is taken (%s)", cmd->cmd->name,
                            entry->name, known->defined_at);
    }
    APR_ARRAY_PUSH(names, rp_hc_name_t) = *entry;
    return NULL;
}

/* ---- expressions ---- */

/* hc('body') and %{HC_BODY}: what the check that is judged read of the body. */
static const char *body_function(ap_expr_eval_ctx_t *ctx, const void *data, const char *arg)
{
    const char *body = ctx->r ? apr_table_get(ctx->r->notes, RP_HEALTH_BODY_NOTE) : NULL;

    (void)data;
    return body && ap_cstr_casecmp(arg, "body") == 0 ? body : "";
}

static const char *body_variable(ap_expr_eval_ctx_t *ctx, const void *data)
{
    return body_function(ctx, data, "body");
}

/* Things that need a request of a client, which a health check is not. */
static int needs_client(const ap_expr_lookup_parms *parms)
{
    static const char *const operators[] = {"U", "A", "F", NULL};
    static const char *const variables[] = {"REMOTE_IDENT", "REMOTE_HOST", NULL};
    const char *const *list = parms->type == AP_EXPR_FUNC_OP_UNARY ? operators
                              : parms->type == AP_EXPR_FUNC_VAR    ? variables
                                                                   : NULL;

    for (int i = 0; list && list[i]; i++) {
        if (strcmp(list[i], parms->name) == 0) {
            return 1;
        }
    }
    return 0;
}

static int expr_lookup(ap_expr_lookup_parms *parms)
{
    if (parms->type == AP_EXPR_FUNC_STRING && ap_cstr_casecmp(parms->name, "hc") == 0) {
        *parms->func = body_function;
        *parms->data = NULL;
        return OK;
    }
    if (parms->type == AP_EXPR_FUNC_VAR && ap_cstr_casecmp(parms->name, "HC_BODY") == 0) {
        *parms->func = body_variable;
        *parms->data = NULL;
        return OK;
    }
    if (needs_client(parms)) {
        *parms->err = apr_psprintf(parms->pool,
                                   "%s%s is about a client, and a health check has none",
                                   parms->type == AP_EXPR_FUNC_VAR ? "" : "-", parms->name);
        return !OK;
    }
    return ap_expr_lookup_default(parms);
}

/* The name, and the text of the expression behind it. */
static const char *expr_words(cmd_parms *cmd, const char *args, const char **name,
                              const char **text)
{
    const rp_directive_t *row = cmd->info;

    *name = ap_getword_conf(cmd->pool, &args);
    if (**name == '\0' || strlen(*name) > (apr_size_t)row->max) {
        return apr_psprintf(cmd->pool, "ProxyHCExpr: the name \"%s\" is not 1 to %d bytes long",
                            *name, (int)row->max);
    }
    if (*args == '{') {
        const char *end = ap_strrchr_c(args, '}');

        if (end == NULL || end[1] != '\0') {
            return apr_psprintf(cmd->pool, "ProxyHCExpr %s: the '{' has no '}' at the end", *name);
        }
        *text = apr_pstrmemdup(cmd->pool, args + 1, (apr_size_t)(end - args - 1));
    }
    else {
        *text = ap_getword_conf(cmd->pool, &args);
        if (*args) {
            return apr_psprintf(cmd->pool, "ProxyHCExpr %s: put the expression into braces", *name);
        }
    }
    if ((*text)[strspn(*text, " \t")] == '\0') {
        return apr_psprintf(cmd->pool, "ProxyHCExpr %s: the expression is empty", *name);
    }
    return NULL;
}

/* ProxyHCExpr name {expression}, or the expression in quotes. */
const char *rp_set_hc_expr(cmd_parms *cmd, void *mconfig, const char *args)
{
    const char *err = rp_directive_check(cmd);
    rp_hc_name_t entry = {NULL, NULL, rp_at(cmd), NULL, NULL};

    (void)mconfig;
    if (err == NULL) {
        err = expr_words(cmd, args, &entry.name, &entry.text);
    }
    if (err) {
        return err;
    }
    entry.expr = ap_expr_parse_cmd(cmd, entry.text, AP_EXPR_FLAG_DONT_VARY, &err, expr_lookup);
    if (err) {
        return apr_psprintf(cmd->pool, "ProxyHCExpr %s: {%s} is no expression: %s", entry.name,
                            entry.text, err);
    }
    return name_add(cmd, rp_server_conf(cmd->server)->hc_exprs, &entry);
}

ap_expr_info_t *rp_health_expr(const server_rec *s, const char *name)
{
    const rp_hc_name_t *found = name ? name_find(rp_server_conf(s)->hc_exprs, name) : NULL;

    return found ? found->expr : NULL;
}

/* ---- templates ---- */

const char *rp_set_hc_template(cmd_parms *cmd, void *mconfig, const char *args)
{
    apr_array_header_t *words = rp_words(cmd, args);
    const char *err = rp_directive_check(cmd);
    apr_array_header_t *params;
    rp_worker_params_t *set = apr_palloc(cmd->pool, sizeof(*set));
    rp_hc_name_t entry = {NULL, args, rp_at(cmd), set, NULL};

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
    entry.name = APR_ARRAY_IDX(words, 0, const char *);
    rp_worker_params_init(set);
    for (int i = 0; i < params->nelts; i++) {
        const rp_keyvalue_t *kv = &APR_ARRAY_IDX(params, i, rp_keyvalue_t);

        if (ap_cstr_casecmpn(kv->key, "hc", 2) != 0
            || ap_cstr_casecmp(kv->key, "hctemplate") == 0) {
            return apr_psprintf(cmd->pool,
                                "ProxyHCTemplate %s: \"%s\" is no health check parameter: use "
                                "hcmethod, hcinterval, hctimeout, hcpasses, hcfails, hcinit, "
                                "hcuri, hchost or hcexpr",
                                entry.name, kv->key);
        }
    }
    err = rp_worker_params_apply(cmd, apr_pstrcat(cmd->pool, "ProxyHCTemplate ", entry.name, NULL),
                                 set, params);
    return err ? err : name_add(cmd, rp_server_conf(cmd->server)->hc_templates, &entry);
}

/* What the member says itself wins, wherever it stands on the line. */
static void template_take(rp_worker_params_t *own, const rp_worker_params_t *template)
{
    rp_worker_params_t all = *template;

    rp_worker_params_merge(&all, own);
    own->hcmethod = all.hcmethod ? all.hcmethod : "TCP";
    own->hcuri = all.hcuri;
    own->hchost = all.hchost;
    own->hcexpr = all.hcexpr;
    own->hcinit = all.hcinit;
    own->hcinterval_us = all.hcinterval_us;
    own->hctimeout_us = all.hctimeout_us;
    own->hcpasses = all.hcpasses;
    own->hcfails = all.hcfails;
}

/* ---- judging ---- */

static int names_check(const rp_server_conf_t *own, rp_worker_t *worker)
{
    rp_worker_params_t *p = &worker->params;
    const rp_hc_name_t *template = p->hctemplate ? name_find(own->hc_templates, p->hctemplate) : NULL;

    if (p->hctemplate && !template) {
        REFUSE("RP0008: %s: %s: hctemplate=%s: this server has no ProxyHCTemplate of that name",
               worker->defined_at, worker->name, p->hctemplate);
        return 1;
    }
    if (template) {
        template_take(p, template->params);
    }
    if (p->hcexpr && *p->hcexpr && !name_find(own->hc_exprs, p->hcexpr)) {
        REFUSE("RP0008: %s: %s: hcexpr=%s: this server has no ProxyHCExpr of that name",
               worker->defined_at, worker->name, p->hcexpr);
        return 1;
    }
    return 0;
}

static int request_check(apr_pool_t *ptemp, const rp_worker_t *worker)
{
    const char *wrong = rp_health_request_wrong(ptemp, worker->params.hcuri, worker->params.hchost);

    if (wrong == NULL) {
        return 0;
    }
    REFUSE("RP0740: %s: %s: %s", worker->defined_at, worker->name, wrong);
    return 1;
}

int rp_health_worker_check(apr_pool_t *ptemp, const rp_server_conf_t *own, rp_worker_t *worker)
{
    return names_check(own, worker) + request_check(ptemp, worker);
}

int rp_health_wanted(const rp_worker_t *worker)
{
    return worker->params.hcmethod && strcmp(worker->params.hcmethod, "NONE") != 0;
}

void rp_health_direct_check(rp_reading_t *reading, const rp_worker_t *worker)
{
    rp_message_t *message;

    if (rp_health_wanted(worker)) {
        message = apr_array_push(reading->messages);
        message->level = APLOG_WARNING;
        message->text = apr_psprintf(reading->pool,
                                     "RP0749: %s: %s: hcmethod=%s has no effect: only members of a "
                                     "balancer are checked",
                                     worker->defined_at, worker->name, worker->params.hcmethod);
    }
}

int rp_health_watchdog_check(const rp_reading_t *reading)
{
    if (APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance)) {
        return 0;
    }
    for (int i = 0; i < reading->confs->nelts; i++) {
        const rp_server_conf_t *conf = APR_ARRAY_IDX(reading->confs, i, rp_server_conf_t *);

        for (int b = 0; b < conf->balancers->nelts; b++) {
            const rp_balancer_conf_t *bal = APR_ARRAY_IDX(conf->balancers, b, rp_balancer_conf_t *);

            for (int m = 0; m < bal->members->nelts; m++) {
                const rp_worker_t *worker = APR_ARRAY_IDX(bal->members, m, rp_worker_t *);

                if (rp_health_wanted(worker)) {
                    REFUSE("RP0741: %s: %s: health checks need mod_watchdog, which is not loaded: "
                           "add the line \"LoadModule watchdog_module modules/mod_watchdog.so\"",
                           worker->defined_at, worker->name);
                    return 1;
                }
            }
        }
    }
    return 0;
}
