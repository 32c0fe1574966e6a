/* SPDX-License-Identifier: Apache-2.0 */
/* The command table, built from directives.def, and the setters for values of the common kinds. */
#include "engine/engine.h"
#include "config/directives.h"

#include <http_core.h>
#include <http_log.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <stddef.h>

#include "config/number.h"
#include "wire/h1_resp.h"

APLOG_USE_MODULE(rproxy);

static const rp_word_t rp_words_via[] = {{"Off", RP_VIA_OFF},
                                         {"On", RP_VIA_ON},
                                         {"Full", RP_VIA_FULL},
                                         {"Block", RP_VIA_BLOCK},
                                         {NULL, 0}};
static const rp_word_t rp_words_bad_header[] = {{"IsError", RP_H1_BADLINE_ERROR},
                                                {"Ignore", RP_H1_BADLINE_IGNORE},
                                                {"StartBody", RP_H1_BADLINE_STARTBODY},
                                                {NULL, 0}};
static const rp_word_t rp_words_status[] = {
    {"Off", RP_OFF}, {"On", RP_ON}, {"Full", RP_ON}, {NULL, 0}};
static const rp_word_t rp_words_timeout_status[] = {{"504", 504}, {"502", 502}, {NULL, 0}};
static const rp_word_t rp_words_event_mode[] = {
    {"auto", RP_EVENT_AUTO}, {"on", RP_EVENT_ON}, {"off", RP_EVENT_OFF}, {NULL, 0}};
static const rp_word_t rp_words_lane[] = {{"auto", RP_LANE_AUTO},
                                          {"inline", RP_LANE_INLINE},
                                          {"handoff", RP_LANE_HANDOFF},
                                          {"blocking", RP_LANE_BLOCKING},
                                          {NULL, 0}};
static const rp_word_t rp_words_forwarded_proto[] = {
    {"off", 0}, {"ifabsent", 1}, {"set", 2}, {NULL, 0}};

static const rp_word_t rp_words_request_id[] = {
    {"off", RP_TRACE_OFF}, {"ifabsent", RP_TRACE_IFABSENT}, {"set", RP_TRACE_SET}, {NULL, 0}};
static const rp_word_t rp_words_traceparent[] = {{"off", RP_TRACE_OFF},
                                                 {"ifabsent", RP_TRACE_IFABSENT},
                                                 {"set", RP_TRACE_SET},
                                                 {"ifabsent-sampled", RP_TRACE_IFABSENT_SAMPLED},
                                                 {"set-sampled", RP_TRACE_SET_SAMPLED},
                                                 {NULL, 0}};

#define IN_NOTHING RP_SCOPE_NONE, 0
#define IN_SERVER(member) RP_SCOPE_SERVER, offsetof(rp_server_conf_t, member)
#define IN_DIR(member) RP_SCOPE_DIR, offsetof(rp_dir_conf_t, member)
#define NO_NOTICE RP_NOTICE_COUNT
#define NOT_BUT_LOCATION (NOT_IN_DIRECTORY | NOT_IN_FILES | NOT_IN_PROXY | NOT_IN_LIMIT)
#define NOT_BUT_PROXY NOT_IN_LIMIT /* the override bits exclude all other sections */

/* Where a directive is legal, in httpd's terms. Nothing of ours is legal in .htaccess files. */
#define CTX_S RSRC_CONF
#define CTX_SV RSRC_CONF
#define CTX_SVL (RSRC_CONF | ACCESS_CONF)
#define CTX_SVP (RSRC_CONF | PROXY_CONF)

enum {
#define D(id, name, how, member, function, ctx, kind, in, min, max, words, forbidden, notice,     \
          syntax, dflt, help)                                                                      \
    ROW_##id,
#include "config/directives.def"
#undef D
    ROW_COUNT
};

static const rp_directive_t rows[ROW_COUNT] = {
#define D(id, name, how, member, function, ctx, kind, in, min, max, words, forbidden, notice,     \
          syntax, dflt, help)                                                                      \
    {name, RP_KIND_##kind, in, min, max, words, forbidden, notice},
#include "config/directives.def"
#undef D
};

