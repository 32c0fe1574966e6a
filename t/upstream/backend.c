/* SPDX-License-Identifier: Apache-2.0 */
/* Life of a backend: sockets, threads, and the facts that tests wait for. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "be_int.h"

#define BE_BACKLOG 511
#define BE_STACK (256u * 1024)

typedef struct control_arg_t {
    rp_backend_t *be;
    int fd;
} control_arg_t;

void be_lock(rp_backend_t *be)
{
    pthread_mutex_lock(&be->lock);
}

void be_unlock(rp_backend_t *be)
{
    pthread_cond_broadcast(&be->changed);
    pthread_mutex_unlock(&be->lock);
}

static int thread_start(void *(*run)(void *), void *arg, pthread_t *joinable)
{
    pthread_attr_t attr;
    pthread_t thread;
    int rc;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, BE_STACK);
    if (joinable == NULL) {
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    }
    rc = pthread_create(joinable ? joinable : &thread, &attr, run, arg);
    pthread_attr_destroy(&attr);
    return rc;
}

/* --- connections --- */

static void conn_serve(be_conn_t *c)
{
    const be_script_t *s = be_script_find(c->be, NULL, c->ordinal);
    if (s && be_script_run(c, s) != 0) {
        return;
    }
    if (be_tls_accept(c) != 0) {
        return;
    }
    for (;;) {
        int rc;
        be_conn_state(c, BE_CONN_IDLE);
        if (be_request_read(c) != 1) {
            return;
        }
        s = be_script_find(c->be, c->req->path, 0);
        rc = s ? be_script_run(c, s) : be_answer(c, c->req);
        if (rc != 0 || c->req->broken || c->write_failed) {
            return;
        }
        if (be_body_all(c, c->req, NULL, 0) != 0) {
            return;
        }
    }
}

static void conn_unlink(be_conn_t *c)
{
    be_conn_t **p = &c->be->shared.conns;
    while (*p && *p != c) {
        p = &(*p)->next;
    }
    if (*p) {
        *p = c->next;
    }
}

static void *conn_main(void *arg)
{
    be_conn_t *c = arg;
    rp_backend_t *be = c->be;
    conn_serve(c);
    be_conn_state(c, BE_CONN_NEW);
    be_lock(be);
    conn_unlink(c); /* nobody may touch the descriptor any more */
    be_unlock(be);
    be_conn_close(c);
    be_request_free(c->req);
    free(c->in);
    free(c);
    be_lock(be);
    be->shared.open--;
    be_unlock(be);
    return NULL;
}

static void conn_start(be_listener_t *l, int fd)
{
    rp_backend_t *be = l->be;
    be_conn_t *c = be_alloc(sizeof(*c));
    be_raw_t *raw = be_alloc(sizeof(*raw));
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->be = be;
    c->fd = fd;
    c->is_tls = l->kind == RP_BACKEND_TLS;
    c->in = be_alloc(BE_INBUF);
    be_lock(be);
    c->ordinal = ++be->shared.accepted;
    raw->conn = c->ordinal;
    raw->next = be->shared.raw;
    be->shared.raw = raw;
    c->next = be->shared.conns;
    be->shared.conns = c;
    be->shared.open++;
    if (be->shared.open > be->shared.max_open) {
        be->shared.max_open = be->shared.open;
    }
    be_unlock(be);
    if (thread_start(conn_main, c, NULL) != 0) {
        conn_main(c);
    }
}

/* --- control connections --- */

static void *control_main(void *arg)
{
    control_arg_t *a = arg;
    rp_backend_t *be = a->be;
    unsigned i;
    while (be_control_serve(be, a->fd) == 0) {
    }
    be_lock(be);
    for (i = 0; i < sizeof(be->shared.control_fd) / sizeof(be->shared.control_fd[0]); i++) {
        if (be->shared.control_fd[i] == a->fd) {
            be->shared.control_fd[i] = -1;
        }
    }
    (void)close(a->fd);
    be->shared.controls--;
    be_unlock(be);
    free(a);
    return NULL;
}

