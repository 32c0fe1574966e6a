/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error logs that go to programs. httpd writes to them by itself, on any thread, and offers no other writer. But which file a server writes to is in its
 * server_rec. There a child with loops has the pipe by another open file, one that does not wait: a line that does not go into the pipe is lost.
 * So that this takes long, the pipe is made large. Its memory is the kernel's: the last words of a child that crashes are still in it.
 *
 * httpd does not look whether a line was written. So behind each line it is seen whether the pipe is full; lines for a full pipe are counted and told of when it is
 * not any more.
 */
#include "engine/log_errors.h"

#include <fcntl.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <poll.h>
#include <unistd.h>

#include <apr_portable.h>

#include "engine/log_pipe.h"
#include "upstream/clock.h"

APLOG_USE_MODULE(rproxy);

#define PIPE_MOST 1048576 /* bytes; an unprivileged process gets no larger pipe by default */

/** One pipe. */
typedef struct error_pipe_t {
    apr_file_t *shared;       /**< httpd's */
    apr_file_t *own;          /**< the same pipe, not waiting */
    int fd;                   /**< of own */
    const char *name;         /**< "|program" */
    apr_uint32_t lost;        /**< atomic: lines written to a full pipe since that was told */
    apr_time_t since_us;      /**< atomic: when the pipe was found full */
} error_pipe_t;

static apr_array_header_t *pipes; /* of error_pipe_t; pconf's */
static int in_use;                /* of this child: its servers write there */

static error_pipe_t *find(const apr_file_t *file)
{
    for (int i = 0; file != NULL && pipes != NULL && i < pipes->nelts; i++) {
        error_pipe_t *e = &APR_ARRAY_IDX(pipes, i, error_pipe_t);

        if (e->shared == file || e->own == file) {
            return e;
        }
    }
    return NULL;
}

/* ---- parent ---- */

/* The file is closed with the pool. */
static apr_status_t open_again(error_pipe_t *e, apr_pool_t *pool, apr_size_t bytes)
{
    apr_os_file_t shared;
    apr_status_t rv = apr_os_file_get(&shared, e->shared);

    if (rv == APR_SUCCESS) {
        rv = rp_log_pipe_open_again(shared, &e->fd);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_os_pipe_put_ex(&e->own, &e->fd, 1, pool);
    if (rv != APR_SUCCESS) {
        (void)close(e->fd);
        return rv;
    }
    (void)fcntl(e->fd, F_SETPIPE_SZ, (int)(bytes < PIPE_MOST ? bytes : PIPE_MOST)); /* refused: it stays as it is */
    return apr_file_pipe_timeout_set(e->own, 0);
}

/* One process (-X) logs while its next configuration is read. */
static apr_status_t forget(void *unused)
{
    (void)unused;
    in_use = 0;
    pipes = NULL;
    return APR_SUCCESS;
}

void rp_log_errors_open(apr_pool_t *pool, server_rec *main_server, apr_size_t bytes)
{
    in_use = 0;
    pipes = apr_array_make(pool, 2, sizeof(error_pipe_t));
    apr_pool_cleanup_register(pool, NULL, forget, apr_pool_cleanup_null);
    for (server_rec *s = main_server; s != NULL && bytes > 0; s = s->next) {
        error_pipe_t e = {.shared = s->error_log, .name = s->error_fname, .fd = -1};
        apr_status_t rv;

        if (e.name == NULL || e.name[0] != '|' || e.shared == NULL || find(e.shared) != NULL) {
            continue;
        }
        rv = open_again(&e, pool, bytes);
        if (rv == APR_SUCCESS) {
            APR_ARRAY_PUSH(pipes, error_pipe_t) = e;
        }
        else {
            ap_log_error(APLOG_MARK, APLOG_WARNING, rv, s,
                         "RP0376: error log \"%s\": its pipe can not be opened a second time: requests wait whenever its program does not read; that "
                         "needs /proc", e.name);
        }
    }
}

/* ---- child ---- */

void rp_log_errors_child_init(server_rec *main_server)
{
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        const error_pipe_t *e = find(s->error_log);

        if (e != NULL) {
            s->error_log = e->own;
            in_use = 1;
        }
    }
}

static int takes_more(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    return poll(&p, 1, 0) != 0; /* an error is none that waiting would help against */
}

/* Behind each line, on the thread that wrote it. The report is a line, too. */
static void error_log(const ap_errorlog_info *info, const char *text)
{
    error_pipe_t *e = in_use && info->s != NULL ? find(info->s->error_log) : NULL;
    apr_uint32_t lost;

    (void)text;
    if (e == NULL) {
        return;
    }
    if (!takes_more(e->fd)) {
        if (__atomic_fetch_add(&e->lost, 1, __ATOMIC_RELAXED) == 0) {
            __atomic_store_n(&e->since_us, rp_clock_now_us(), __ATOMIC_RELAXED);
        }
        return;
    }
    lost = __atomic_load_n(&e->lost, __ATOMIC_RELAXED) > 0 ? __atomic_exchange_n(&e->lost, 0, __ATOMIC_RELAXED) : 0;
    if (lost > 0) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, info->s,
                     "RP0377: error log \"%s\": its program did not read; up to %u lines of this child in the last %" APR_TIME_T_FMT
                     " seconds were lost", e->name, (unsigned)lost,
                     (rp_clock_now_us() - __atomic_load_n(&e->since_us, __ATOMIC_RELAXED)) / 1000000 + 1);
    }
}

void rp_log_errors_register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_error_log(error_log, NULL, NULL, APR_HOOK_MIDDLE);
}
