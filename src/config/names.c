/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mod_rewrite looks for a linked module "mod_proxy.c" before it lets [P] through: a record of that
 * name is put at the end of httpd's list of modules. <IfModule> and LogLevel ask mod_so for what
 * they do not find in that list, with either form of a name; mod_so's optional function is wrapped,
 * so that the answer is looked up when the question is asked, whatever the order of LoadModule
 * lines. The record shares this module's index and is linked by hand: ap_add_module would give it
 * one of its own and a log level that nobody reads.
 */
#include "config/names.h"

#include <dlfcn.h>
#include <http_log.h>
#include <ap_provider.h>
#include <apr_optional.h>
#include <apr_strings.h>
#include <mod_so.h>
#include <util_mutex.h>

#include "config/conf.h"
#include "config/names_table.h"
#include "config/version.h"
#include "rproxy_lbmethod.h"

APLOG_USE_MODULE(rproxy);

#define FIND_SYMBOL "ap_find_loaded_module_symbol"

static module shim;
static APR_OPTIONAL_FN_TYPE(ap_find_loaded_module_symbol) *find_next;

static int module_there(void *baton, const char *name)
{
    (void)baton;
    return ap_find_linked_module(name) != NULL;
}

int rp_lbmethod_provided(const char *name)
{
    return ap_lookup_provider(RPROXY_LBMETHOD_GROUP, name, RPROXY_LBMETHOD_VERSION) != NULL;
}

static int method_there(void *baton, const char *name)
{
    (void)baton;
    return rp_lbmethod_provided(name);
}

/* mod_so's answer first: a real module of that name is never hidden. */
static module *find_symbol(server_rec *s, const char *name)
{
    module *found = find_next ? find_next(s, name) : NULL;
    const char *file;

    if (found) {
        return found;
    }
    file = rp_name_answer(name, module_there, method_there, NULL);
    return file ? ap_find_linked_module(file) : NULL;
}

/* The link that points at the shim or, when it is not there, the end of the list. */
static module **shim_link(void)
{
    module **link = &ap_top_module;

    while (*link && *link != &shim) {
        link = &(*link)->next;
    }
    return link;
}

static apr_status_t names_return(void *data)
{
    module **link = shim_link();

    (void)data;
    if (*link == &shim) {
        *link = shim.next;
        shim.next = NULL;
    }
    find_next = NULL;
    return APR_SUCCESS;
}

void rp_names_register(apr_pool_t *pconf)
{
    module **link = shim_link();

    if (*link == NULL) {
        shim = (module){STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, NULL, 0};
        shim.name = "mod_proxy.c";
        shim.module_index = rproxy_module.module_index;
        *link = &shim;
    }
    find_next = APR_RETRIEVE_OPTIONAL_FN(ap_find_loaded_module_symbol);
    if (find_next != find_symbol) {
        apr_dynamic_fn_register(FIND_SYMBOL, (apr_opt_fn_t *)find_symbol);
    }
    apr_pool_cleanup_register(pconf, NULL, names_return, apr_pool_cleanup_null);
}

/* The line that loads a module, as far as it can be known: its file is what was loaded. */
static const char *load_line(apr_pool_t *p, const module *m)
{
    const char *symbol = ap_find_module_short_name(m->module_index);
    Dl_info info;

    if (m->dynamic_load_handle == NULL || symbol == NULL || dladdr(m, &info) == 0) {
        return NULL;
    }
    return apr_psprintf(p, "LoadModule %s_module %s", symbol, info.dli_fname);
}

static int refuse_clashes(apr_pool_t *p)
{
    int clashes = 0;

    for (const module *m = ap_top_module; m; m = m->next) {
        const char *line;

        if (m == &shim || !rp_name_clashes(m->name)) {
            continue;
        }
        line = load_line(p, m);
        clashes++;
        if (line) {
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, NULL,
                         "RP0001: %s can not run beside mod_rproxy, which takes its place: remove "
                         "the line \"%s\"",
                         m->name, line);
        }
        else {
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, NULL,
                         "RP0002: %s is built into this httpd and can not run beside mod_rproxy: "
                         "remove the line that loads rproxy_module, or use another httpd",
                         m->name);
        }
    }
    return clashes;
}

int rp_names_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    ap_version_t version;
    const char *old;

    (void)plog;
    /* `Mutex file:/x proxy` is an error where nobody has registered the name. */
    (void)ap_mutex_register(pconf, "proxy", NULL, APR_LOCK_DEFAULT, 0);
    (void)ap_mutex_register(pconf, "proxy-balancer-shm", NULL, APR_LOCK_DEFAULT, 0);
    ap_get_server_revision(&version);
    old = rp_version_refuse(ptemp, version.major, version.minor, version.patch);
    if (old) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, NULL, "RP0003: %s", old);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return refuse_clashes(ptemp) ? HTTP_INTERNAL_SERVER_ERROR : OK;
}