static void control_start(rp_backend_t *be, int fd)
{
    control_arg_t *a = be_alloc(sizeof(*a));
    unsigned i, max = sizeof(be->shared.control_fd) / sizeof(be->shared.control_fd[0]);
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    a->be = be;
    a->fd = fd;
    be_lock(be);
    for (i = 0; i < max && be->shared.control_fd[i] >= 0; i++) {
    }
    if (i < max) {
        be->shared.control_fd[i] = fd;
        be->shared.controls++;
    }
    be_unlock(be);
    if (i == max) {
        (void)close(fd);
        free(a);
    }
    else if (thread_start(control_main, a, NULL) != 0) {
        control_main(a);
    }
}

/* --- listeners --- */

static int listener_rest(be_listener_t *l)
{
    int stop;
    be_lock(l->be);
    l->resting = 1;
    while (l->paused && !l->be->shared.stopping) {
        pthread_cond_broadcast(&l->be->changed);
        pthread_cond_wait(&l->be->changed, &l->be->lock);
    }
    l->resting = 0;
    stop = l->be->shared.stopping;
    be_unlock(l->be);
    return stop;
}

static void *listener_main(void *arg)
{
    be_listener_t *l = arg;
    for (;;) {
        struct pollfd pf[2] = {{l->fd, POLLIN, 0}, {l->wake, POLLIN, 0}};
        int fd;
        (void)poll(pf, 2, -1);
        if (pf[1].revents & POLLIN) {
            uint64_t n;
            (void)!read(l->wake, &n, sizeof(n));
            if (listener_rest(l)) {
                return NULL;
            }
            continue;
        }
        fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            continue;
        }
        if (l->kind == RP_BACKEND_CONTROL) {
            control_start(l->be, fd);
        }
        else {
            conn_start(l, fd);
        }
    }
}

static void listener_wake(be_listener_t *l)
{
    uint64_t one = 1;
    (void)!write(l->wake, &one, sizeof(one));
}

static void listener_pause(be_listener_t *l)
{
    be_lock(l->be);
    if (!l->paused) {
        l->paused = 1;
        listener_wake(l);
    }
    while (!l->resting) {
        pthread_cond_wait(&l->be->changed, &l->be->lock);
    }
    be_unlock(l->be);
}

static void listener_resume(be_listener_t *l)
{
    be_lock(l->be);
    l->paused = 0;
    be_unlock(l->be);
}

static socklen_t loopback(int family, int port, struct sockaddr_storage *ss)
{
    memset(ss, 0, sizeof(*ss));
    if (family == AF_INET6) {
        struct sockaddr_in6 *a = (struct sockaddr_in6 *)ss;
        a->sin6_family = AF_INET6;
        a->sin6_port = htons((uint16_t)port);
        a->sin6_addr = in6addr_loopback;
        return sizeof(*a);
    }
    struct sockaddr_in *a = (struct sockaddr_in *)ss;
    a->sin_family = AF_INET;
    a->sin_port = htons((uint16_t)port);
    a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sizeof(*a);
}

/* A socket bound to a loopback port (0: any). @return it, or -1. */
static int bound_socket(int family, int port)
{
    struct sockaddr_storage ss;
    socklen_t len = loopback(family, port, &ss);
    int one = 1, fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (family == AF_INET6) {
            (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
        }
        if (bind(fd, (struct sockaddr *)&ss, len) != 0) {
            (void)close(fd);
            fd = -1;
        }
    }
    return fd;
}

static int port_of(int fd)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);
    if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0) {
        return 0;
    }
    return ntohs(ss.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&ss)->sin6_port
                                          : ((struct sockaddr_in *)&ss)->sin_port);
}

/* The kernel gives back a port it chose itself when listening ends, but keeps one that was asked
 * for: so ask for the chosen one with a second socket, and `refuse` can not lose the port to
 * another process. */
static int tcp_listener(be_listener_t *l, int family, int port)
{
    int first = bound_socket(family, port), fd = -1, rc = 0;
    if (first < 0) {
        return errno;
    }
    l->port = port_of(first);
    fd = bound_socket(family, l->port);
    (void)close(first);
    if (fd < 0 || listen(fd, BE_BACKLOG) != 0) {
        rc = errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        return rc;
    }
    l->fd = fd;
    return 0;
}

