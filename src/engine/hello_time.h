/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file hello_time.h
 * How long a client may take for its TLS handshake while the connection waits in the MPM and no thread waits for it: RequestReadTimeout handshake=.
 */
#ifndef RP_ENGINE_HELLO_TIME_H
#define RP_ENGINE_HELLO_TIME_H

#include "engine/owned_int.h"

/** The handshake needs more from the client: from the first such call on its time runs, where it is limited. The thread that has the connection. */
void rp_hello_wait(conn_rec *c);

/** The handshake is over, or has failed: its time runs no more. The thread that has the connection. */
void rp_hello_over(conn_rec *c);

/** Shut down the connections whose time is over; who has them sees their end. now_us: rp_clock_now_us(). Any thread. */
void rp_hello_expire(server_rec *s, apr_time_t now_us);

#endif
