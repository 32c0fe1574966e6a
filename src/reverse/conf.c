/* SPDX-License-Identifier: Apache-2.0 */
/* The directives of mod_rproxy_reverse, and how sections are merged. */
#include "reverse/conf.h"

#include <apr_fnmatch.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <stdarg.h>
#include <string.h>

APLOG_USE_MODULE(rproxy_reverse);

#define MESSAGES_KEY "rproxy_reverse_messages"
#define NOT_BUT_LOCATION (NOT_IN_DIRECTORY | NOT_IN_FILES | NOT_IN_LIMIT | NOT_IN_HTACCESS)

/** A warning that waits until the configuration was read. */
typedef struct message_t {
    const char *text;
    const char *balancer; /**< not NULL: only when server knows no such balancer */
    server_rec *server;
} message_t;

static apr_array_header_t *messages_of(apr_pool_t *pconf)
{
    void *found = NULL;

    apr_pool_userdata_get(&found, MESSAGES_KEY, pconf);
    if (!found) {
        found = apr_array_make(pconf, 4, sizeof(message_t));
        apr_pool_userdata_setn(found, MESSAGES_KEY, NULL, pconf);
    }
    return found;
}

/* @param balancer NULL, or name of the balancer whose absence the text is about */
__attribute__((format(printf, 3, 4))) static void message_add(cmd_parms *cmd, const char *balancer,
                                                              const char *fmt, ...)
{
    message_t *message = apr_array_push(messages_of(cmd->pool));
    va_list args;

    va_start(args, fmt);
    message->text = apr_pvsprintf(cmd->pool, fmt, args);
    message->balancer = balancer;
    message->server = cmd->server;
    va_end(args);
}

void rp_reverse_messages_log(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s,
                             const rp_reverse_sisters_t *sisters)
{
    const apr_array_header_t *messages = messages_of(pconf);

    for (int i = 0; i < messages->nelts; i++) {
        const message_t *message = &APR_ARRAY_IDX(messages, i, message_t);

        if (!message->balancer || !sisters->members
            || !sisters->members(ptemp, message->server, message->balancer)) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "%s", message->text);
        }
    }
}

void *rp_reverse_conf_create(apr_pool_t *p, char *dir)
{
    rp_reverse_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    (void)dir;
    conf->urls = apr_array_make(p, 2, sizeof(const rp_reverse_line_t *));
    conf->domains = apr_array_make(p, 2, sizeof(const rp_reverse_line_t *));
    conf->paths = apr_array_make(p, 2, sizeof(const rp_reverse_line_t *));
    return conf;
}

/* Runs for each section of each request: mostly one side has no lines, and nothing is copied. */
static apr_array_header_t *lines_merge(apr_pool_t *p, apr_array_header_t *base,
                                       apr_array_header_t *add)
{
    if (add->nelts == 0) {
        return base;
    }
    return base->nelts == 0 ? add : apr_array_append(p, base, add);
}

void *rp_reverse_conf_merge(apr_pool_t *p, void *basev, void *addv)
{
    const rp_reverse_conf_t *base = basev;
    const rp_reverse_conf_t *add = addv;
    rp_reverse_conf_t *conf = apr_palloc(p, sizeof(*conf));

    conf->urls = lines_merge(p, base->urls, add->urls);
    conf->domains = lines_merge(p, base->domains, add->domains);
    conf->paths = lines_merge(p, base->paths, add->paths);
    conf->headers = add->headers ? add->headers : base->headers;
    return conf;
}

/* A line; the third argument is "interpolate", and any other word always meant the same. */
static rp_reverse_line_t *line_make(cmd_parms *cmd, const char *internal, const char *public_text,
                                    const char *flag)
{
    rp_reverse_line_t *line = apr_pcalloc(cmd->pool, sizeof(*line));

    line->internal = internal;
    line->public_text = public_text;
    line->interpolate = flag != NULL;
    line->defined_at =
        apr_psprintf(cmd->pool, "%s:%d", cmd->directive->filename, cmd->directive->line_num);
    if (flag && strcasecmp(flag, "interpolate") != 0) {
        message_add(cmd, NULL,
                    "RP0604: %s: %s takes \"%s\" for \"interpolate\": write that, or remove "
                    "the word",
                    line->defined_at, cmd->cmd->name, flag);
    }
    return line;
}

