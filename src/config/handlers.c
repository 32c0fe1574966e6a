/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SetHandler, AddHandler and RewriteRule lines that hand requests to a protocol nobody speaks here.
 * A php-fpm site left with such a line must not start: every "proxy:" handler is this module's, and
 * it would answer 500. What .htaccess files or expressions say is not visible here.
 */
#include "config/check.h"

#include <http_log.h>
#include <util_cfgtree.h>
#include <apr_strings.h>

#include "config/target.h"

APLOG_USE_MODULE(rproxy);

static int refuse(const ap_directive_t *node, const char *what, const char *scheme)
{
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL,
                 "RP0005: %s:%d: %s \"%s\": the protocol %s is not supported; mod_rproxy speaks %s",
                 node->filename, node->line_num, node->directive, what, scheme, RP_TARGET_SPOKEN);
    return 1;
}

/* A destination that can be read off the line: not spoken here? */
static int url_refused(apr_pool_t *p, const ap_directive_t *node, const char *what, const char *url)
{
    const char *scheme;
    rp_target_e kind = rp_target_kind(p, url, &scheme);

    if (kind == RP_TARGET_UNSPOKEN || (kind == RP_TARGET_UNKNOWN && *scheme)) {
        return refuse(node, what, scheme);
    }
    return 0;
}

static int handler_refused(apr_pool_t *p, const ap_directive_t *node, const char *handler)
{
    return ap_cstr_casecmpn(handler, "proxy:", 6) == 0
           && url_refused(p, node, handler, handler + 6);
}

/*
 * RewriteRule pattern substitution [flags]: P hands over the substitution, H=... names a handler.
 */
static int rewrite_refused(apr_pool_t *p, const ap_directive_t *node)
{
    const char *args = node->args;
    const char *subst;
    char *flags;
    char *last = NULL;
    int refused = 0;

    ap_getword_conf(p, &args);
    subst = ap_getword_conf(p, &args);
    flags = apr_pstrdup(p, ap_getword_conf(p, &args)); /* "" is a constant there */
    flags += *flags == '[';
    flags[strcspn(flags, "]")] = '\0';
    for (char *flag = apr_strtok(flags, ",", &last); flag; flag = apr_strtok(NULL, ",", &last)) {
        flag += strspn(flag, " ");
        if (ap_cstr_casecmp(flag, "P") == 0 || ap_cstr_casecmp(flag, "proxy") == 0) {
            const char *scheme;

            refused += rp_target_kind(p, subst, &scheme) == RP_TARGET_UNSPOKEN
                       && refuse(node, subst, scheme);
        }
        else if (ap_cstr_casecmpn(flag, "H=", 2) == 0) {
            refused += handler_refused(p, node, flag + 2);
        }
        else if (ap_cstr_casecmpn(flag, "handler=", 8) == 0) {
            refused += handler_refused(p, node, flag + 8);
        }
    }
    return refused;
}

static int walk(apr_pool_t *p, const ap_directive_t *node)
{
    int refused = 0;

    for (; node; node = node->next) {
        const char *args = node->args ? node->args : "";

        if (ap_cstr_casecmp(node->directive, "SetHandler") == 0
            || ap_cstr_casecmp(node->directive, "AddHandler") == 0) {
            refused += handler_refused(p, node, ap_getword_conf(p, &args));
        }
        else if (ap_cstr_casecmp(node->directive, "RewriteRule") == 0) {
            refused += rewrite_refused(p, node);
        }
        if (node->first_child) {
            refused += walk(p, node->first_child);
        }
    }
    return refused;
}

int rp_handlers_check(apr_pool_t *ptemp)
{
    return walk(ptemp, ap_conftree);
}
