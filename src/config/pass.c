/* SPDX-License-Identifier: Apache-2.0 */
/* ProxyPass and ProxyPassMatch: from a line to a rule with its worker or balancer. */
#include "config/define.h"
#include "config/directives.h"
#include "config/target.h"
#include "mapping/mapping.h"

#include <http_core.h>
#include <http_log.h>
#include <apr_fnmatch.h>
#include <apr_strings.h>

APLOG_USE_MODULE(rproxy);

/* Lines that do something else than they look like. */
static void warn_oddities(cmd_parms *cmd, const rp_rule_t *rule, const char *given)
{
    apr_size_t np = strlen(rule->path);
    apr_size_t nu = strlen(given);
    int path_slash = rule->path[np - 1] == '/';
    int url_slash = nu > 0 && given[nu - 1] == '/';

    if (!rule->interpolate && strstr(given, "${")) {
        rp_message_add(cmd, APLOG_WARNING,
                       "RP0012: %s: \"%s\": ${...} is sent as it stands: add interpolate to the "
                       "line, or Define the name",
                       rule->defined_at, given);
    }
    if (rule->regex) {
        return;
    }
    if (*rule->path != '/') {
        rp_message_add(cmd, APLOG_WARNING,
                       "RP0013: %s: the path \"%s\" does not start with '/' and never matches",
                       rule->defined_at, rule->path);
    }
    if (strchr(given, '?')) {
        rp_message_add(cmd, APLOG_WARNING,
                       "RP0014: %s: the '?' in \"%s\" becomes %%3F: it starts no query in the "
                       "target of a prefix rule",
                       rule->defined_at, given);
    }
    if (rule->url[strlen(rule->url) - 1] == '/' && !url_slash) {
        rp_message_add(cmd, APLOG_WARNING,
                       "RP0018: %s: \"%s\" has no path: a '/' is put behind it, as what follows "
                       "\"%s\" would continue the host name; write the '/'",
                       rule->defined_at, given, rule->path);
    }
    else if (path_slash != url_slash) {
        rp_message_add(cmd, path_slash ? APLOG_WARNING : APLOG_INFO,
                       "RP0015: %s: \"%s\" and \"%s\": %s; end both with a '/' or neither",
                       rule->defined_at, rule->path, given,
                       path_slash ? "what follows the path is glued to the URL without a '/'"
                                  : "the backend gets \"//\" where the path is continued");
    }
}

/* 1 inside <LocationMatch> or <Location ~>. */
static int in_regex_location(const cmd_parms *cmd)
{
    const ap_directive_t *parent = cmd->directive->parent;

    return parent
           && (ap_cstr_casecmp(parent->directive, "<LocationMatch") == 0
               || (parent->args && parent->args[0] == '~'));
}

/* The regular expression of a rule, when it has one. */
static const char *compile_path(cmd_parms *cmd, rp_rule_t *rule, int is_regex)
{
    if (cmd->path) {
        /* The Location's wildcards are read as a regular expression here, and always were. */
        int says_regex = in_regex_location(cmd);

        if (!says_regex && !is_regex && apr_fnmatch_test(cmd->path)) {
            rp_message_add(cmd, APLOG_WARNING,
                           "RP0016: %s: ProxyPass reads <Location \"%s\"> as a regular expression, "
                           "not as wildcards: write <LocationMatch> with the expression you mean",
                           rule->defined_at, cmd->path);
        }
        is_regex = is_regex || says_regex || apr_fnmatch_test(cmd->path);
    }
    if (is_regex) {
        rule->regex = ap_pregcomp(cmd->pool, rule->path, AP_REG_EXTENDED);
        if (rule->regex == NULL) {
            return apr_psprintf(cmd->pool, "%s: \"%s\" is no valid regular expression",
                                cmd->cmd->name, rule->path);
        }
    }
    return NULL;
}

/* Target is a balancer. */
static const char *aim_balancer(cmd_parms *cmd, rp_rule_t *rule, const rp_passline_t *line)
{
    const char *name;
    const char *rest;
    const char *bad = rp_target_balancer(cmd->pool, line->url, &name, &rest);
    rp_balancer_conf_t *balancer;

    if (bad) {
        return apr_psprintf(cmd->pool, "%s: the balancer URL \"%s\" %s", cmd->cmd->name, line->url,
                            bad);
    }
    rule->balancer = name;
    APR_ARRAY_PUSH(rp_reading(cmd->pool)->balancer_needs, rp_need_t) =
        (rp_need_t){apr_psprintf(cmd->pool, "%s to %s", cmd->cmd->name, name), rule->defined_at};
    if (line->params->nelts == 0) {
        return NULL;
    }
    balancer = rp_balancer_get(cmd, name, 1);
    return rp_balancer_apply(cmd, cmd->cmd->name, balancer, line->params);
}

/*
 * Target whose host varies: no worker. A line with parameters gets one that holds them and stands
 * for all its destinations; like them it is outside the configuration.
 */
static const char *aim_anywhere(cmd_parms *cmd, rp_rule_t *rule, const rp_passline_t *line)
{
    rp_dest_t dest;
    const char *err = NULL;

    if (line->params->nelts == 0) {
        return NULL;
    }
    err = rp_dest_parse(cmd, cmd->cmd->name, "http://any/", &dest);
    dest.name = line->url;
    return err ? err : rp_worker_any(cmd, cmd->cmd->name, &dest, line->params, rule);
}

