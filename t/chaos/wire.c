/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "chaos.h"

#define WAIT_S 30

static SSL_CTX *ctx;

static void make_ctx(void)
{
    ctx = SSL_CTX_new(TLS_client_method());
    if (ctx != NULL) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    }
}

static int start_tls(chaos_wire_t *w)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    SSL *ssl;

    (void)pthread_once(&once, make_ctx);
    ssl = ctx != NULL ? SSL_new(ctx) : NULL;
    if (ssl == NULL || SSL_set_fd(ssl, w->fd) != 1 || SSL_connect(ssl) != 1) {
        SSL_free(ssl);
        return 0;
    }
    w->ssl = ssl;
    return 1;
}

int chaos_wire_open(chaos_wire_t *w, unsigned port, unsigned tls)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((unsigned short)port)};
    struct timeval wait = {.tv_sec = WAIT_S};
    int on = 1;

    w->ssl = NULL;
    w->have = 0;
    w->used = 0;
    w->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (w->fd < 0 || connect(w->fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        chaos_wrong(0, "no connection", strerror(errno));
        chaos_wire_close(w, 0);
        chaos_nap(100);
        return 0;
    }
    (void)setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(w->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    (void)setsockopt(w->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    if (port == tls && !start_tls(w)) {
        chaos_wrong(0, "no TLS handshake", strerror(errno));
        chaos_wire_close(w, 0);
        return 0;
    }
    return 1;
}

void chaos_wire_close(chaos_wire_t *w, int reset)
{
    struct linger l = {.l_onoff = 1};

    if (w->ssl != NULL) {
        if (!reset) {
            (void)SSL_shutdown(w->ssl);
        }
        SSL_free(w->ssl);
    }
    if (w->fd >= 0) {
        if (reset) {
            (void)setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
        }
        (void)close(w->fd);
    }
    w->ssl = NULL;
    w->fd = -1;
    w->have = 0;
}

void chaos_wire_half_close(chaos_wire_t *w) { (void)shutdown(w->fd, SHUT_WR); }

int chaos_wire_put(chaos_wire_t *w, const char *p, size_t n, size_t piece)
{
    while (n > 0) {
        size_t part = piece > 0 && piece < n ? piece : n;
        ssize_t done = w->ssl != NULL ? SSL_write(w->ssl, p, (int)part) : send(w->fd, p, part, MSG_NOSIGNAL);

        if (done <= 0) {
            return 0;
        }
        p += done;
        n -= (size_t)done;
    }
    return 1;
}

int chaos_wire_ended(const chaos_wire_t *w)
{
    char byte; /* over TLS: of its goodbye */

    return w->have == 0 && w->used > 0 && recv(w->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

int chaos_wire_more(chaos_wire_t *w)
{
    size_t room = sizeof(w->in) - 1 - w->have;
    ssize_t n;

    if (room == 0) {
        return CHAOS_WIRE_END;
    }
    if (w->slow_ms > 0) {
        chaos_nap(w->slow_ms);
        room = room < 4096 ? room : 4096;
    }
    errno = 0;
    n = w->ssl != NULL ? SSL_read(w->ssl, w->in + w->have, (int)room) : recv(w->fd, w->in + w->have, room, 0);
    if (n <= 0) {
        return errno == EAGAIN ? CHAOS_WIRE_LATE : CHAOS_WIRE_END;
    }
    w->have += (size_t)n;
    w->in[w->have] = '\0';
    return CHAOS_WIRE_OK;
}

void chaos_wire_drop(chaos_wire_t *w, size_t n)
{
    w->have -= n;
    memmove(w->in, w->in + n, w->have);
    w->in[w->have] = '\0';
}
