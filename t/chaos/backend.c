/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backend: /c/ID/LENGTH/FAULT. A GET is answered with LENGTH bytes that follow from ID, a POST with length and sum of what it
 * brought. A thread for each connection.
 */
#include "chaos.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_SIZE 32768

typedef struct peer_t {
    int fd;
    char in[IN_SIZE + 1];
    size_t have;
} peer_t;

typedef struct asked_t {
    uint64_t id, length;
    unsigned fault;
    int is_post, chunked;
    uint64_t body;
} asked_t;

static int put(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = send(fd, p, n, MSG_NOSIGNAL);

        if (done <= 0) {
            return 0;
        }
        p += done;
        n -= (size_t)done;
    }
    return 1;
}

static int more(peer_t *b)
{
    ssize_t n = b->have < IN_SIZE ? recv(b->fd, b->in + b->have, IN_SIZE - b->have, 0) : 0;

    if (n <= 0) {
        return 0;
    }
    b->have += (size_t)n;
    b->in[b->have] = '\0';
    return 1;
}

static void drop(peer_t *b, size_t n)
{
    b->have -= n;
    memmove(b->in, b->in + n, b->have + 1);
}

/* METHOD /c/ID/LENGTH/FAULT. 1, or 0: that is something else. */
static int read_path(const char *head, asked_t *a)
{
    const char *p = strstr(head, " /c/");
    char *end = NULL;

    if (p == NULL) {
        return 0;
    }
    a->id = strtoull(p + 4, &end, 10);
    if (*end == '/') {
        a->length = strtoull(end + 1, &end, 10);
    }
    if (*end == '/') {
        a->fault = (unsigned)strtoul(end + 1, &end, 10);
    }
    return !strncmp(end, " HTTP/1.1\r\n", 11) && a->fault < CHAOS_FAULTS;
}

/* 1: a head was read; 0: the end. */
static int read_head(peer_t *b, asked_t *a)
{
    char *end, *field;

    memset(a, 0, sizeof(*a));
    while ((end = strstr(b->in, "\r\n\r\n")) == NULL) {
        if (!more(b)) {
            return 0;
        }
    }
    end[2] = '\0';
    a->is_post = !strncmp(b->in, "POST ", 5);
    if (!read_path(b->in, a)) {
        chaos_wrong(0, "the backend got another request head than any client sent", b->in);
        return 0;
    }
    field = strcasestr(b->in, "\r\ncontent-length:");
    if (field != NULL) {
        a->body = strtoull(field + 17, NULL, 10);
    }
    a->chunked = strcasestr(b->in, "\r\ntransfer-encoding: chunked") != NULL;
    drop(b, (size_t)(end - b->in) + 4);
    return 1;
}

/* n bytes of a body. */
static int take(peer_t *b, uint64_t n, uint64_t *sum)
{
    while (n > 0) {
        size_t part;

        if (b->have == 0 && !more(b)) {
            return 0;
        }
        part = n < b->have ? (size_t)n : b->have;
        *sum = chaos_sum(*sum, b->in, part);
        drop(b, part);
        n -= part;
    }
    return 1;
}

static int take_chunks(peer_t *b, uint64_t *total, uint64_t *sum)
{
    for (;;) {
        char *lf;
        uint64_t size;

        while ((lf = strchr(b->in, '\n')) == NULL) {
            if (!more(b)) {
                return 0;
            }
        }
        size = strtoull(b->in, NULL, 16);
        drop(b, (size_t)(lf - b->in) + 1);
        if (size == 0) {
            while (b->have < 2) {
                if (!more(b)) {
                    return 0;
                }
            }
            drop(b, 2);
            return 1;
        }
        *total += size;
        if (!take(b, size, sum)) {
            return 0;
        }
        while (b->have < 2) {
            if (!more(b)) {
                return 0;
            }
        }
        drop(b, 2);
    }
}

static void reset(int fd)
{
    struct linger l = {.l_onoff = 1};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
}

/* The body of a GET, in Content-Length or chunks. 0: the connection is at its end. */
static int send_body(int fd, const asked_t *a, int chunked)
{
    char block[8192 + 32];
    uint64_t at = 0, end = a->length;

    if (a->fault == CHAOS_B_RESET_MID || a->fault == CHAOS_B_CLOSE_MID) {
        end = a->length / 2;
    }
    while (at < end) {
        size_t n = (size_t)(end - at < 8192 ? end - at : 8192), head = 0;

        if (a->fault == CHAOS_B_DRIP) {
            n = n < 100 ? n : 100;
            chaos_nap(1);
        }
        if (chunked) {
            head = (size_t)snprintf(block, 32, "%zx\r\n", n);
        }
        chaos_body(a->id, at, block + head, n);
        if (chunked) {
            memcpy(block + head + n, "\r\n", 2);
        }
        if (!put(fd, block, head + n + (chunked ? 2 : 0))) {
            return 0;
        }
        at += n;
    }
    if (end < a->length) {
        if (a->fault == CHAOS_B_RESET_MID) {
            reset(fd);
        }
        return 0;
    }
    return !chunked || put(fd, "0\r\n\r\n", 5);
}

