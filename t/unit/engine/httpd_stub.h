/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file httpd_stub.h
 * So much of httpd as an owned connection needs: filters around a socket, request heads, three handlers. "/file" is what a loop
 * hands off; "/inline" answers on the loop; "/whole" is given to a helper before any hook.
 */
#ifndef RP_T_HTTPD_STUB_H
#define RP_T_HTTPD_STUB_H

#include "engine/owned_int.h"

/** Where requests ran. Atomic. */
typedef struct stub_counts_t {
    int on_loop, on_helper;
} stub_counts_t;
extern stub_counts_t stub_counts;

/** Called on a helper when it has a request, before it does anything; or NULL. */
extern void (*stub_on_helper)(rp_owned_t *o);

/** Register filters, once a process. */
void stub_httpd_init(void);
/** A connection on this socket with a pool of its own, as the MPM would give it to the gate: adopted, not yet posted. */
rp_owned_t *stub_connection(rp_engine_loop_t *el, int fd);
/** The MPM's last acts: the message to the loop, then its scoreboard handle. */
void stub_let_go(rp_owned_t *o);

#endif
