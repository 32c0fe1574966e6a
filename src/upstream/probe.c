/* SPDX-License-Identifier: Apache-2.0 */
/* Calling a probe off. */
#include "upstream/probe.h"

#include <sys/socket.h>

void rp_probe_cancel_init(rp_probe_cancel_t *c)
{
    (void)pthread_mutex_init(&c->mutex, NULL);
    c->cancelled = 0;
    c->fd = -1;
}

void rp_probe_cancel(rp_probe_cancel_t *c)
{
    (void)pthread_mutex_lock(&c->mutex);
    __atomic_store_n(&c->cancelled, 1, __ATOMIC_RELEASE);
    if (c->fd >= 0) {
        (void)shutdown(c->fd, SHUT_RDWR); /* ends the wait of the handshake */
    }
    (void)pthread_mutex_unlock(&c->mutex);
}

int rp_probe_cancelled(const rp_probe_cancel_t *c)
{
    return c != NULL && __atomic_load_n(&c->cancelled, __ATOMIC_ACQUIRE);
}

void rp_probe_cancel_expose(rp_probe_cancel_t *c, int fd)
{
    if (c == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&c->mutex);
    c->fd = fd;
    if (fd >= 0 && c->cancelled) {
        (void)shutdown(fd, SHUT_RDWR);
    }
    (void)pthread_mutex_unlock(&c->mutex);
}

void rp_probe_cancel_destroy(rp_probe_cancel_t *c)
{
    (void)pthread_mutex_destroy(&c->mutex);
}
