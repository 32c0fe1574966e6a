/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which requests may run their hooks on an event loop. Decided before any hook: a request whose place asks for a user's name and
 * password may wait for a file, a directory or a database, or compute for long; so may a module that nobody here knows.
 */
#include "request/request.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#define SLOW_CALLS_MAX 3 /* hooks of a server that held the loop so often: its requests go to helpers */

/* Modules of httpd whose hooks neither wait nor compute for long where no user is asked for; with those of the base and ours. */
static const char *const harmless[] = {
    "core.c", "http_core.c", "mod_so.c", "mod_unixd.c", "mod_watchdog.c", "mod_log_config.c", "mod_logio.c", "mod_version.c",
    "event.c", "worker.c", "prefork.c", "mod_systemd.c",
    "mod_access_compat.c", "mod_actions.c", "mod_alias.c", "mod_allowmethods.c", "mod_auth_basic.c", "mod_auth_digest.c", "mod_authn_anon.c",
    "mod_authn_core.c", "mod_authn_file.c", "mod_authn_dbm.c", "mod_authn_dbd.c", "mod_authn_socache.c", "mod_authnz_ldap.c", "mod_authz_core.c",
    "mod_authz_dbd.c", "mod_authz_dbm.c", "mod_authz_groupfile.c", "mod_authz_host.c", "mod_authz_owner.c", "mod_authz_user.c", "mod_autoindex.c",
    "mod_buffer.c", "mod_cgi.c", "mod_cgid.c", "mod_charset_lite.c", "mod_data.c", "mod_dav.c", "mod_dav_fs.c", "mod_dav_lock.c", "mod_deflate.c",
    "mod_brotli.c", "mod_dir.c", "mod_echo.c", "mod_env.c", "mod_expires.c", "mod_filter.c", "mod_headers.c", "mod_http2.c", "mod_include.c",
    "mod_info.c", "mod_macro.c", "mod_mime.c", "mod_mime_magic.c", "mod_negotiation.c", "mod_remoteip.c", "mod_reqtimeout.c", "mod_request.c",
    "mod_rewrite.c", "mod_rproxy.c", "mod_rproxy_balancer.c", "mod_rproxy_reverse.c", "mod_sed.c", "mod_session.c", "mod_session_cookie.c",
    "mod_setenvif.c", "mod_slotmem_shm.c", "mod_slotmem_plain.c", "mod_socache_shmcb.c", "mod_socache_dbm.c", "mod_speling.c", "mod_ssl.c",
    "mod_status.c", "mod_substitute.c", "mod_unique_id.c", "mod_usertrack.c", "mod_vhost_alias.c", "mod_xml2enc.c", "mod_proxy_html.c", NULL};

/* Written before children are made. */
static const char *stranger;        /* the first module that is not in the list, or NULL */
static const char *logging_stranger; /* one with a hook that runs when a request is over, or NULL */

static int is_harmless(const char *name)
{
    int i;

    for (i = 0; harmless[i] != NULL; i++) {
        if (!strcmp(name, harmless[i])) {
            return 1;
        }
    }
    return 0;
}

/* For each phase that runs on the loop a function: the name of a module with a hook there that is not in the list, or NULL. */
#define LOOK(phase)                                                                                                                          \
    static const char *look_at_##phase(void)                                                                                                 \
    {                                                                                                                                        \
        const apr_array_header_t *hooks = ap_hook_get_##phase();                                                                             \
        int i;                                                                                                                               \
        for (i = 0; hooks != NULL && i < hooks->nelts; i++) {                                                                                \
            const char *name = APR_ARRAY_IDX(hooks, i, ap_LINK_##phase##_t).szName;                                                          \
            if (name != NULL && !is_harmless(name)) {                                                                                        \
                return name;                                                                                                                 \
            }                                                                                                                                \
        }                                                                                                                                    \
        return NULL;                                                                                                                         \
    }
#define PHASES(DO)                                                                                                                           \
    DO(pre_read_request) DO(post_read_request) DO(quick_handler) DO(pre_translate_name) DO(translate_name) DO(map_to_storage)                 \
    DO(post_perdir_config) DO(header_parser) DO(access_checker) DO(access_checker_ex) DO(check_user_id) DO(auth_checker) DO(type_checker)     \
    DO(fixups) DO(insert_filter) DO(log_transaction)

PHASES(LOOK)

#define ROW(phase) {#phase, look_at_##phase},
static const struct {
    const char *phase;
    const char *(*look)(void);
} phases[] = {PHASES(ROW)};

/* NULL, or a module with a hook of requests that may block for all that is known. */
static const char *find_stranger(const char **where)
{
    apr_size_t i;

    for (i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
        const char *name = phases[i].look();

        if (name != NULL) {
            *where = phases[i].phase;
            return name;
        }
    }
    return NULL;
}

void rp_lane_look_around(server_rec *main_server)
{
    const char *where = NULL;

    stranger = find_stranger(&where);
    logging_stranger = look_at_log_transaction();
    if (stranger != NULL) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, main_server,
                     "RP0317: %s has a function in %s and is not known not to block: requests run on helper threads; write \"RProxyLane inline\" "
                     "where it does not", stranger, where);
    }
}

