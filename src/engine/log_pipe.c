/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/log_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "upstream/clock.h"
#include "upstream/process.h"

#define ATOMIC_MOST PIPE_BUF /* bytes that a write puts into a pipe in one piece, or not at all */
#define WRITES_A_TURN 64

typedef struct line_t {
    struct line_t *next;
    apr_size_t len;
    char bytes[];
} line_t;

struct rp_log_pipe_t {
    rp_log_pipe_t *next;
    rp_log_pipes_t *all;
    const char *name;
    int fd;                     /* ours alone: it does not wait */
    pthread_mutex_t mutex;
    struct {
        line_t *first, **end;   /* lines that wait */
        apr_size_t done;        /* bytes of the first one that are written */
        apr_size_t bytes;       /* that the lines take */
        apr_uint64_t lost;      /* lines, since that was told */
        apr_uint64_t broken;    /* the same, for broken_rv */
        apr_status_t broken_rv;
        apr_time_t since_us;    /* when the program took something, or the first line came; while lines wait */
        int stall_told;
    } shared;                   /* under mutex */
    apr_time_t told_us;         /* when lost lines were told of; the thread's */
};

struct rp_log_pipes_t {
    apr_pool_t *pool;
    rp_log_pipe_t *first, **end;
    int n;
    rp_log_pipes_conf_t conf;
    int wake_fd;                /* -1: there is no thread */
    pthread_t thread;
    struct pollfd *polled;      /* the thread's: wake_fd, then the pipes that have lines */
    int stop;                   /* atomic */
    apr_time_t deadline_us;     /* written before stop */
};

/* ---- lines ---- */

static void gather(char *to, const char **pieces, const int *lengths, int n)
{
    for (int i = 0; i < n; i++) {
        memcpy(to, pieces[i], (size_t)lengths[i]);
        to += lengths[i];
    }
}

static apr_size_t size_of(apr_size_t len) { return sizeof(line_t) + len; }

static void wake(const rp_log_pipes_t *ps)
{
    const apr_uint64_t one = 1;
    ssize_t n = write(ps->wake_fd, &one, sizeof(one)); /* full: it is awake */

    (void)n;
}

static void drop_first_locked(rp_log_pipe_t *p)
{
    line_t *line = p->shared.first;

    p->shared.first = line->next;
    if (p->shared.first == NULL) {
        p->shared.end = &p->shared.first;
    }
    p->shared.bytes -= size_of(line->len);
    p->shared.done = 0;
    free(line);
}

/* @return how many lines there were */
static apr_uint64_t drop_all_locked(rp_log_pipe_t *p)
{
    apr_uint64_t n = 0;

    for (; p->shared.first != NULL; n++) {
        drop_first_locked(p);
    }
    return n;
}

static void count_lost(rp_log_pipe_t *p, apr_uint64_t n)
{
    if (p->all->conf.stat != NULL) {
        rp_stat_add(&p->all->conf.stat->log_lost, n);
    }
}

/* The first one since the last report wakes the thread, which tells of it. */
static void lose_locked(rp_log_pipe_t *p)
{
    count_lost(p, 1);
    if (p->shared.lost++ == 0 && p->all->wake_fd >= 0) {
        wake(p->all);
    }
}

static void keep_locked(rp_log_pipe_t *p, const char **pieces, const int *lengths, int n, apr_size_t len)
{
    int was_empty = p->shared.first == NULL;
    line_t *line = NULL;

    if (p->all->wake_fd >= 0 && p->shared.bytes + size_of(len) <= p->all->conf.limit) {
        line = malloc(size_of(len));
    }
    if (line == NULL) {
        lose_locked(p);
        return;
    }
    line->next = NULL;
    line->len = len;
    gather(line->bytes, pieces, lengths, n);
    *p->shared.end = line;
    p->shared.end = &line->next;
    p->shared.bytes += size_of(len);
    rp_stat_add(&p->all->conf.stat->log_waited, 1);
    if (was_empty) {
        p->shared.since_us = rp_clock_now_us();
        p->shared.stall_told = 0;
        wake(p->all);
    }
}

