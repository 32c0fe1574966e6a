/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocking driver: runs one exchange to its end on the calling thread, for every MPM, HTTP/2 streams and
 * subrequests. The only file of this folder that waits, resolves names and reads the clock.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* POLLRDHUP */
#endif
#include "exchange/exchange_int.h"

#include <poll.h>

#include "upstream/clock.h"

#define NOFD_POLL_FIRST_MS 1 /* how often a client without descriptor is asked for its body: backing off ... */
#define NOFD_POLL_MAX_MS 20  /* ... to this */
#define READ_WAIT_US 500000  /* so long a read waits for the backend by itself; after that the client is watched as well */
#define GONE_LOOK_MS 1000    /* how often a client without descriptor is asked whether it is still there */
#define TUNNEL_LOOK_MS 1000  /* how often a tunnel is asked for whether it may go on */
#define BODY_LOOK_MS 1000    /* a client's body is looked for now and then although nothing came: filters with time limits of
                                their own (mod_reqtimeout) notice only then */

/** Back-off of a client without a descriptor. */
typedef struct nofd_t {
    int ms;          /* next interval, 0: the first */
    apr_off_t bytes; /* what it had given when that was chosen */
} nofd_t;

static int wait_ms(const rp_exchange_t *ex)
{
    apr_time_t left = ex->wait.deadline_us - rp_clock_now_us();
    int most = ex->tunnel ? TUNNEL_LOOK_MS : 60000;

    if (left <= 0) {
        return 0;
    }
    left = (left + 999) / 1000;
    return left > most ? most : (int)left;
}

/* What says that the client has left, besides errors. */
static short gone_events(const rp_blocking_client_t *client)
{
    return client->eof_is_gone ? POLLRDHUP : 0;
}

static short poll_events(unsigned mask, unsigned rd, unsigned wr)
{
    return (short)(((mask & rd) ? POLLIN : 0) | ((mask & wr) ? POLLOUT : 0));
}

/* An error or hang-up makes both directions "ready": the next read or write will say what it is. */
static unsigned poll_ready(short revents, unsigned mask, unsigned rd, unsigned wr)
{
    unsigned ready = 0;

    if (revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) {
        ready |= mask & rd;
    }
    if (revents & (POLLOUT | POLLHUP | POLLERR | POLLNVAL)) {
        ready |= mask & wr;
    }
    return ready;
}

/*
 * The common case: only the answer is waited for, with the whole I/O time-out ahead. Then the read itself may do the waiting, but
 * only for as long as most answers take: nobody sees meanwhile that the client leaves.
 */
static int wait_in_read(rp_exchange_t *ex)
{
    const rp_wait_t *wait = rp_exchange_wait(ex);

    if (wait->mask != RP_WAIT_BACKEND_READ || wait->deadline_us != ex->now_us + ex->conf.io_us) {
        return 0;
    }
    return rp_conn_wait_in_read(rp_exchange_conn(ex), ex->conf.io_us < READ_WAIT_US ? ex->conf.io_us : READ_WAIT_US);
}

/* What a client gave so far. */
static apr_off_t client_bytes(const rp_exchange_t *ex)
{
    return ex->kept_len + ex->streamed + (ex->tunnel ? ex->at->sent : 0);
}

/*
 * A client without a descriptor can only be asked again: soon after it gave something, then at growing intervals. Writing to it
 * waits by itself, so that it is always "writable".
 */
static unsigned nofd_ready(unsigned client_mask, nofd_t *nofd, apr_off_t bytes, int *timeout)
{
    if (bytes != nofd->bytes || nofd->ms == 0) {
        nofd->bytes = bytes;
        nofd->ms = NOFD_POLL_FIRST_MS;
    }
    if (client_mask & RP_WAIT_CLIENT_WRITE) {
        *timeout = 0;
    }
    *timeout = *timeout < nofd->ms ? *timeout : nofd->ms;
    nofd->ms = nofd->ms * 2 > NOFD_POLL_MAX_MS ? NOFD_POLL_MAX_MS : nofd->ms * 2;
    return client_mask;
}

/*
 * Wait for the backend alone. *gone is set when the client has left meanwhile. That it sends no more (POLLRDHUP) says little: it may
 * have closed, or only its writing half, and wait for the answer (RFC 9112 9.6). A reset says it all. In a tunnel the pumps see it.
 */
static unsigned wait_backend(rp_exchange_t *ex, const rp_blocking_client_t *client, void *ctx, int *gone)
{
    const rp_wait_t *wait = rp_exchange_wait(ex);
    int timeout = wait_ms(ex);
    struct pollfd fds[2] = { /* poll looks away from -1 */
        {.fd = wait->mask ? rp_conn_fd(rp_exchange_conn(ex)) : -1,
         .events = poll_events(wait->mask, RP_WAIT_BACKEND_READ, RP_WAIT_BACKEND_WRITE)},
        {.fd = ex->tunnel ? -1 : client->fd, .events = gone_events(client)},
    };

    if (client->fd < 0 && client->gone != NULL && !ex->tunnel) {
        *gone = client->gone(ctx);
        timeout = *gone ? 0 : timeout < GONE_LOOK_MS ? timeout : GONE_LOOK_MS;
    }
    if (poll(fds, 2, timeout) <= 0) {
        return 0;
    }
    if (fds[1].revents != 0) {
        *gone = 1;
    }
    return poll_ready(fds[0].revents, wait->mask, RP_WAIT_BACKEND_READ, RP_WAIT_BACKEND_WRITE);
}