void rp_lane_slow_call(request_rec *r, apr_interval_time_t us)
{
    apr_uint32_t n = __atomic_add_fetch(&rp_server_conf(r->server)->slow_calls, 1, __ATOMIC_RELAXED);

    if (n <= SLOW_CALLS_MAX) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "RP0315: the hooks of %s %s held the event loop for %" APR_TIME_T_FMT " ms (time %u of %d)%s", r->method,
                      rp_printable(r->pool, r->uri), us / 1000, (unsigned)n, SLOW_CALLS_MAX,
                      n < SLOW_CALLS_MAX ? "" : ": requests of this virtual host run on helper threads from now on; write \"RProxyLane handoff\" where hooks block");
    }
}

static int was_demoted(const server_rec *s)
{
    return __atomic_load_n(&rp_server_conf(s)->slow_calls, __ATOMIC_RELAXED) >= SLOW_CALLS_MAX;
}

/* What the sections for the path of this request say, as httpd will find it out again later. */
static int asks_for_user(request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);

    return ap_auth_type(r) != NULL
           || (core->hostname_lookups != HOSTNAME_LOOKUP_UNSET && core->hostname_lookups != HOSTNAME_LOOKUP_OFF);
}

/* The path as httpd will have it when it looks for sections. Most paths are that already; only others are copied. */
static char *decoded_path(request_rec *r)
{
    char *path = r->parsed_uri.path;
    const char *c;

    for (c = path; *c != '\0' && *c != '%' && !(c[0] == '/' && (c[1] == '/' || c[1] == '.')); c++) {
        /* nothing to decode, to merge or to take away so far */
    }
    if (*c != '\0') {
        path = apr_pstrdup(r->pool, path);
        (void)ap_normalize_path(path, AP_NORMALIZE_NOT_ABOVE_ROOT | AP_NORMALIZE_DECODE_UNRESERVED | AP_NORMALIZE_MERGE_SLASHES);
        (void)ap_unescape_url(path);
    }
    return path;
}

/* RProxyLane of the place, and whether a user is asked for there: <Location> sections by the decoded path, before anything else ran. */
static rp_lane_e look_at_place(request_rec *r, int *asks)
{
    const core_server_config *core = ap_get_core_module_config(r->server->module_config);
    ap_conf_vector_t *dir = r->per_dir_config;
    char *uri = r->uri;
    rp_lane_e lane;

    if (core->sec_url->nelts > 0 && r->parsed_uri.path != NULL) {
        r->uri = decoded_path(r);
        (void)ap_location_walk(r);
    }
    *asks = asks_for_user(r);
    lane = (rp_lane_e)rp_dir_conf(r->per_dir_config)->lane;
    r->uri = uri;
    r->per_dir_config = dir;
    return lane;
}

int rp_lane_needs_helper(request_rec *r)
{
    int asks = 0;
    rp_lane_e lane = look_at_place(r, &asks);

    if (lane == RP_LANE_HANDOFF || lane == RP_LANE_BLOCKING) {
        return 1;
    }
    return lane != RP_LANE_INLINE && (asks || stranger != NULL || was_demoted(r->server));
}

int rp_lane_may_return(const request_rec *r)
{
    return rp_dir_conf(r->per_dir_config)->lane != RP_LANE_BLOCKING && logging_stranger == NULL && rp_lane_inline_ok(r, RP_LANE_AUTO);
}
