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
#define NUMBER_MOST 1000000   /* of what is read from a line of the MPM */
#define MPM_START 3           /* StartServers, where none is written */
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

/* What was written last behind a directive of the MPM, or NULL. */
static const char *written(const ap_directive_t *node, const char *name)
{
    const char *args = NULL;

    for (; node != NULL; node = node->next) {
        const char *inside = node->first_child != NULL ? written(node->first_child, name) : NULL;

        args = !strcasecmp(node->directive, name) ? node->args : inside != NULL ? inside : args;
    }
    return args;
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
    raised.written = written(ap_conftree, DIRECTIVE) != NULL;
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

int rp_limits_processes(int most, int start, int min_spare, int max_spare, int threads)
{
    int least = (min_spare + threads - 1) / threads;
    int kept = start > least ? start : least;
    int spared = max_spare / threads > least ? max_spare / threads : least;

    kept = kept < spared ? kept : spared;
    kept = kept > 1 ? kept : 1;
    return kept < most ? kept : most;
}

static int number(const char *args, int otherwise)
{
    apr_int64_t n = args != NULL ? apr_strtoi64(args, NULL, 10) : 0;

    return n > 0 && n <= NUMBER_MOST ? (int)n : otherwise;
}

static int asked(int what)
{
    int n = 0;

    return ap_mpm_query(what, &n) == APR_SUCCESS ? n : 0;
}

int rp_limits_connections(void)
{
    int threads = asked(AP_MPMQ_MAX_THREADS);

    return raised.connections > 0 ? raised.connections : threads + threads * number(written(ap_conftree, DIRECTIVE), MPM_FACTOR);
}

/* How many connections there may be in all, what binds, and what to write for more. */
static void announce_processes(server_rec *s)
{
    int threads = asked(AP_MPMQ_MAX_THREADS), most = asked(AP_MPMQ_MAX_DAEMONS), max_spare = asked(AP_MPMQ_MAX_SPARE_THREADS);
    int start = number(written(ap_conftree, "StartServers"), MPM_START), min_spare = asked(AP_MPMQ_MIN_SPARE_THREADS), kept;
    const char *bound = raised.factor > 0 ? "by the limit of open files (ulimit -n, LimitNOFILE=)" : "by " DIRECTIVE;

    if (threads <= 0 || most <= 0) {
        return;
    }
    kept = rp_limits_processes(most, start, min_spare, max_spare, threads);
    if (kept < most) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                     "RP0341: %d client connections at once: %d in each of %d child processes, bound %s. StartServers %d, MinSpareThreads %d and "
                     "MaxSpareThreads %d bind the number of processes: event loops look idle to the MPM, so that their load starts no more. For all %d "
                     "processes write \"StartServers %d\" and \"MaxSpareThreads %d\"", kept * rp_limits_connections(), rp_limits_connections(), kept,
                     bound, start, min_spare, max_spare, most, most, most * threads);
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                     "RP0341: %d client connections at once: %d in each of %d child processes, bound %s. For more processes raise MaxRequestWorkers "
                     "and ServerLimit", kept * rp_limits_connections(), rp_limits_connections(), kept, bound);
    }
}

void rp_limits_announce(server_rec *s, const rp_engine_conf_t *conf)
{
    if (conf->mode != RP_EVENT_OFF && rp_engine_obstacle() == NULL) {
        announce_processes(s);
    }
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
