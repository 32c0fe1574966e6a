/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backend of the measurements: one thread, epoll, no work of its own to speak of, so that what is measured is the proxy.
 *
 *   GET /.../<n>[k|m]     n bytes (KiB, MiB), Content-Length, keep-alive
 *   GET /.../wait<ms>     1 KiB after ms milliseconds
 *   Upgrade: ...          101, then every byte comes back
 *
 * Usage: backend [PORT]      listens on 127.0.0.1 (0: a free port) and prints the port; ends by SIGTERM or when its standard
 * input ends. SIGUSR1 prints "accepted=N open=N waiting=N" on standard output: connections, and answers that
 * are not due yet.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX 8192          /* bytes of a request head */
#define BODY_MAX (64u << 20)   /* largest answer */
#define EVENTS 256
#define BACKLOG 8192

typedef struct conn_t {
    int fd;
    int tunnel;                 /* every byte goes back */
    int waiting;                /* an answer is due at due_ms */
    long long due_ms;
    struct conn_t *next, *prev; /* list of those that wait, in the order of their due times for one interval */
    size_t used;                /* bytes in `in` */
    size_t head_len, head_sent; /* the answer's head in `head` */
    size_t body_size, body_left;
    char head[256];
    char in[HEAD_MAX];
} conn_t;

static const char accept_key[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; /* of the sample key of RFC 6455 1.3, which the clients send */
static char *body;
static int epfd;
static unsigned long long accepted, open_now, waiting_now;
static conn_t *first_waiting, *last_waiting;

static long long now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- those that wait ---- */

static void unwait(conn_t *c)
{
    if (!c->waiting) {
        return;
    }
    *(c->prev ? &c->prev->next : &first_waiting) = c->next;
    *(c->next ? &c->next->prev : &last_waiting) = c->prev;
    c->waiting = 0;
    waiting_now--;
}

static void wait_until(conn_t *c, long long due_ms)
{
    conn_t *after = last_waiting;

    while (after != NULL && after->due_ms > due_ms) {
        after = after->prev;
    }
    c->due_ms = due_ms;
    c->waiting = 1;
    waiting_now++;
    c->prev = after;
    c->next = after ? after->next : first_waiting;
    *(after ? &after->next : &first_waiting) = c;
    *(c->next ? &c->next->prev : &last_waiting) = c;
}

/* ---- answers ---- */

static conn_t *closed; /* freed at the end of the turn: more events of this turn may name them */

static void close_conn(conn_t *c)
{
    unwait(c);
    (void)close(c->fd);
    c->fd = -1;
    open_now--;
    c->next = closed;
    closed = c;
}

static void free_closed(void)
{
    while (closed != NULL) {
        conn_t *c = closed;
        closed = c->next;
        free(c);
    }
}

/* 0: all is out, or the socket is full. -1: the connection is gone. */
static int push(conn_t *c)
{
    while (c->head_len > c->head_sent || c->body_left > 0) {
        struct iovec vec[2] = {{c->head + c->head_sent, c->head_len - c->head_sent}, {body + (c->body_size - c->body_left), c->body_left}};
        struct msghdr msg = {.msg_iov = vec, .msg_iovlen = 2};
        ssize_t n = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
        size_t of_head;

        if (n < 0) {
            return errno == EAGAIN ? 0 : -1;
        }
        of_head = c->head_len - c->head_sent;
        of_head = (size_t)n < of_head ? (size_t)n : of_head;
        c->head_sent += of_head;
        c->body_left -= (size_t)n - of_head;
    }
    return 0;
}

static void set_answer(conn_t *c, size_t size)
{
    c->head_sent = 0;
    c->body_size = c->body_left = size;
    c->head_len = (size_t)snprintf(c->head, sizeof(c->head),
                                   "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", size);
}

static void set_upgrade(conn_t *c)
{
    c->tunnel = 1;
    c->head_sent = c->body_left = 0;
    c->head_len = (size_t)snprintf(c->head, sizeof(c->head),
                                   "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                   "Sec-WebSocket-Accept: %s\r\n\r\n", accept_key);
}

/* What a head asks for. */
static void answer(conn_t *c, const char *head)
{
    const char *target = strchr(head, ' ');
    const char *end, *last = NULL;
    char unit = '\0';
    unsigned long size = 0;
    unsigned ms = 0;

    if (strcasestr(head, "\r\nUpgrade:") != NULL) {
        set_upgrade(c);
        return;
    }
    if (target != NULL && (end = strchr(target + 1, ' ')) != NULL) {
        last = memrchr(target, '/', (size_t)(end - target));
    }
    if (last != NULL && sscanf(last, "/wait%u", &ms) == 1) {
        set_answer(c, 1024);
        wait_until(c, now_ms() + ms);
        return;
    }
    if (last != NULL && sscanf(last, "/%lu%c", &size, &unit) >= 1) {
        size <<= unit == 'k' ? 10 : unit == 'm' ? 20 : 0;
    }
    set_answer(c, size < BODY_MAX ? size : BODY_MAX);
}

static int echo(conn_t *c)
{
    size_t done = 0;

    while (done < c->used) { /* what the clients send in one go is small: it fits the socket */
        ssize_t n = send(c->fd, c->in + done, c->used - done, MSG_NOSIGNAL);
        if (n <= 0) {
            return -1;
        }
        done += (size_t)n;
    }
    c->used = 0;
    return 0;
}

static int busy(const conn_t *c)
{
    return c->waiting || c->head_len > c->head_sent || c->body_left > 0;
}

/* Serve the heads that are there. */
static int serve(conn_t *c)
{
    if (c->tunnel) {
        return echo(c);
    }
    while (!busy(c) && !c->tunnel) {
        char *end;
        size_t len;

        c->in[c->used] = '\0';
        end = strstr(c->in, "\r\n\r\n");
        if (end == NULL) {
            return c->used + 1 < sizeof(c->in) ? 0 : -1;
        }
        end[2] = '\0';
        answer(c, c->in);
        len = (size_t)(end + 4 - c->in);
        memmove(c->in, c->in + len, c->used - len);
        c->used -= len;
        if (!c->waiting && push(c) < 0) {
            return -1;
        }
    }
    return 0;
}

static int on_readable(conn_t *c)
{
    while (!busy(c) && c->used + 1 < sizeof(c->in)) {
        ssize_t n = recv(c->fd, c->in + c->used, sizeof(c->in) - 1 - c->used, 0);
        size_t room = sizeof(c->in) - 1 - c->used;

        if (n <= 0) {
            return n < 0 && errno == EAGAIN ? 0 : -1;
        }
        c->used += (size_t)n;
        if (serve(c) < 0) {
            return -1;
        }
        if ((size_t)n < room) {
            return 0;
        }
    }
    return 0;
}

/* Edge-triggered: whatever became possible is tried. */
static void on_event(conn_t *c)
{
    if (c->fd < 0) {
        return;
    }
    if ((!c->waiting && push(c) < 0) || serve(c) < 0 || on_readable(c) < 0) {
        close_conn(c);
    }
}

static void on_due(void)
{
    long long now = first_waiting ? now_ms() : 0;

    while (first_waiting != NULL && first_waiting->due_ms <= now) {
        conn_t *c = first_waiting;
        unwait(c);
        on_event(c);
    }
}

static void on_accept(int listener)
{
    int fd, on = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        conn_t *c = calloc(1, sizeof(*c));
        struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};

        if (c == NULL) {
            fail("backend: memory");
        }
        c->fd = fd;
        accepted++;
        open_now++;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) < 0) {
            fail("backend: epoll");
        }
    }
}