static const char *aim_worker(cmd_parms *cmd, rp_rule_t *rule, const rp_passline_t *line,
                              rp_varies_e varies, apr_size_t fixed)
{
    rp_dest_t dest;
    const char *err =
        rp_dest_parse(cmd, cmd->cmd->name, apr_pstrmemdup(cmd->pool, line->url, fixed), &dest);

    if (err) {
        return err;
    }
    if (!rule->regex && varies == RP_VARIES_NOTHING && *dest.url.path == '\0'
        && rule->path[strlen(rule->path) - 1] == '/') {
        /* Plain concatenation would let what the client sends continue the host name. */
        rule->url = apr_pstrcat(cmd->pool, rule->url, "/", NULL);
    }
    err = rp_worker_define(cmd, cmd->cmd->name, &dest, line->params, &rule->worker);
    rule->worker_own = line->params->nelts > 0;
    return err;
}

static const char *aim(cmd_parms *cmd, rp_rule_t *rule, const rp_passline_t *line)
{
    apr_size_t fixed;
    rp_varies_e varies;
    const char *scheme;

    /* As written: <Proxy> sections are compared with it before it gets its normal form. */
    rule->url = rp_socket_absolute(cmd, line->url);
    if (line->exempt) {
        return NULL;
    }
    varies = rp_target_varies(line->url, rule->regex != NULL, line->interpolate, &fixed);
    switch (rp_target_kind(cmd->temp_pool, line->url, &scheme)) {
    case RP_TARGET_BALANCER:
        if (varies == RP_VARIES_AUTHORITY) {
            APR_ARRAY_PUSH(rp_reading(cmd->pool)->balancer_needs, rp_need_t) = (rp_need_t){
                apr_psprintf(cmd->pool, "%s to %s", cmd->cmd->name, line->url), rule->defined_at};
            return NULL;
        }
        return aim_balancer(cmd, rule, line);
    case RP_TARGET_UNKNOWN:
        if (varies == RP_VARIES_AUTHORITY && *scheme == '\0') {
            return aim_anywhere(cmd, rule, line);
        }
        break;
    case RP_TARGET_DIRECT:
        if (varies == RP_VARIES_AUTHORITY) {
            return aim_anywhere(cmd, rule, line);
        }
        break;
    case RP_TARGET_UNSPOKEN:
        break;
    }
    return aim_worker(cmd, rule, line, varies, fixed);
}

/* The rule of a Location; it replaces the one before. */
static void location_take(cmd_parms *cmd, rp_dir_conf_t *dir, rp_rule_t *rule)
{
    apr_array_header_t *rules = rp_server_conf(cmd->server)->location_rules;
    rp_rule_t **place = NULL;

    for (int i = 0; dir->rule && i < rules->nelts; i++) {
        if (APR_ARRAY_IDX(rules, i, rp_rule_t *) == dir->rule) {
            place = &APR_ARRAY_IDX(rules, i, rp_rule_t *);
        }
    }
    if (dir->rule) {
        rp_message_add(cmd, APLOG_WARNING,
                       "RP0017: %s: the second ProxyPass of this Location replaces the first (%s)",
                       rule->defined_at, dir->rule->defined_at);
    }
    if (place == NULL) {
        place = apr_array_push(rules);
    }
    *place = rule;
    dir->rule = rule;
}

static const char *set_pass(cmd_parms *cmd, rp_dir_conf_t *dir, const char *args, int is_match)
{
    apr_array_header_t *words = rp_words(cmd, args);
    rp_rule_t *rule = apr_pcalloc(cmd->pool, sizeof(*rule));
    rp_passline_t line;
    const char *err = rp_directive_check(cmd);

    if (err == NULL) {
        err = rp_passline_parse(cmd->pool, cmd->cmd->name, cmd->path != NULL, is_match,
                                words->nelts, (const char *const *)words->elts, &line);
    }
    if (err) {
        return err;
    }
    rule->path = cmd->path ? cmd->path : line.path;
    rule->exempt = line.exempt;
    rule->nocanon = line.nocanon;
    rule->noquery = line.noquery;
    rule->interpolate = line.interpolate;
    rule->mapping = line.mapping;
    rule->defined_at = rp_at(cmd);
    err = compile_path(cmd, rule, line.regex);
    if (err == NULL) {
        err = aim(cmd, rule, &line);
    }
    if (err) {
        return err;
    }
    if (!rule->exempt) {
        rule->base = rp_rule_base(cmd->pool, rule);
        warn_oddities(cmd, rule, line.url);
    }
    if (cmd->path == NULL) {
        APR_ARRAY_PUSH(rp_server_conf(cmd->server)->rules, rp_rule_t *) = rule;
        return NULL;
    }
    location_take(cmd, dir, rule);
    return NULL;
}

const char *rp_set_pass(cmd_parms *cmd, void *mconfig, const char *args)
{
    return set_pass(cmd, mconfig, args, 0);
}

const char *rp_set_pass_match(cmd_parms *cmd, void *mconfig, const char *args)
{
    return set_pass(cmd, mconfig, args, 1);
}