/* ---- writing ---- */

/* Not more than the pipe takes now. */
static apr_status_t write_now(int fd, const char *bytes, apr_size_t *n)
{
    ssize_t done;

    do {
        done = write(fd, bytes, *n);
    } while (done < 0 && errno == EINTR);
    *n = done > 0 ? (apr_size_t)done : 0;
    return done < 0 ? errno : APR_SUCCESS;
}

/* A line that does not go in one piece may stay half written for long: another thread's line must not come into it, so it waits in any case. */
apr_status_t rp_log_pipe_write(rp_log_pipe_t *p, const char **pieces, const int *lengths, int n, apr_size_t len)
{
    apr_status_t rv = APR_EAGAIN;

    (void)pthread_mutex_lock(&p->mutex);
    if (p->shared.first == NULL && len <= ATOMIC_MOST) {
        char whole[ATOMIC_MOST];
        apr_size_t done = len;

        gather(whole, pieces, lengths, n);
        rv = write_now(p->fd, whole, &done);
    }
    if (APR_STATUS_IS_EAGAIN(rv)) {
        keep_locked(p, pieces, lengths, n, len);
        rv = APR_SUCCESS;
    }
    (void)pthread_mutex_unlock(&p->mutex);
    return rv;
}

/* n bytes of what waits are written. */
static void written_locked(rp_log_pipe_t *p, apr_size_t n)
{
    while (p->shared.first != NULL && n >= p->shared.first->len - p->shared.done) {
        n -= p->shared.first->len - p->shared.done;
        drop_first_locked(p);
    }
    p->shared.done += n;
    p->shared.since_us = rp_clock_now_us();
    p->shared.stall_told = 0;
}

/* One write: of whole lines that go in one piece together, or of what is left of a long one. */
static apr_status_t push_locked(rp_log_pipe_t *p)
{
    const line_t *line = p->shared.first;
    const char *from = line->bytes + p->shared.done;
    apr_size_t n = line->len - p->shared.done;
    char whole[ATOMIC_MOST];
    apr_status_t rv;

    if (p->shared.done == 0 && n <= ATOMIC_MOST) {
        n = 0;
        for (; line != NULL && n + line->len <= ATOMIC_MOST; line = line->next) {
            memcpy(whole + n, line->bytes, line->len);
            n += line->len;
        }
        from = whole;
    }
    rv = write_now(p->fd, from, &n);
    if (rv == APR_SUCCESS) {
        written_locked(p, n);
    }
    return rv;
}

/* Between two writes others may come to their turn; and no pipe keeps the thread from the others. */
static void push(rp_log_pipe_t *p)
{
    apr_status_t rv = APR_SUCCESS;

    for (int i = 0; i < WRITES_A_TURN && rv == APR_SUCCESS; i++) {
        (void)pthread_mutex_lock(&p->mutex);
        rv = p->shared.first != NULL ? push_locked(p) : APR_EAGAIN;
        if (rv != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(rv)) {
            apr_uint64_t n = drop_all_locked(p);

            count_lost(p, n);
            p->shared.broken += n;
            p->shared.broken_rv = rv;
        }
        (void)pthread_mutex_unlock(&p->mutex);
    }
}

/* ---- what is told ---- */

static apr_uint64_t take(apr_uint64_t *counter)
{
    apr_uint64_t n = *counter;

    *counter = 0;
    return n;
}

static void earlier(apr_time_t *due_us, apr_time_t t)
{
    if (t < *due_us) {
        *due_us = t;
    }
}

