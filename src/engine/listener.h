/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file listener.h
 * The MPM's listener thread, as far as this child has to help it: it may sleep on although it has reason to take connections again.
 */
#ifndef RP_ENGINE_LISTENER_H
#define RP_ENGINE_LISTENER_H

/** A connection has come: the listener of this child runs. Any thread. */
void rp_listener_runs(void);

/** Make the listener look again whether it may take connections. Costs a turn of it and of one of the MPM's threads. At most one such call is under
 * way; before rp_listener_runs nothing is done. Any thread. 1: it was woken, 0: there was nothing to do, or this MPM can not. */
int rp_listener_wake(void);

#endif
