/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access logs that go to programs (CustomLog "|program"). mod_log_config writes a line where the request ends: on a loop, which must not wait until the
 * program reads. So in a child with loops its lines for pipes are written by log_pipe.c.
 *
 * mod_log_config lets a module put functions in the place of those that open a log and write to it. Which ones stand there depends on BufferedLogs and on other
 * modules, and what they make of a pipe is known to themselves alone. So they are called as before, and the pipe is found as the one that was not there before.
 */
#include "engine/log_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <http_config.h>
#include <http_log.h>
#include <mod_log_config.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "engine/log_errors.h"
#include "engine/log_pipe.h"
#include "upstream/clock.h"

APLOG_USE_MODULE(rproxy);

#define END_US 1000000          /* for what waits when the child ends at once: with the helpers' time less than the parent's patience */
#define END_GRACEFUL_US 5000000 /* when nobody waits for it */

/** One log that goes to a program. */
typedef struct piped_t {
    void *handle;          /**< mod_log_config's, or another module's */
    rp_log_pipe_t *pipe;
} piped_t;

/** Made by the parent while logs are opened, in pconf; a child changes the last two before it has threads. */
static struct {
    rp_log_pipes_t *pipes;
    apr_array_header_t *logs;        /**< of piped_t */
    ap_log_writer_init *open_before; /**< what opened logs before, while they are opened */
    ap_log_writer *write_before;     /**< what wrote lines before */
    apr_size_t limit;
} writer;

/* ---- which descriptor is the pipe ---- */

static int is_writing_end(int fd)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && (flags & O_ACCMODE) == O_WRONLY && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* Writing ends of pipes that this process has, as an array of int. */
static apr_array_header_t *writing_ends(apr_pool_t *p)
{
    apr_array_header_t *ends = apr_array_make(p, 16, sizeof(int));
    apr_dir_t *dir;
    apr_finfo_t entry;

    if (apr_dir_open(&dir, "/proc/self/fd", p) != APR_SUCCESS) {
        return ends;
    }
    while (apr_dir_read(&entry, APR_FINFO_NAME, dir) == APR_SUCCESS) {
        int fd = (int)apr_strtoi64(entry.name, NULL, 10); /* "." and "..": 0, which is looked at twice */

        if (is_writing_end(fd)) {
            APR_ARRAY_PUSH(ends, int) = fd;
        }
    }
    apr_dir_close(dir);
    return ends;
}

static int has(const apr_array_header_t *ends, int fd)
{
    for (int i = 0; i < ends->nelts; i++) {
        if (APR_ARRAY_IDX(ends, i, int) == fd) {
            return 1;
        }
    }
    return 0;
}

/* The one that is in now and not in before; -1: none, or several. */
static int new_end(const apr_array_header_t *before, const apr_array_header_t *now)
{
    int found = -1, n = 0;

    for (int i = 0; i < now->nelts; i++) {
        if (!has(before, APR_ARRAY_IDX(now, i, int))) {
            found = APR_ARRAY_IDX(now, i, int);
            n++;
        }
    }
    return n == 1 ? found : -1;
}

/* ---- logs are opened ---- */

static void add(server_rec *s, const char *name, void *handle, int fd)
{
    piped_t log = {.handle = handle};
    apr_status_t rv = fd < 0 ? APR_ENOENT : rp_log_pipes_add(writer.pipes, fd, apr_pstrdup(writer.logs->pool, name), &log.pipe);

    if (rv == APR_SUCCESS) {
        APR_ARRAY_PUSH(writer.logs, piped_t) = log;
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_WARNING, rv, s,
                 "RP0370: log \"%s\": its pipe can not be opened a second time: requests wait whenever its program does not read; that needs "
                 "/proc", name);
}

static void *open_log(apr_pool_t *p, server_rec *s, const char *name)
{
    apr_array_header_t *before;
    apr_pool_t *scratch;
    void *handle;

    if (name == NULL || name[0] != '|' || writer.limit == 0) {
        handle = writer.open_before(p, s, name);
        return handle;
    }
    apr_pool_create(&scratch, p);
    before = writing_ends(scratch);
    handle = writer.open_before(p, s, name);
    if (handle != NULL) {
        add(s, name, handle, new_end(before, writing_ends(scratch)));
    }
    apr_pool_destroy(scratch);
    return handle;
}