static int unix_listener(be_listener_t *l, const char *path)
{
    struct sockaddr_un sa;
    memset(&sa, 0, sizeof(sa));
    sa.sun_family = AF_UNIX;
    if (strlen(path) >= sizeof(sa.sun_path)) {
        return ENAMETOOLONG;
    }
    memcpy(sa.sun_path, path, strlen(path));
    (void)unlink(path);
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
        listen(l->fd, BE_BACKLOG) != 0) {
        return errno;
    }
    /* the proxy may run as somebody else */
    return chmod(path, 0777) == 0 ? 0 : errno;
}

static int listener_start(rp_backend_t *be, rp_backend_listener_e kind)
{
    be_listener_t *l = &be->listener[kind];
    int rc;
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    switch (kind) {
    case RP_BACKEND_IPV6:
        rc = tcp_listener(l, AF_INET6, be->listener[RP_BACKEND_PLAIN].port);
        rc = rc ? tcp_listener(l, AF_INET6, 0) : 0;
        break;
    case RP_BACKEND_UNIX:
        rc = unix_listener(l, be->unix_path);
        break;
    default:
        rc = tcp_listener(l, AF_INET, 0);
        break;
    }
    if (rc == 0) {
        (void)fcntl(l->fd, F_SETFL, O_NONBLOCK);
        rc = thread_start(listener_main, l, &l->thread);
        l->started = rc == 0;
    }
    return rc;
}

int be_refuse(rp_backend_t *be, int on)
{
    int k, rc = 0;
    for (k = 0; k < RP_BACKEND_CONTROL; k++) {
        be_listener_t *l = &be->listener[k];
        if (!l->started) {
            continue;
        }
        if (on) {
            listener_pause(l);
            rc = shutdown(l->fd, SHUT_RDWR) == 0 ? rc : errno;
        }
        else {
            rc = listen(l->fd, BE_BACKLOG) == 0 ? rc : errno;
            listener_resume(l);
        }
    }
    return rc;
}

