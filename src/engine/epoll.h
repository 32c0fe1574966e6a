/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file epoll.h
 * The kernel's event queue, edge-triggered: a descriptor is added once and says each change once. The one file that
 * would change for another kernel interface.
 */
#ifndef RP_ENGINE_EPOLL_H
#define RP_ENGINE_EPOLL_H

#include <apr_errno.h>
#include <apr_time.h>

#include "wire/slice.h"

#define RP_EPOLL_BATCH 64 /**< events taken at once: what each of them leads to has to fit into a turn of a few milliseconds */

/** What happened to a descriptor; bits. An error or hang-up is READ and WRITE as well: the next read or write says what it is. */
#define RP_EV_READ 0x01u  /**< bytes, or the peer's end of them */
#define RP_EV_WRITE 0x02u
#define RP_EV_EOF 0x04u   /**< the peer will send no more (its FIN came) */
#define RP_EV_GONE 0x08u  /**< reset or closed in both directions */

typedef struct rp_epoll_event_t {
    apr_uint64_t token;
    unsigned events;
} rp_epoll_event_t;

/** A new queue. */
apr_status_t rp_epoll_open(int *epfd) RP_WARN_UNUSED;
/** Report all changes of fd under this token until it is closed. */
apr_status_t rp_epoll_add(int epfd, int fd, apr_uint64_t token) RP_WARN_UNUSED;
/** Forget fd; only needed when it stays open. */
void rp_epoll_remove(int epfd, int fd);
/** Wait up to wait_us (rounded up to milliseconds; RP_TIMER_NEVER and other long times are cut). *n: events filled in, 0 when time is up
 * or a signal came. */
apr_status_t rp_epoll_wait(int epfd, apr_interval_time_t wait_us, rp_epoll_event_t events[RP_EPOLL_BATCH], int *n) RP_WARN_UNUSED;

#endif
