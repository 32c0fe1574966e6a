/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a loop whose thread is gone. Its connections are closed before the child's pool goes: they use memory of it, and in one process
 * (-X) they outlive it otherwise. What was posted to the loop after its last turn is part of that: connections that the MPM has given away, answers
 * of helpers, permits.
 */
#include "engine/owned_int.h"

#include <sys/socket.h>

#include "upstream/endpoint.h"

static void shut(int fd)
{
    if (fd >= 0) {
        (void)shutdown(fd, SHUT_RDWR);
    }
}

void rp_bury_interrupt(rp_engine_loop_t *el)
{
    rp_owned_t *o;

    for (o = APR_RING_FIRST(&el->owned); o != APR_RING_SENTINEL(&el->owned, rp_owned_t, link); o = APR_RING_NEXT(o, link)) {
        if (o->state == RP_OWNED_HELPER) {
            shut(o->fd);
        }
        else if (o->helper_busy && rp_exchange_conn(o->suspended.ex) != NULL) {
            shut(rp_conn_fd(rp_exchange_conn(o->suspended.ex)));
        }
    }
}

void rp_bury_settle(rp_engine_loop_t *el)
{
    rp_owned_t *o;

    el->buried = 1;
    for (o = APR_RING_FIRST(&el->owned); o != APR_RING_SENTINEL(&el->owned, rp_owned_t, link); o = APR_RING_NEXT(o, link)) {
        (void)!rp_owned_leave_line(o); /* 0: the post is drained now */
    }
    rp_loop_drain(el->loop);
}

void rp_bury_loop(rp_engine_loop_t *el)
{
    int n = 0;

    while (!APR_RING_EMPTY(&el->owned, rp_owned_t, link)) {
        rp_owned_t *o = APR_RING_FIRST(&el->owned);

        o->later_set = 0;
        o->c->aborted = 1;
        rp_owned_close(o);
        n++;
    }
    ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, el->server, "RP0337: event loop %d ends; %d client connections were still open", rp_loop_index(el->loop), n);
    rp_graves_clear(el);
    rp_trim_end(el);
    rp_endpoints_shutdown(el->endpoints);
    rp_loop_destroy(el->loop);
}
