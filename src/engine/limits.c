/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event MPM takes ThreadsPerChild + idle threads * AsyncRequestWorkerFactor connections a child, 75 with its defaults: sensible where
 * each request needs a thread, far too few where it waits in a loop. What a child can really bear are its descriptors.
 * The MPM has no function for that, so its directive is called, as if the administrator had written it.
 */
#include "engine/limits.h"

#include <ap_mpm.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_log.h>
#include <strings.h>
#include <sys/resource.h>

#define DIRECTIVE "AsyncRequestWorkerFactor"
#define MPM_FACTOR 2          /* its default */
#define FILES_OWN 100         /* logs, listeners, shared memory, scripts, files being sent */
#define FILES_PER_CONNECTION 2 /* the client's and the backend's */
#define FILES_MOST 1000000    /* of an unlimited process */

APLOG_USE_MODULE(rproxy);

/** What was decided; of the configuration read last. */
static struct {
    int factor;      /* 0: left alone */
    int connections;
    int written;     /* the administrator's line stands */
    long files;
    const char *refused; /* the MPM's words */
} raised;

int rp_limits_factor(long files, int threads)
{
    long connections = (files - FILES_OWN - threads) / FILES_PER_CONNECTION;
    long factor = threads > 0 ? (connections - threads) / threads : 0;

    return factor > MPM_FACTOR ? (int)factor : 0;
}

static long files_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    return limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > FILES_MOST ? FILES_MOST : (long)limit.rlim_cur;
}

static int is_written(const ap_directive_t *node)
{
    for (; node != NULL; node = node->next) {
        if (!strcasecmp(node->directive, DIRECTIVE) || (node->first_child != NULL && is_written(node->first_child))) {
            return 1;
        }
    }
    return 0;
}

static const command_rec *find_command(const module **owner)
{
    module *m = ap_find_linked_module("event.c");
    const command_rec *cmd = m != NULL ? m->cmds : NULL;

    *owner = m;
    while (cmd != NULL && cmd->name != NULL && strcasecmp(cmd->name, DIRECTIVE) != 0) {
        cmd++;
    }
    return cmd != NULL && cmd->name != NULL && cmd->args_how == TAKE1 ? cmd : NULL;
}

static const char *write_line(apr_pool_t *p, server_rec *s, int factor)
{
    ap_directive_t line = {.directive = DIRECTIVE, .args = apr_itoa(p, factor), .filename = "mod_rproxy"};
    const module *owner;
    const command_rec *cmd = find_command(&owner);
    cmd_parms parms = {.limited = -1, .pool = p, .temp_pool = p, .server = s, .cmd = cmd, .directive = &line};

    return cmd == NULL ? "the MPM has no such directive" : cmd->AP_TAKE1(&parms, NULL, line.args);
}

void rp_limits_raise(apr_pool_t *p, server_rec *s, const rp_engine_conf_t *conf)
{
    int threads = 0, factor;

    memset(&raised, 0, sizeof(raised));
    if (conf->mode == RP_EVENT_OFF || rp_engine_obstacle() != NULL || ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads) != APR_SUCCESS) {
        return;
    }
    raised.written = is_written(ap_conftree);
    raised.files = files_limit();
    factor = rp_limits_factor(raised.files, threads);
    if (raised.written || factor == 0) {
        return;
    }
    raised.refused = write_line(p, s, factor);
    if (raised.refused == NULL) {
        raised.factor = factor;
        raised.connections = threads + threads * factor;
    }
}

void rp_limits_announce(server_rec *s)
{
    if (raised.factor > 0) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                     "RP0325: " DIRECTIVE " is raised to %d: a child takes up to %d connections, what its limit of %ld open files bears. "
                     "Write the directive to choose another number", raised.factor, raised.connections, raised.files);
    }
    else if (raised.refused != NULL) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     "RP0326: " DIRECTIVE " can not be raised (%s): a child takes few connections; write \"" DIRECTIVE " 100\"", raised.refused);
    }
    else if (!raised.written && raised.files > 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     "RP0326: a limit of %ld open files is too low for more connections than the MPM allows by itself: raise it (ulimit -n, "
                     "LimitNOFILE=)", raised.files);
    }
}
