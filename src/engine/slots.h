/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file slots.h
 * Places of child processes (ServerLimit), and which of the old processes have to give theirs back. Pure.
 */
#ifndef RP_ENGINE_SLOTS_H
#define RP_ENGINE_SLOTS_H

/** One place, as the scoreboard shows it. */
typedef struct rp_slot_t {
    int used;       /**< a process has it */
    int generation; /**< of that process: the number of restarts before it */
    int quiescing;  /**< it takes no more connections */
} rp_slot_t;

#define RP_SLOTS_RESERVE 2 /**< places that stay free for the processes of the next restart, at least */

/** 1: the process in slots[mine] is an old one and has to end, so that enough of the n places are free for the next restart: as many as there are
 * processes that serve, but RP_SLOTS_RESERVE at least and a quarter of all at most. The oldest go first, by generation and then by place, and no
 * more of them than needed. *nfree: places that are free now. Any thread. */
int rp_slots_must_go(const rp_slot_t *slots, int n, int mine, int *nfree);

#endif