/* *due_us: when to look again, at the latest. */
static void tell(rp_log_pipe_t *p, apr_time_t now_us, apr_time_t *due_us)
{
    const rp_log_pipes_conf_t *conf = &p->all->conf;
    apr_uint64_t lost = 0, broken, stalled = 0;
    apr_status_t rv;

    (void)pthread_mutex_lock(&p->mutex);
    if (p->shared.lost > 0 && (p->told_us == 0 || now_us >= p->told_us + RP_LOG_REPORT_US)) {
        lost = take(&p->shared.lost);
        p->told_us = now_us;
    }
    else if (p->shared.lost > 0) {
        earlier(due_us, p->told_us + RP_LOG_REPORT_US);
    }
    broken = take(&p->shared.broken);
    rv = p->shared.broken_rv;
    if (p->shared.first != NULL && !p->shared.stall_told) {
        if (now_us >= p->shared.since_us + RP_LOG_STALL_US) {
            p->shared.stall_told = 1;
            stalled = p->shared.bytes;
        }
        else {
            earlier(due_us, p->shared.since_us + RP_LOG_STALL_US);
        }
    }
    (void)pthread_mutex_unlock(&p->mutex);
    if (stalled > 0) {
        conf->report(conf->ctx, p->name, RP_LOG_STALLED, stalled, APR_SUCCESS);
    }
    if (lost > 0) {
        conf->report(conf->ctx, p->name, RP_LOG_LOST, lost, APR_SUCCESS);
    }
    if (broken > 0) {
        conf->report(conf->ctx, p->name, RP_LOG_BROKEN, broken, rv);
    }
}

/* The thread's last act for a pipe. */
static void give_up(rp_log_pipe_t *p)
{
    const rp_log_pipes_conf_t *conf = &p->all->conf;
    apr_uint64_t lost, left;

    (void)pthread_mutex_lock(&p->mutex);
    left = drop_all_locked(p);
    count_lost(p, left);
    lost = take(&p->shared.lost);
    (void)pthread_mutex_unlock(&p->mutex);
    if (lost > 0) {
        conf->report(conf->ctx, p->name, RP_LOG_LOST, lost, APR_SUCCESS);
    }
    if (left > 0) {
        conf->report(conf->ctx, p->name, RP_LOG_GIVEN_UP, left, APR_SUCCESS);
    }
}

/* ---- the thread ---- */

static int timeout_of(apr_time_t due_us, apr_time_t now_us)
{
    if (due_us == APR_INT64_MAX) {
        return -1;
    }
    return due_us <= now_us ? 0 : due_us - now_us >= (apr_time_t)60000000 ? 60000 : (int)((due_us - now_us) / 1000) + 1;
}

/* @return how many pipes have lines */
static int gather_polled(rp_log_pipes_t *ps)
{
    int n = 0;

    ps->polled[0].fd = ps->wake_fd;
    ps->polled[0].events = POLLIN;
    for (rp_log_pipe_t *p = ps->first; p != NULL; p = p->next) {
        (void)pthread_mutex_lock(&p->mutex);
        if (p->shared.first != NULL) {
            ps->polled[++n].fd = p->fd;
            ps->polled[n].events = POLLOUT;
        }
        (void)pthread_mutex_unlock(&p->mutex);
    }
    return n;
}

static void drain_wake(int fd)
{
    apr_uint64_t count;
    ssize_t n = read(fd, &count, sizeof(count));

    (void)n;
}

static void *run(void *data)
{
    rp_log_pipes_t *ps = data;

    for (;;) {
        apr_time_t now_us = rp_clock_now_us(), due_us = APR_INT64_MAX;
        int stop = __atomic_load_n(&ps->stop, __ATOMIC_ACQUIRE), n;

        for (rp_log_pipe_t *p = ps->first; p != NULL; p = p->next) {
            push(p);
            tell(p, now_us, &due_us);
        }
        n = gather_polled(ps);
        if (stop && (n == 0 || now_us >= ps->deadline_us)) {
            break;
        }
        if (stop) {
            earlier(&due_us, ps->deadline_us);
        }
        (void)poll(ps->polled, (nfds_t)n + 1, timeout_of(due_us, now_us));
        if (ps->polled[0].revents != 0) {
            drain_wake(ps->wake_fd);
        }
    }
    for (rp_log_pipe_t *p = ps->first; p != NULL; p = p->next) {
        give_up(p);
    }
    return NULL;
}