/* Wait on the descriptors. */
static unsigned wait_io(rp_exchange_t *ex, const rp_blocking_client_t *client, void *ctx, nofd_t *nofd)
{
    const rp_wait_t *wait = rp_exchange_wait(ex);
    unsigned client_mask = wait->mask & (RP_WAIT_CLIENT_READ | RP_WAIT_CLIENT_WRITE);
    unsigned backend_mask = wait->mask & (RP_WAIT_BACKEND_READ | RP_WAIT_BACKEND_WRITE);
    unsigned ready = 0;
    int timeout = wait_ms(ex);
    int nready;
    struct pollfd fds[2];
    nfds_t n = 0;

    if (backend_mask) {
        fds[n].fd = rp_conn_fd(rp_exchange_conn(ex));
        fds[n].events = poll_events(wait->mask, RP_WAIT_BACKEND_READ, RP_WAIT_BACKEND_WRITE);
        fds[n++].revents = 0;
    }
    if (client_mask && client->fd < 0) {
        ready |= nofd_ready(client_mask, nofd, client_bytes(ex), &timeout);
    }
    else if (client_mask) {
        if ((client_mask & RP_WAIT_CLIENT_READ) && client->input_pending && client->input_pending(ctx)) {
            ready |= RP_WAIT_CLIENT_READ;
            timeout = 0;
        }
        fds[n].fd = client->fd;
        fds[n].events = poll_events(client_mask, RP_WAIT_CLIENT_READ, RP_WAIT_CLIENT_WRITE);
        fds[n++].revents = 0;
    }
    if ((client_mask & RP_WAIT_CLIENT_READ) && !ex->tunnel && timeout > BODY_LOOK_MS) {
        timeout = BODY_LOOK_MS;
    }
    nready = poll(fds, n, timeout);
    if (nready > 0) {
        nfds_t i = 0;
        nofd->ms = 0;
        if (backend_mask) {
            ready |= poll_ready(fds[i++].revents, wait->mask, RP_WAIT_BACKEND_READ, RP_WAIT_BACKEND_WRITE);
        }
        if (i < n) {
            ready |= poll_ready(fds[i].revents, wait->mask, RP_WAIT_CLIENT_READ, RP_WAIT_CLIENT_WRITE);
        }
    }
    else if (nready == 0 && timeout == BODY_LOOK_MS) {
        ready |= client_mask & RP_WAIT_CLIENT_READ;
    }
    return ready;
}

static void do_resolve(rp_exchange_t *ex)
{
    rp_addrset_t *set = NULL;
    apr_status_t rv = rp_address_resolve(&rp_exchange_endpoint(ex)->address, rp_clock_now_us(), &set);

    rp_exchange_resolved(ex, rv, set);
}

static void do_tls(rp_exchange_t *ex)
{
    const rp_tls_provider_t *tls = rp_conn_tls_provider();
    const char *reason = "no TLS provider";
    apr_status_t rv = APR_ENOTIMPL;

    if (tls != NULL) {
        rv = tls->handshake(rp_exchange_conn(ex), ex->conf.io_us, &reason);
    }
    rp_exchange_tls_done(ex, rv, reason);
}

/* Nothing was sent yet: for a client that has left, nothing has to be. */
static void wait_permit(rp_exchange_t *ex, const rp_blocking_client_t *client, void *ctx)
{
    rp_patience_t patience = {.fd = client->fd, .events = gone_events(client), .ctx = ctx};
    apr_status_t rv;

    patience.gone = client->fd < 0 ? client->gone : NULL;
    rv = rp_permit_acquire(rp_exchange_worker(ex), rp_exchange_wait(ex)->deadline_us, &patience);
    if (rv == APR_SUCCESS) {
        rp_exchange_permit_granted(ex);
    }
    else if (APR_STATUS_IS_ECONNABORTED(rv)) {
        rp_exchange_client_gone(ex, rp_clock_now_us());
    }
    else if (!APR_STATUS_IS_TIMEUP(rv)) { /* else step() sees by its clock that the time is up */
        (void)rp_ex_fail(ex, RP_FAIL_LOCAL_RESOURCE, rv, NULL);
    }
}

rp_step_e rp_exchange_run(rp_exchange_t *ex, const rp_blocking_client_t *client, void *ctx)
{
    unsigned ready = RP_WAIT_CLIENT_READ | RP_WAIT_CLIENT_WRITE;
    nofd_t nofd = {0, 0};
    int read_waits = 0; /* the next step begins with what the last one ended with: a read that waits, and looks at the clock itself */

    for (;;) {
        rp_step_e step;
        unsigned mask;

        if (ex->tunnel && client->tunnel_over != NULL && client->tunnel_over(rp_clock_now_us())) {
            rp_exchange_tunnel_end(ex, rp_clock_now_us());
        }
        step = rp_exchange_step(ex, read_waits ? ex->now_us : rp_clock_now_us(), ready);
        mask = rp_exchange_wait(ex)->mask;

        ready = 0;
        read_waits = 0;
        if (step != RP_STEP_WAIT) {
            return step;
        }
        if (mask & RP_WAIT_RESOLVE) {
            do_resolve(ex);
        }
        else if (mask & RP_WAIT_TLS) {
            do_tls(ex);
        }
        else if (mask & RP_WAIT_POOL) {
            wait_permit(ex, client, ctx);
        }
        else if (wait_in_read(ex)) {
            ready = RP_WAIT_BACKEND_READ;
            read_waits = 1;
        }
        else if (mask & (RP_WAIT_CLIENT_READ | RP_WAIT_CLIENT_WRITE)) {
            ready = wait_io(ex, client, ctx, &nofd);
        }
        else {
            int gone = 0;

            ready = wait_backend(ex, client, ctx, &gone);
            if (gone && ready == 0) { /* an answer that is there already goes the usual way */
                rp_exchange_client_gone(ex, rp_clock_now_us());
            }
        }
    }
}
