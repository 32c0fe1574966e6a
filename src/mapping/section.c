/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map_to_storage: what <Proxy> and <ProxyMatch> say about a proxied URL. No directory or file is
 * walked, so <Directory>, <Files> and .htaccess never apply; <Location> is merged by the core
 * afterwards and so overrides <Proxy>.
 */
#include "mapping/mapping_int.h"

#include <apr_strings.h>
#include <http_log.h>
#include <strings.h>

APLOG_USE_MODULE(rproxy);

/* <ProxyMatch>: 1 when it matches; then its named groups are in the environment as MATCH_NAME. */
static int section_captures(request_rec *r, const rp_dir_conf_t *section, const char *url)
{
    ap_regmatch_t pm[AP_MAX_REG_MATCH];
    int i;

    if (ap_regexec(section->section_regex, url, AP_MAX_REG_MATCH, pm, 0) != 0) {
        return 0;
    }
    for (i = 0; section->section_refs && i < section->section_refs->nelts && i < AP_MAX_REG_MATCH;
         i++) {
        const char *name = APR_ARRAY_IDX(section->section_refs, i, const char *);

        if (name && pm[i].rm_so >= 0 && pm[i].rm_eo >= pm[i].rm_so) {
            apr_table_setn(r->subprocess_env, name,
                           apr_pstrmemdup(r->pool, url + pm[i].rm_so,
                                          (apr_size_t)(pm[i].rm_eo - pm[i].rm_so)));
        }
    }
    return 1;
}

/*
 * The destination in its normal form, so that no other spelling of it gets around a section: "%73ecret" is "secret" for the backend
 * too. NULL when it is no URL; then fixups refuse it.
 */
static const char *normal_form(request_rec *r, const char *url)
{
    const rp_mapping_t *m = rp_mapping_of(r);
    const rp_rule_t *rule = m->filename == r->filename ? m->rule : NULL;
    const rp_base_t *base = rule ? rule->base : NULL;
    int encoded = m->noencode || apr_table_get(r->notes, "proxy-nocanon") != NULL;
    rp_url_err_e err;
    rp_base_t made;

    if (!base) {
        if (rp_base_parse(r->pool, url, 1, &made, &err) != APR_SUCCESS) {
            return NULL;
        }
        base = &made;
    }
    return rp_target_normal(r->pool, url, base, encoded);
}

static int section_applies(request_rec *r, const rp_dir_conf_t *section, const char *url)
{
    return section->section_regex ? section_captures(r, section, url) : rp_section_matches(section, url);
}

static int names_balancer(const char *url)
{
    return !strncasecmp(url, "balancer:", 9);
}

/* One of balancers for a URL that names none, or the other way round: neither form of the URL can begin like it. */
static int section_is_other_kind(const rp_dir_conf_t *section, const char *url)
{
    return section->section_regex == NULL && !section->section_wild && section->section_url != NULL
           && names_balancer(section->section_url) != names_balancer(url);
}

int rp_section_walk(request_rec *r)
{
    const rp_server_conf_t *sconf = rp_server_conf(r->server);
    const char *url, *normal = NULL;
    int made = 0;
    int i;

    if (!rp_mapping_is_proxied(r)) {
        return DECLINED;
    }
    rp_mapping_of(r)->seen = r->filename;
    if (sconf->sections->nelts == 0) {
        return OK;
    }
    url = r->filename + RP_PROXY_PREFIX_LEN;
    for (i = 0; i < sconf->sections->nelts; i++) {
        ap_conf_vector_t *conf = APR_ARRAY_IDX(sconf->sections, i, ap_conf_vector_t *);
        const rp_dir_conf_t *section = rp_dir_conf(conf);

        if (section_is_other_kind(section, url)) {
            continue;
        }
        if (!made) {
            made = 1;
            normal = normal_form(r, url);
            normal = normal && strcmp(normal, url) == 0 ? NULL : normal;
        }
        if (section_applies(r, section, url) || (normal && section_applies(r, section, normal))) {
            r->per_dir_config = ap_merge_per_dir_configs(r->pool, r->per_dir_config, conf);
        }
    }
    return OK;
}