/* 1 inside <LocationMatch> or <Location ~>. */
static int in_regex_location(const cmd_parms *cmd)
{
    const ap_directive_t *parent = cmd->directive->parent;

    return parent
           && (strcasecmp(parent->directive, "<LocationMatch") == 0
               || (parent->args && parent->args[0] == '~'));
}

/* The path that a Location stands for; NULL when it stands for more than one. */
static const char *location_path(cmd_parms *cmd)
{
    const char *path = cmd->path;

    if (ap_check_cmd_context(cmd, NOT_IN_PROXY)) {
        return NULL; /* <Proxy>: a URL */
    }
    if (!in_regex_location(cmd)) {
        return apr_fnmatch_test(path) ? NULL : path;
    }
    path += path[0] == '^';
    return path[0] == '/' && !strpbrk(path, "\\^$[]|()?*+{}") ? path : NULL;
}

/* Things that load but can not do what was meant. */
static void url_line_judge(cmd_parms *cmd, const rp_reverse_line_t *line, rp_reverse_err_e err)
{
    int variable =
        line->interpolate && (strstr(line->internal, "${") || strstr(line->public_text, "${"));

    if (err == RP_REVERSE_NO_MATCHER && !variable) {
        message_add(cmd, NULL,
                    "RP0602: %s: ProxyPassReverse \"%s\" %s, so nothing will match: write "
                    "the URL that the backend redirects to, such as http://backend.example.com/",
                    line->defined_at, line->internal, rp_reverse_err_str(err));
    }
    if (line->public_text[0] != '/' && !strstr(line->public_text, "://")
        && strncmp(line->public_text, "${", 2) != 0) {
        message_add(cmd, NULL,
                    "RP0603: %s: the path \"%s\" of ProxyPassReverse does not start with "
                    "'/': \"/%s\" is taken; write that",
                    line->defined_at, line->public_text, line->public_text);
    }
    if (line->rule.form == RP_REVERSE_BALANCER && !variable) {
        message_add(
            cmd, line->rule.balancer,
            "RP0608: %s: ProxyPassReverse \"%s\" matches nothing, as there is no %s in this "
            "server: write <Proxy %s> with BalancerMember lines, or correct the name",
            line->defined_at, line->internal, line->rule.balancer, line->rule.balancer);
    }
}

/* Sorts the arguments out: which is the URL, is there a flag. */
static const char *url_arguments(cmd_parms *cmd, const char *argv[3], const char **url,
                                 const char **flag)
{
    int second_is_flag = argv[1] && !argv[2] && strcasecmp(argv[1], "interpolate") == 0;

    if (!cmd->path) {
        if (!argv[1] || second_is_flag) {
            return apr_psprintf(
                cmd->pool,
                "ProxyPassReverse \"%s\" needs a path when it is not inside a <Location>: write "
                "ProxyPassReverse /path %s",
                argv[0], argv[0]);
        }
        *url = argv[1];
        *flag = argv[2];
        return NULL;
    }
    if (argv[1] && !second_is_flag) {
        return apr_psprintf(
            cmd->pool,
            "ProxyPassReverse can not have a path (\"%s\") inside a Location (\"%s\"), which "
            "gives the path: write ProxyPassReverse %s, or move the line out of the Location",
            argv[0], cmd->path, argv[1]);
    }
    *url = argv[0];
    *flag = argv[1];
    return NULL;
}

static const char *set_url(cmd_parms *cmd, void *mconfig, const char *first, const char *second,
                           const char *third)
{
    const char *argv[3] = { first, second, third };
    const char *err = ap_check_cmd_context(cmd, NOT_BUT_LOCATION);
    const char *path = cmd->path ? location_path(cmd) : first;
    const char *url = NULL;
    const char *flag = NULL;
    rp_reverse_line_t *line;
    rp_reverse_err_e bad;

    if (!err) {
        err = url_arguments(cmd, argv, &url, &flag);
    }
    if (err) {
        return err;
    }
    line = line_make(cmd, url, path ? path : "/", flag);
    if (!path) {
        message_add(cmd, NULL,
                    "RP0605: %s: ProxyPassReverse \"%s\" has no effect, as \"%s\" is not one "
                    "path: write ProxyPassReverse /path %s outside of this section",
                    line->defined_at, url, cmd->path, url);
        return NULL;
    }
    if (rp_reverse_rule_parse(cmd->pool, path, url, &line->rule, &bad) != APR_SUCCESS
        && bad == RP_REVERSE_BAD_PUBLIC) {
        return apr_psprintf(cmd->pool,
                            "ProxyPassReverse: the path \"%s\" has a control character: remove it",
                            path);
    }
    url_line_judge(cmd, line, bad);
    APR_ARRAY_PUSH(((rp_reverse_conf_t *)mconfig)->urls, const rp_reverse_line_t *) = line;
    return NULL;
}

