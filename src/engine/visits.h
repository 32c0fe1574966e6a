/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file visits.h
 * Has a thread of the MPM left a connection for good? The event MPM writes to a connection once more after the hook by which it gives it
 * away, and tells nobody when it has. But each thread has one connection at a time: that it begins with another says that.
 */
#ifndef RP_ENGINE_VISITS_H
#define RP_ENGINE_VISITS_H

/** A thread of the MPM. Lives as long as the process: others look at it when the thread is gone. */
typedef struct rp_visitor_t {
    unsigned long visits;       /**< atomic, written by its thread alone */
    unsigned index;             /**< from 0 on, in the order of their first visits */
    struct rp_visitor_t *older; /**< all are in a list */
} rp_visitor_t;

/** One connection in the hands of one thread. */
typedef struct rp_visit_t {
    const rp_visitor_t *who; /**< NULL: there was no memory, and nobody knows */
    unsigned long n;
} rp_visit_t;

/** The calling thread begins with a connection: it has left all others. On threads of the MPM, between its hooks for two connections. */
void rp_visit_begin(void);

/** The visit that the calling thread makes now. Begins the first one when there was none. */
rp_visit_t rp_visit_current(void);

/** 1: its thread is with another connection by now, and all that it wrote during the visit is to be seen here. Any thread. */
int rp_visit_is_over(const rp_visit_t *visit);

#endif