const command_rec rp_directives[] = {
#define D(id, name, how, member, function, ctx, kind, in, min, max, words, forbidden, notice,     \
          syntax, dflt, help)                                                                      \
    {name, {.member = function}, (void *)&rows[ROW_##id], CTX_##ctx, how, syntax},
#include "config/directives.def"
#undef D
    {NULL, {.raw_args = NULL}, NULL, 0, RAW_ARGS, NULL}};

const char *rp_directive_check(cmd_parms *cmd)
{
    const rp_directive_t *row = cmd->info;
    const char *err = ap_check_cmd_context(cmd, row->forbidden | NOT_IN_HTACCESS);

    if (err == NULL && row->notice != RP_NOTICE_COUNT) {
        rp_notice_add(cmd, row->notice, row->name);
    }
    return err;
}

/* The member that a row sets. */
static void *member_of(const rp_directive_t *row, cmd_parms *cmd, void *mconfig)
{
    char *base = row->scope == RP_SCOPE_SERVER ? (void *)rp_server_conf(cmd->server) : mconfig;

    return base + row->offset;
}

const char *rp_set_switch(cmd_parms *cmd, void *mconfig, int on)
{
    const rp_directive_t *row = cmd->info;
    const char *err = rp_directive_check(cmd);

    if (err == NULL) {
        *(rp_switch_e *)member_of(row, cmd, mconfig) = on ? RP_ON : RP_OFF;
    }
    return err;
}

/* Sentence for a value that is not in a row's list of words. */
static const char *word_error(cmd_parms *cmd, const rp_directive_t *row, const char *arg)
{
    const char *list = "";

    for (const rp_word_t *w = row->words; w->word; w++) {
        list = apr_pstrcat(cmd->temp_pool, list, *list ? ", " : "", w->word, NULL);
    }
    return apr_psprintf(cmd->pool, "%s: \"%s\" is not one of %s", row->name, arg, list);
}

static const char *set_word(cmd_parms *cmd, const rp_directive_t *row, int *member,
                            const char *arg)
{
    for (const rp_word_t *w = row->words; w->word; w++) {
        if (ap_cstr_casecmp(arg, w->word) == 0) {
            *member = w->value;
            return NULL;
        }
    }
    return word_error(cmd, row, arg);
}

static const char *number_error(cmd_parms *cmd, const rp_directive_t *row, const char *arg)
{
    const char *unit = row->kind == RP_KIND_SIZE ? " of bytes" : "";

    return apr_psprintf(cmd->pool,
                        "%s: \"%s\" is not a whole number%s from %" APR_INT64_T_FMT
                        " to %" APR_INT64_T_FMT "%s",
                        row->name, arg, unit, row->min, row->max,
                        row->kind == RP_KIND_SIZE ? ", or 0 for the default" : "");
}

/* Seconds, or a number with a unit: mod_proxy ignored the unit ("500ms" was 500 seconds). */
static const char *set_time(cmd_parms *cmd, const rp_directive_t *row, apr_interval_time_t *member,
                            const char *arg)
{
    apr_interval_time_t time = -1;
    apr_int64_t n;
    const char *rest;

    if (!rp_number_prefix(arg, row->min, row->max, &n, &rest)
        || ap_timeout_parameter_parse(arg, &time, "s") != APR_SUCCESS
        || time < apr_time_from_msec(1)) {
        return apr_psprintf(cmd->pool,
                            "%s: \"%s\" is neither a whole number of seconds from %" APR_INT64_T_FMT
                            " to %" APR_INT64_T_FMT " nor one with a unit (ms, s, mi, h)",
                            row->name, arg, row->min, row->max);
    }
    if (*rest && time != apr_time_from_sec(n)) {
        rp_message_add(cmd, APLOG_WARNING,
                       "RP0010: %s: %s \"%s\": the unit counts here; where mod_proxy read this "
                       "line, it meant %" APR_INT64_T_FMT " seconds",
                       rp_at(cmd), row->name, arg, n);
    }
    *member = time;
    return NULL;
}

const char *rp_set_value(cmd_parms *cmd, void *mconfig, const char *arg)
{
    const rp_directive_t *row = cmd->info;
    const char *err = rp_directive_check(cmd);
    void *member = member_of(row, cmd, mconfig);
    apr_int64_t n = 0;

    if (err) {
        return err;
    }
    switch (row->kind) {
    case RP_KIND_WORD:
        return set_word(cmd, row, member, arg);
    case RP_KIND_TIME:
        return set_time(cmd, row, member, arg);
    case RP_KIND_NUMBER:
        if (!rp_number_parse(arg, row->min, row->max, &n)) {
            return number_error(cmd, row, arg);
        }
        *(int *)member = (int)n;
        return NULL;
    case RP_KIND_SIZE:
        if (!rp_number_parse(arg, row->min, row->max, &n) && !rp_number_parse(arg, 0, 0, &n)) {
            return number_error(cmd, row, arg);
        }
        *(apr_int64_t *)member = n;
        return NULL;
    case RP_KIND_TEXT:
        *(const char **)member = apr_pstrdup(cmd->pool, arg);
        return NULL;
    case RP_KIND_NAMES:
        APR_ARRAY_PUSH(*(apr_array_header_t **)member, const char *) = apr_pstrdup(cmd->pool, arg);
        return NULL;
    case RP_KIND_OWN:
    case RP_KIND_SWITCH:
        break;
    }
    return apr_psprintf(cmd->pool, "%s: has no setter for its kind", row->name);
}

/* Codes of one section; sections that are merged add up. */
const char *rp_set_error_override(cmd_parms *cmd, void *mconfig, int argc, char *const argv[])
{
    const rp_directive_t *row = cmd->info;
    rp_dir_conf_t *conf = mconfig;
    const char *err = rp_directive_check(cmd);
    int on = argc > 0 && ap_cstr_casecmp(argv[0], "on") == 0;

    if (err) {
        return err;
    }
    if (argc < 1 || (!on && ap_cstr_casecmp(argv[0], "off") != 0)) {
        return apr_psprintf(cmd->pool, "%s: the first word must be On or Off, not \"%s\"",
                            row->name, argc < 1 ? "" : argv[0]);
    }
    if (!on && argc > 1) {
        return apr_psprintf(cmd->pool, "%s Off takes no status codes: write %s On %s ...",
                            row->name, row->name, argv[1]);
    }
    conf->error_override = on ? RP_ON : RP_OFF;
    for (int i = 1; i < argc; i++) {
        apr_int64_t code;

        if (!rp_number_parse(argv[i], row->min, row->max, &code)) {
            return apr_psprintf(cmd->pool, "%s: \"%s\" is not a status code from %d to %d",
                                row->name, argv[i], (int)row->min, (int)row->max);
        }
        if (conf->error_codes == NULL) {
            conf->error_codes = apr_array_make(cmd->pool, argc, sizeof(int));
        }
        APR_ARRAY_PUSH(conf->error_codes, int) = (int)code;
    }
    return NULL;
}

const char *rp_set_source_address(cmd_parms *cmd, void *mconfig, const char *arg)
{
    rp_server_conf_t *conf = rp_server_conf(cmd->server);
    const char *err = rp_directive_check(cmd);
    apr_sockaddr_t *sa = NULL;
    char *ip = NULL;
    apr_status_t rv;

    (void)mconfig;
    if (err) {
        return err;
    }
    rv = apr_sockaddr_info_get(&sa, arg, APR_UNSPEC, 0, 0, cmd->pool);
    if (rv != APR_SUCCESS || apr_sockaddr_ip_get(&ip, sa) != APR_SUCCESS) {
        return apr_psprintf(cmd->pool,
                            "ProxySourceAddress: \"%s\" is neither an address nor a name that can "
                            "be resolved: write an address of this machine",
                            arg);
    }
    conf->source_address = ip;
    return NULL;
}

const char *rp_set_sister(cmd_parms *cmd, void *mconfig, const char *args)
{
    (void)mconfig;
    (void)args;
    /* Its own module reads the line as well; here only its absence is seen. */
    if (ap_find_linked_module("mod_rproxy_reverse.c") == NULL) {
        return apr_psprintf(cmd->pool,
                            "%s needs mod_rproxy_reverse, which is not loaded: add the line "
                            "\"LoadModule rproxy_reverse_module modules/mod_rproxy_reverse.so\"",
                            cmd->cmd->name);
    }
    return NULL;
}