static const char *set_cookie(cmd_parms *cmd, apr_array_header_t *lines, const char *internal,
                              const char *public_text, const char *flag)
{
    const char *err = ap_check_cmd_context(cmd, NOT_IN_HTACCESS | NOT_IN_LIMIT);
    rp_reverse_line_t *line;

    if (err) {
        return err;
    }
    line = line_make(cmd, internal, public_text, flag);
    line->cookie.internal = internal;
    line->cookie.public_value = public_text;
    APR_ARRAY_PUSH(lines, const rp_reverse_line_t *) = line;
    return NULL;
}

static const char *set_cookie_domain(cmd_parms *cmd, void *mconfig, const char *internal,
                                     const char *public_text, const char *flag)
{
    return set_cookie(cmd, ((rp_reverse_conf_t *)mconfig)->domains, internal, public_text, flag);
}

static const char *set_cookie_path(cmd_parms *cmd, void *mconfig, const char *internal,
                                   const char *public_text, const char *flag)
{
    return set_cookie(cmd, ((rp_reverse_conf_t *)mconfig)->paths, internal, public_text, flag);
}

/* Why a name can not be in RProxyReverseHeaders; NULL: it can. */
static const char *header_name_refuse(const char *name)
{
    apr_size_t n = strlen(name);

    if (n == 0 || n > RP_REVERSE_HEADER_NAME_MAX) {
        return "a header name has 1 to 64 characters";
    }
    for (const char *p = name; *p; p++) {
        if (!apr_isalnum(*p) && !strchr("!#$%&'*+-.^_`|~", *p)) {
            return "a header name has letters, digits and !#$%&'*+-.^_`|~ only";
        }
    }
    if (strcasecmp(name, "Set-Cookie") == 0) {
        return "cookies are mapped by ProxyPassReverseCookieDomain and ProxyPassReverseCookiePath";
    }
    return NULL;
}

static const char *set_headers(cmd_parms *cmd, void *mconfig, int argc, char *const argv[])
{
    const char *err = ap_check_cmd_context(cmd, NOT_IN_HTACCESS | NOT_IN_LIMIT);
    rp_reverse_conf_t *conf = mconfig;

    if (err) {
        return err;
    }
    if (argc == 0 || argc > RP_REVERSE_HEADERS_MAX) {
        return apr_psprintf(
            cmd->pool, "RProxyReverseHeaders takes 1 to %d header names, or None; there are %d",
            RP_REVERSE_HEADERS_MAX, argc);
    }
    conf->headers = apr_array_make(cmd->pool, argc, sizeof(const char *));
    if (argc == 1 && strcasecmp(argv[0], "None") == 0) {
        return NULL;
    }
    for (int i = 0; i < argc; i++) {
        err = header_name_refuse(argv[i]);
        if (err) {
            return apr_psprintf(cmd->pool, "RProxyReverseHeaders: \"%s\" is refused: %s", argv[i],
                                err);
        }
        APR_ARRAY_PUSH(conf->headers, const char *) = apr_pstrdup(cmd->pool, argv[i]);
    }
    return NULL;
}

const command_rec rp_reverse_directives[] = {
    AP_INIT_TAKE123(
        "ProxyPassReverse", set_url, NULL, RSRC_CONF | ACCESS_CONF,
        "ProxyPassReverse [path] url [interpolate]: path is left out inside a <Location>"),
    AP_INIT_TAKE23("ProxyPassReverseCookieDomain", set_cookie_domain, NULL, RSRC_CONF | ACCESS_CONF,
                   "ProxyPassReverseCookieDomain internal-domain public-domain [interpolate]"),
    AP_INIT_TAKE23("ProxyPassReverseCookiePath", set_cookie_path, NULL, RSRC_CONF | ACCESS_CONF,
                   "ProxyPassReverseCookiePath internal-path public-path [interpolate]"),
    AP_INIT_TAKE_ARGV(
        "RProxyReverseHeaders", set_headers, NULL, RSRC_CONF | ACCESS_CONF,
        "RProxyReverseHeaders name ...|None: header fields in which ProxyPassReverse maps URLs"),
    { NULL, { NULL }, NULL, 0, RAW_ARGS, NULL }
};