/* ---- begin and end ---- */

static apr_status_t close_all(void *data)
{
    rp_log_pipes_t *ps = data;

    for (rp_log_pipe_t *p = ps->first; p != NULL; p = p->next) {
        (void)close(p->fd);
        (void)pthread_mutex_destroy(&p->mutex);
    }
    ps->first = NULL;
    ps->end = &ps->first;
    ps->n = 0;
    return APR_SUCCESS;
}

apr_status_t rp_log_pipe_open_again(int fd, int *own)
{
    char path[32];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    *own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    return *own < 0 ? errno : APR_SUCCESS;
}

rp_log_pipes_t *rp_log_pipes_create(apr_pool_t *pool)
{
    rp_log_pipes_t *ps = apr_pcalloc(pool, sizeof(*ps));

    ps->pool = pool;
    ps->end = &ps->first;
    ps->wake_fd = -1;
    apr_pool_cleanup_register(pool, ps, close_all, apr_pool_cleanup_null);
    return ps;
}

int rp_log_pipes_count(const rp_log_pipes_t *ps) { return ps->n; }

apr_status_t rp_log_pipes_add(rp_log_pipes_t *ps, int fd, const char *name, rp_log_pipe_t **out)
{
    rp_log_pipe_t *p;
    int own;
    apr_status_t rv = rp_log_pipe_open_again(fd, &own);

    *out = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    p = apr_pcalloc(ps->pool, sizeof(*p));
    if (pthread_mutex_init(&p->mutex, NULL) != 0) {
        (void)close(own);
        return APR_ENOMEM;
    }
    p->all = ps;
    p->name = name;
    p->fd = own;
    p->shared.end = &p->shared.first;
    *ps->end = p;
    ps->end = &p->next;
    ps->n++;
    *out = p;
    return APR_SUCCESS;
}

apr_status_t rp_log_pipes_start(rp_log_pipes_t *ps, const rp_log_pipes_conf_t *conf)
{
    int err;

    ps->conf = *conf;
    ps->polled = calloc((size_t)ps->n + 1, sizeof(*ps->polled));
    if (ps->polled == NULL) {
        return APR_ENOMEM;
    }
    ps->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    err = ps->wake_fd < 0 ? errno : rp_thread_start(&ps->thread, run, ps);
    if (err != 0) {
        if (ps->wake_fd >= 0) {
            (void)close(ps->wake_fd);
        }
        ps->wake_fd = -1;
        free(ps->polled);
    }
    return err;
}

/* Who still writes must not wake a descriptor that is closed. */
static void forget_wake(rp_log_pipes_t *ps)
{
    int fd = ps->wake_fd;

    for (rp_log_pipe_t *p = ps->first; p != NULL; p = p->next) {
        (void)pthread_mutex_lock(&p->mutex);
    }
    ps->wake_fd = -1;
    for (rp_log_pipe_t *p = ps->first; p != NULL; p = p->next) {
        count_lost(p, drop_all_locked(p)); /* kept since the thread's last look */
        (void)pthread_mutex_unlock(&p->mutex);
    }
    (void)close(fd);
    free(ps->polled);
    ps->polled = NULL;
}

void rp_log_pipes_end(rp_log_pipes_t *ps, apr_time_t deadline_us)
{
    if (ps->wake_fd < 0) {
        return;
    }
    ps->deadline_us = deadline_us;
    __atomic_store_n(&ps->stop, 1, __ATOMIC_RELEASE);
    wake(ps);
    (void)pthread_join(ps->thread, NULL);
    forget_wake(ps);
}
