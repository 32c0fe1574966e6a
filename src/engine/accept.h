/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file accept.h
 * Memory for a connection before the MPM makes it: what it makes first would come from the system otherwise, however much is in stock.
 */
#ifndef RP_ENGINE_ACCEPT_H
#define RP_ENGINE_ACCEPT_H

#include <apr_network_io.h>
#include <apr_pools.h>

/** From now on the sockets that the MPM's listener accepts in this child come with blocks of the stock. On threads of the MPM, as soon as there are any;
 * all calls but the first do nothing. */
void rp_accept_begin(void);

/** No more; the MPM's threads are gone. */
void rp_accept_end(void);

/** The connection of this socket becomes ours, p is its pool. How many blocks of the stock it has: to be given back by rp_stock_clear. When nobody asks
 * this, they go back by themselves when the pool is cleared or destroyed. */
int rp_accept_loan(apr_socket_t *sock, apr_pool_t *p);

#endif
