/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file gate.h
 * What the hooks that take connections over, and the engine's life, need of each other.
 */
#ifndef RP_ENGINE_GATE_H
#define RP_ENGINE_GATE_H

#include <ap_mmn.h>
#include <ap_mpm.h>

#include "engine/owned_int.h"

#ifdef AP_MPMQ_CAN_WAITIO
#define RP_HAVE_WAITIO 1
#else
#define RP_HAVE_WAITIO 0
#endif

/** gate.c: hooks */
void rp_gate_register_hooks(apr_pool_t *p);

/** engine.c: 1 while connections may be given to loops. Any thread. */
int rp_engine_running(void);
/** engine.c: the loop for the next connection, in turn. Any thread. */
rp_engine_loop_t *rp_engine_pick(void);

#endif