/* 1: the connection goes on. */
static int answer(peer_t *b, const asked_t *a, uint64_t body, uint64_t sum)
{
    char head[300];
    int chunked = a->id % 3 == 0, n;

    if (a->is_post) {
        n = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nX-Id: %lu\r\nX-Sum: %lu:%lu\r\nContent-Length: 0\r\n\r\n", a->id, body, sum);
        return put(b->fd, head, (size_t)n);
    }
    n = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nX-Id: %lu\r\n", a->id);
    n += chunked ? snprintf(head + n, sizeof(head) - (size_t)n, "Transfer-Encoding: chunked\r\n\r\n")
                 : snprintf(head + n, sizeof(head) - (size_t)n, "Content-Length: %lu\r\n\r\n", a->length);
    return put(b->fd, head, (size_t)n) && send_body(b->fd, a, chunked);
}

/* Both at once: what comes later nobody could tell from the next answer. 1: the connection goes on. */
static int answer_and_more(int fd, const asked_t *a)
{
    static const char unasked[] = "HTTP/1.1 200 OK\r\nX-Id: 1\r\nContent-Length: 3\r\n\r\nbad";
    char text[CHAOS_UNASKED_MAX + 400];
    size_t n = (size_t)snprintf(text, 200, "HTTP/1.1 200 OK\r\nX-Id: %lu\r\nContent-Length: %lu\r\n\r\n", a->id, a->length);

    if (a->length > CHAOS_UNASKED_MAX) {
        return 0;
    }
    chaos_body(a->id, 0, text + n, a->length);
    n += a->length;
    memcpy(text + n, unasked, sizeof(unasked) - 1);
    return put(fd, text, n + sizeof(unasked) - 1);
}

/* One request. 1: the connection goes on. */
static int serve(peer_t *b)
{
    static const char garbage[] = "\x15\x03\x01\x00\x02\x02\n\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
    uint64_t body = 0, sum = CHAOS_SUM;
    asked_t a;

    if (!read_head(b, &a)) {
        return 0;
    }
    body = a.body;
    if (a.chunked ? !take_chunks(b, &body, &sum) : !take(b, body, &sum)) {
        return 0;
    }
    if (a.fault != CHAOS_NONE && a.fault <= CHAOS_B_LAST) {
        chaos_fire((chaos_fault_e)a.fault);
    }
    switch (a.fault) {
    case CHAOS_B_RESET: reset(b->fd); return 0;
    case CHAOS_B_SILENCE:
        while (more(b)) {
            b->have = 0;
        }
        return 0;
    case CHAOS_B_GARBAGE: (void)put(b->fd, garbage, sizeof(garbage) - 1); return 0;
    case CHAOS_B_UNASKED: return answer_and_more(b->fd, &a);
    case CHAOS_B_IDLE_CLOSE:
        (void)answer(b, &a, body, sum);
        chaos_nap((unsigned)(a.id % 4));
        return 0;
    default: return answer(b, &a, body, sum);
    }
}

static void *connection(void *peer)
{
    peer_t *b = peer;

    while (serve(b)) {
    }
    (void)close(b->fd);
    free(b);
    return NULL;
}

static void *accept_all(void *listener)
{
    pthread_attr_t attr;
    int on = 1;

    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attr, 131072);
    for (;;) {
        peer_t *b = calloc(1, sizeof(*b));
        pthread_t thread;

        if (b == NULL) {
            return NULL;
        }
        b->fd = accept(*(int *)listener, NULL, NULL);
        (void)setsockopt(b->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (b->fd < 0 || pthread_create(&thread, &attr, connection, b) != 0) {
            (void)close(b->fd);
            free(b);
        }
    }
}

unsigned chaos_backend_start(void)
{
    static int listener;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    pthread_t thread;

    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&a, n) != 0 || listen(listener, 511) != 0
        || getsockname(listener, (struct sockaddr *)&a, &n) != 0 || pthread_create(&thread, NULL, accept_all, &listener) != 0) {
        perror("the backend can not listen");
        exit(2);
    }
    return ntohs(a.sin_port);
}
