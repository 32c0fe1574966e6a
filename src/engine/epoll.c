/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/epoll.h"

#include <errno.h>
#include <sys/epoll.h>

#define WAIT_MAX_MS 60000

apr_status_t rp_epoll_open(int *epfd)
{
    *epfd = epoll_create1(EPOLL_CLOEXEC);
    return *epfd < 0 ? errno : APR_SUCCESS;
}

apr_status_t rp_epoll_add(int epfd, int fd, apr_uint64_t token)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u64 = token};

    return epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) < 0 ? errno : APR_SUCCESS;
}

void rp_epoll_remove(int epfd, int fd)
{
    struct epoll_event unused = {0}; /* kernels before 2.6.9 want one */

    (void)epoll_ctl(epfd, EPOLL_CTL_DEL, fd, &unused);
}

static unsigned translate(apr_uint32_t e)
{
    unsigned events = 0;

    if (e & (EPOLLIN | EPOLLRDHUP)) {
        events |= RP_EV_READ;
    }
    if (e & EPOLLOUT) {
        events |= RP_EV_WRITE;
    }
    if (e & EPOLLRDHUP) {
        events |= RP_EV_EOF;
    }
    if (e & (EPOLLERR | EPOLLHUP)) {
        events |= RP_EV_READ | RP_EV_WRITE | RP_EV_GONE;
    }
    return events;
}

apr_status_t rp_epoll_wait(int epfd, apr_interval_time_t wait_us, rp_epoll_event_t events[RP_EPOLL_BATCH], int *n)
{
    struct epoll_event got[RP_EPOLL_BATCH];
    int ms = wait_us <= 0 ? 0 : wait_us > WAIT_MAX_MS * 1000LL ? WAIT_MAX_MS : (int)((wait_us + 999) / 1000);
    int i;

    *n = epoll_wait(epfd, got, RP_EPOLL_BATCH, ms);
    if (*n < 0) {
        *n = 0;
        return errno == EINTR ? APR_SUCCESS : errno;
    }
    for (i = 0; i < *n; i++) {
        events[i].token = got[i].data.u64;
        events[i].events = translate(got[i].events);
    }
    return APR_SUCCESS;
}