/* One connection of our own; @return its descriptor, or -1 when the queue is full (it hangs). */
static int jam_one(int port)
{
    struct sockaddr_storage ss;
    socklen_t len = loopback(AF_INET, port, &ss);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct pollfd pf = {fd, POLLOUT, 0};
    if (fd >= 0 && connect(fd, (struct sockaddr *)&ss, len) != 0 && poll(&pf, 1, 200) != 1) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

int be_jam(rp_backend_t *be, int on)
{
    be_listener_t *l = &be->listener[RP_BACKEND_PLAIN];
    int max = (int)(sizeof(be->shared.jam) / sizeof(be->shared.jam[0])), fd;
    if (!on) {
        while (be->shared.jams) {
            (void)close(be->shared.jam[--be->shared.jams]);
        }
        (void)listen(l->fd, BE_BACKLOG);
        listener_resume(l);
        return 0;
    }
    listener_pause(l);
    if (listen(l->fd, 0) != 0) {
        return errno;
    }
    while (be->shared.jams < max && (fd = jam_one(l->port)) >= 0) {
        be->shared.jam[be->shared.jams++] = fd;
    }
    return be->shared.jams < max ? 0 : EAGAIN;
}

/* --- start and stop --- */

int rp_backend_start(rp_backend_t **pbe, const rp_backend_opts_t *opts)
{
    rp_backend_t *be = be_alloc(sizeof(*be));
    pthread_condattr_t attr;
    unsigned i;
    int rc;
    *pbe = NULL;
    be->name =
        be_dup(opts->name ? opts->name : "backend", strlen(opts->name ? opts->name : "backend"));
    be->unix_path = opts->unix_path ? be_dup(opts->unix_path, strlen(opts->unix_path)) : NULL;
    be->shared.rec = be_alloc(sizeof(*be->shared.rec) * BE_RECORDS_MAX);
    pthread_mutex_init(&be->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&be->changed, &attr);
    pthread_condattr_destroy(&attr);
    for (i = 0; i < RP_BACKEND_LISTENERS; i++) {
        be->listener[i].be = be;
        be->listener[i].kind = (rp_backend_listener_e)i;
        be->listener[i].fd = be->listener[i].wake = -1;
    }
    for (i = 0; i < sizeof(be->shared.control_fd) / sizeof(be->shared.control_fd[0]); i++) {
        be->shared.control_fd[i] = -1;
    }
    rc = opts->tls_cert ? be_tls_setup(be, opts) : 0;
    rc = rc ? rc : listener_start(be, RP_BACKEND_PLAIN);
    rc = rc ? rc : listener_start(be, RP_BACKEND_CONTROL);
    rc = rc || !opts->ipv6 ? rc : listener_start(be, RP_BACKEND_IPV6);
    rc = rc || !opts->unix_path ? rc : listener_start(be, RP_BACKEND_UNIX);
    rc = rc || !opts->tls_cert ? rc : listener_start(be, RP_BACKEND_TLS);
    if (rc) {
        rp_backend_stop(be);
        return rc;
    }
    *pbe = be;
    return 0;
}

int rp_backend_port(const rp_backend_t *be, rp_backend_listener_e which)
{
    return be->listener[which].port;
}

static void stop_traffic(rp_backend_t *be)
{
    be_conn_t *c;
    unsigned i;
    be_lock(be);
    be->shared.stopping = 1;
    for (c = be->shared.conns; c; c = c->next) {
        (void)shutdown(c->fd, SHUT_RDWR);
    }
    for (i = 0; i < sizeof(be->shared.control_fd) / sizeof(be->shared.control_fd[0]); i++) {
        if (be->shared.control_fd[i] >= 0) {
            (void)shutdown(be->shared.control_fd[i], SHUT_RDWR);
        }
    }
    for (i = 0; i < RP_BACKEND_LISTENERS; i++) {
        if (be->listener[i].started) {
            listener_wake(&be->listener[i]);
        }
    }
    be_unlock(be);
}

static void free_all(rp_backend_t *be)
{
    unsigned i;
    for (i = 0; i < BE_RECORDS_MAX && be->shared.rec[i]; i++) {
        be_rec_t *r = be->shared.rec[i];
        free(r->id);
        free(r->method);
        free(r->target);
        be_str_free(&r->head);
        be_str_free(&r->body);
        free(r);
    }
    free(be->shared.rec);
    while (be->shared.scripts) {
        be_script_t *s = be->shared.scripts;
        be->shared.scripts = s->next;
        be_script_free(s);
    }
    while (be->shared.signals) {
        be_signal_t *s = be->shared.signals;
        be->shared.signals = s->next;
        free(s->name);
        free(s);
    }
    while (be->shared.raw) {
        be_raw_t *r = be->shared.raw;
        be->shared.raw = r->next;
        be_str_free(&r->bytes);
        free(r);
    }
    be_str_free(&be->shared.violation_text);
    be_tls_free(be);
    free(be->unix_path);
    free(be->name);
    pthread_cond_destroy(&be->changed);
    pthread_mutex_destroy(&be->lock);
    free(be);
}

void rp_backend_stop(rp_backend_t *be)
{
    unsigned i;
    if (be == NULL) {
        return;
    }
    stop_traffic(be);
    for (i = 0; i < RP_BACKEND_LISTENERS; i++) {
        be_listener_t *l = &be->listener[i];
        if (l->started) {
            pthread_join(l->thread, NULL);
        }
        if (l->fd >= 0) {
            (void)close(l->fd);
        }
        if (l->wake >= 0) {
            (void)close(l->wake);
        }
    }
    stop_traffic(be); /* what was accepted in between */
    be_lock(be);
    while (be->shared.open || be->shared.controls) {
        pthread_cond_wait(&be->changed, &be->lock);
    }
    pthread_mutex_unlock(&be->lock);
    while (be->shared.jams) {
        (void)close(be->shared.jam[--be->shared.jams]);
    }
    if (be->unix_path) {
        (void)unlink(be->unix_path);
    }
    free_all(be);
}