static int listen_on(int port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    socklen_t len = sizeof(sa);
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0
        || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, BACKLOG) < 0
        || getsockname(fd, (struct sockaddr *)&sa, &len) < 0) {
        fail("backend: listen");
    }
    printf("%d\n", ntohs(sa.sin_port));
    (void)fflush(stdout);
    return fd;
}

/* 0: go on. */
static int on_signal(int sigfd)
{
    struct signalfd_siginfo info;

    while (read(sigfd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo != SIGUSR1) {
            return 1;
        }
        printf("accepted=%llu open=%llu waiting=%llu\n", accepted, open_now, waiting_now);
        (void)fflush(stdout);
    }
    return 0;
}

static void watch(int fd, void *mark)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = mark};

    if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) < 0 && errno != EPERM) { /* EPERM: input from a file never ends early */
        fail("backend: epoll");
    }
}

int main(int argc, char **argv)
{
    static char mark_listen, mark_signal, mark_input;
    struct epoll_event ev[EVENTS];
    sigset_t set;
    int listener, sigfd, n, i;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR1);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || (sigfd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)) < 0
        || (epfd = epoll_create1(EPOLL_CLOEXEC)) < 0 || (body = malloc(BODY_MAX)) == NULL) {
        fail("backend: start");
    }
    for (i = 0; i < (int)BODY_MAX; i++) { /* not all the same: who compresses must work for it */
        body[i] = (char)('a' + (i * 7 + i / 251) % 26);
    }
    listener = listen_on(argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0);
    watch(listener, &mark_listen);
    watch(sigfd, &mark_signal);
    watch(STDIN_FILENO, &mark_input);
    for (;;) {
        long long left = first_waiting ? first_waiting->due_ms - now_ms() : -1;

        n = epoll_wait(epfd, ev, EVENTS, first_waiting == NULL ? -1 : left > 0 ? (int)left : 0);
        for (i = 0; i < n; i++) {
            void *p = ev[i].data.ptr;

            if (p == &mark_listen) {
                on_accept(listener);
            }
            else if (p == &mark_input || (p == &mark_signal && on_signal(sigfd))) {
                return 0;
            }
            else if (p != &mark_signal) {
                on_event(p);
            }
        }
        on_due();
        free_closed();
    }
}
