/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file chaos.h
 * Clients and a backend that misbehave by a seed, around a proxy. Every request has a number of its own, from which everything
 * follows that its answer must be.
 */
#ifndef RP_CHAOS_H
#define RP_CHAOS_H

#include <stddef.h>
#include <stdint.h>

/** What goes wrong, and in whose hands. The order is that of chaos_fault_names. */
typedef enum chaos_fault_e {
    CHAOS_NONE = 0,
    /* of the backend, asked for by the path */
    CHAOS_B_RESET,      /**< resets before it answers */
    CHAOS_B_RESET_MID,  /**< resets in the middle of a body */
    CHAOS_B_CLOSE_MID,  /**< ends in the middle of a body */
    CHAOS_B_SILENCE,    /**< never answers */
    CHAOS_B_GARBAGE,    /**< what it sends is no HTTP */
    CHAOS_B_DRIP,       /**< a few bytes at a time */
    CHAOS_B_UNASKED,    /**< more bytes behind a whole answer */
    CHAOS_B_IDLE_CLOSE, /**< ends a connection that it said it keeps */
    /* of the client */
    CHAOS_C_HALF_HEAD,  /**< leaves in the middle of a request head */
    CHAOS_C_HALF_BODY,  /**< leaves in the middle of a request body */
    CHAOS_C_VANISH,     /**< resets instead of waiting for the answer */
    CHAOS_C_ABORT_MID,  /**< resets in the middle of the answer */
    CHAOS_C_HALF_CLOSE, /**< sends its end behind the request, and waits for the answer */
    CHAOS_C_MUTE,       /**< connects and says nothing */
    CHAOS_C_RECORDS,    /**< TLS records, or segments, of a few bytes */
    CHAOS_C_PIPELINE,   /**< sends several requests at once */
    CHAOS_C_SLOW_READ,  /**< takes the answer late and slowly */
    CHAOS_FAULTS
} chaos_fault_e;
#define CHAOS_B_LAST CHAOS_B_IDLE_CLOSE
#define CHAOS_UNASKED_MAX 8000 /* bytes of a body that more follows */

extern const char *const chaos_fault_names[CHAOS_FAULTS];
/** How often each was done. Atomic. */
extern uint64_t chaos_fired[CHAOS_FAULTS];
void chaos_fire(chaos_fault_e f);

/** Figures of the clients. Atomic. */
typedef struct chaos_sums_t {
    uint64_t requests;  /**< whose answer was checked */
    uint64_t retried;   /**< a used connection ended without a byte of the answer */
    uint64_t cut_short; /**< behind an answer that said close: asked again, as the protocol has it */
    uint64_t failed;    /**< wrong, partial, crossed or missing */
    uint64_t post_502;  /**< uploads that met a backend connection at its end */
} chaos_sums_t;
extern chaos_sums_t chaos_sums;
void chaos_add(uint64_t *counter, uint64_t n);
/** One wrong answer; the first ones are printed. */
void chaos_wrong(uint64_t id, const char *what, const char *detail);

/** splitmix64: the same numbers from the same seed. */
uint64_t chaos_next(uint64_t *state);
/** 0 .. n-1 */
unsigned chaos_below(uint64_t *state, unsigned n);
/** Byte at of the body of answer id; n bytes of it from there into p. */
void chaos_body(uint64_t id, size_t at, char *p, size_t n);
/** FNV-1a, continued. Begin with CHAOS_SUM. */
#define CHAOS_SUM 14695981039346656037ULL
uint64_t chaos_sum(uint64_t sum, const char *p, size_t n);

/** Listen on loopback, answer on threads. The port; dies when it can not. */
unsigned chaos_backend_start(void);
/** A client until the time is over (monotonic seconds). plain, tls: ports of the proxy. */
typedef struct chaos_client_t {
    uint64_t seed;
    unsigned number, plain, tls;
    double until;
} chaos_client_t;
void *chaos_client(void *client);
double chaos_now(void);
void chaos_nap(unsigned ms);

#endif