/* Directives are read, no log is open. Here BufferedLogs has set its functions. */
static int before_logs(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    APR_OPTIONAL_FN_TYPE(ap_log_set_writer_init) *set = APR_RETRIEVE_OPTIONAL_FN(ap_log_set_writer_init);

    (void)plog, (void)ptemp, (void)s;
    writer.write_before = NULL;
    writer.pipes = rp_log_pipes_create(pconf);
    writer.logs = apr_array_make(pconf, 4, sizeof(piped_t));
    if (set != NULL) {
        writer.open_before = set(open_log);
    }
    return OK;
}

/* Ours is needed no more, and must not be there when this module is unloaded. */
static int behind_logs(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    APR_OPTIONAL_FN_TYPE(ap_log_set_writer_init) *set = APR_RETRIEVE_OPTIONAL_FN(ap_log_set_writer_init);
    ap_log_writer_init *last;

    (void)plog, (void)ptemp;
    rp_log_errors_open(pconf, s, writer.limit);
    if (set != NULL && (last = set(writer.open_before)) != open_log) {
        (void)set(last); /* another module's, which calls ours */
    }
    return OK;
}

/* ---- lines are written ---- */

static apr_status_t write_line(request_rec *r, void *handle, const char **pieces, int *lengths, int n, apr_size_t len)
{
    for (int i = 0; i < writer.logs->nelts; i++) {
        const piped_t *log = &APR_ARRAY_IDX(writer.logs, i, piped_t);

        if (log->handle == handle) {
            return rp_log_pipe_write(log->pipe, pieces, lengths, n, len);
        }
    }
    return writer.write_before(r, handle, pieces, lengths, n, len);
}

/* On the thread that writes what waits. */
static void report(void *ctx, const char *name, rp_log_event_e event, apr_uint64_t n, apr_status_t rv)
{
    server_rec *s = ctx;

    switch (event) {
    case RP_LOG_STALLED:
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     "RP0371: log \"%s\": its program has read nothing for %d seconds; %" APR_UINT64_T_FMT " of %" APR_SIZE_T_FMT
                     " bytes wait in this child, what is more will be lost: look at what the program waits for",
                     name, RP_LOG_STALL_US / 1000000, n, writer.limit);
        return;
    case RP_LOG_LOST:
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     "RP0372: log \"%s\": %" APR_UINT64_T_FMT " lines were lost, because %" APR_SIZE_T_FMT " bytes of them wait already for its "
                     "program, which reads too slowly or not at all; look at the program, or raise RProxyLogBuffer", name, n, writer.limit);
        return;
    case RP_LOG_BROKEN:
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                     "RP0373: log \"%s\": %" APR_UINT64_T_FMT " lines that waited for its program were lost: the program is gone", name, n);
        return;
    case RP_LOG_GIVEN_UP:
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     "RP0374: log \"%s\": %" APR_UINT64_T_FMT " lines were lost: they waited for its program when this child ended", name, n);
        return;
    }
}

void rp_log_writer_child_init(server_rec *s, rp_child_stat_t *stat)
{
    APR_OPTIONAL_FN_TYPE(ap_log_set_writer) *set = APR_RETRIEVE_OPTIONAL_FN(ap_log_set_writer);
    rp_log_pipes_conf_t conf = {.limit = writer.limit, .stat = stat, .report = report, .ctx = s};
    apr_status_t rv;

    rp_log_errors_child_init(s);
    if (set == NULL || writer.logs == NULL || writer.logs->nelts == 0) {
        return;
    }
    rv = rp_log_pipes_start(writer.pipes, &conf);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, s,
                     "RP0375: this child has no thread for logs that go to programs: requests wait whenever one of these does not read; raise the limit "
                     "of threads or processes (ulimit -u)");
        return;
    }
    writer.write_before = set(write_line);
}

void rp_log_writer_child_end(int graceful)
{
    if (writer.write_before != NULL) {
        rp_log_pipes_end(writer.pipes, rp_clock_now_us() + (graceful ? END_GRACEFUL_US : END_US));
    }
}

void rp_log_writer_limit(apr_size_t bytes) { writer.limit = bytes; }

void rp_log_writer_register_hooks(apr_pool_t *p)
{
    rp_log_errors_register_hooks(p);
    ap_hook_open_logs(before_logs, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_open_logs(behind_logs, NULL, NULL, APR_HOOK_LAST);
}
