/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directives of forward proxies: refused where they would do something, accepted where they do not.
 */
#include "config/directives.h"

#include <http_core.h>
#include <http_log.h>
#include <apr_strings.h>

#include "config/hosts.h"
#include "config/target.h"

APLOG_USE_MODULE(rproxy);

struct rp_remote_t {
    const char *match;      /**< "*", a scheme, or the start of a URL */
    ap_regex_t *regex;      /**< ProxyRemoteMatch */
    const char *defined_at;
    const char *directive;
};

const char *rp_set_requests(cmd_parms *cmd, void *mconfig, int on)
{
    const char *err = rp_directive_check(cmd);

    (void)mconfig;
    if (err == NULL && on) {
        err = "ProxyRequests On asks for a forward proxy: mod_rproxy is a reverse proxy only, "
              "clients can not choose where it connects to; write ProxyRequests Off";
    }
    return err;
}

const char *rp_set_forward_only(cmd_parms *cmd, void *mconfig, const char *arg)
{
    (void)mconfig;
    (void)arg;
    return rp_directive_check(cmd);
}

const char *rp_set_forward_only_flag(cmd_parms *cmd, void *mconfig, int on)
{
    (void)mconfig;
    (void)on;
    return rp_directive_check(cmd);
}

/* The proxy to go through: http://host[:port], nothing else makes sense. */
static const char *check_proxy_url(cmd_parms *cmd, const char *url)
{
    const char *scheme = "";
    rp_url_err_e why = RP_URL_OK;
    rp_url_t parsed;

    if (rp_target_kind(cmd->temp_pool, url, &scheme) != RP_TARGET_DIRECT) {
        return apr_psprintf(cmd->pool, "%s: \"%s\" is no proxy: write http://host:port",
                            cmd->cmd->name, url);
    }
    if (rp_url_parse(cmd->temp_pool, url, 0, &parsed, &why) != APR_SUCCESS) {
        return apr_psprintf(cmd->pool, "%s: the URL \"%s\" %s", cmd->cmd->name, url,
                            rp_url_err_str(why));
    }
    return NULL;
}

static const char *set_remote(cmd_parms *cmd, const char *match, const char *url, int is_regex)
{
    rp_server_conf_t *conf = rp_server_conf(cmd->server);
    rp_remote_t *remote = apr_pcalloc(cmd->pool, sizeof(*remote));
    const char *err = rp_directive_check(cmd);

    if (err == NULL) {
        err = check_proxy_url(cmd, url);
    }
    if (err) {
        return err;
    }
    remote->match = apr_pstrdup(cmd->pool, match);
    remote->directive = cmd->cmd->name;
    remote->defined_at = rp_at(cmd);
    if (is_regex) {
        remote->regex = ap_pregcomp(cmd->pool, match, AP_REG_EXTENDED);
        if (remote->regex == NULL) {
            return apr_psprintf(cmd->pool, "%s: \"%s\" is no valid regular expression",
                                cmd->cmd->name, match);
        }
    }
    APR_ARRAY_PUSH(conf->remotes, rp_remote_t *) = remote;
    return NULL;
}

const char *rp_set_remote(cmd_parms *cmd, void *mconfig, const char *match, const char *url,
                          const char *creds)
{
    (void)mconfig;
    (void)creds;
    return set_remote(cmd, match, url, 0);
}

const char *rp_set_remote_match(cmd_parms *cmd, void *mconfig, const char *match, const char *url,
                                const char *creds)
{
    (void)mconfig;
    (void)creds;
    return set_remote(cmd, match, url, 1);
}

/* "*", a scheme ("http"), the start of a URL, or a regular expression. */
static int remote_matches(const rp_remote_t *remote, const char *url)
{
    apr_size_t n = strlen(remote->match);

    if (remote->regex) {
        return ap_regexec(remote->regex, url, 0, NULL, 0) == 0;
    }
    if (strcmp(remote->match, "*") == 0) {
        return 1;
    }
    if (strchr(remote->match, ':') == NULL) {
        return ap_cstr_casecmpn(remote->match, url, n) == 0 && url[n] == ':';
    }
    return ap_cstr_casecmpn(remote->match, url, n) == 0;
}

int rp_remote_applies(apr_pool_t *pool, const rp_server_conf_t *conf, const char *url, const char *host)
{
    return rp_remote_of(pool, conf, url, host) != NULL;
}

const rp_remote_t *rp_remote_of(apr_pool_t *pool, const rp_server_conf_t *conf, const char *url,
                                const char *host)
{
    for (int i = 0; i < conf->remotes->nelts; i++) {
        const rp_remote_t *remote = APR_ARRAY_IDX(conf->remotes, i, rp_remote_t *);

        if (remote_matches(remote, url)) {
            return rp_host_exempt(pool, conf->noproxies, host) ? NULL : remote;
        }
    }
    return NULL;
}

const char *rp_set_noproxy(cmd_parms *cmd, void *mconfig, const char *arg)
{
    rp_server_conf_t *conf = rp_server_conf(cmd->server);
    const char *err = rp_directive_check(cmd);
    apr_ipsubnet_t *net;

    (void)mconfig;
    if (err == NULL && rp_net_looks(arg) && rp_net_parse(cmd->temp_pool, arg, &net) != APR_SUCCESS) {
        err = apr_psprintf(cmd->pool, "NoProxy: \"%s\" is no address or network: write 192.0.2.1, 192.168, 192.168.112/21 (at most 32 "
                           "bits) or 2001:db8::/32 (at most 128)", arg);
    }
    if (err == NULL) {
        APR_ARRAY_PUSH(conf->noproxies, const char *) = arg;
    }
    return err;
}

const char *rp_remote_str(apr_pool_t *pool, const rp_remote_t *remote)
{
    return apr_psprintf(pool, "%s %s (%s)", remote->directive, remote->match, remote->defined_at);
}
