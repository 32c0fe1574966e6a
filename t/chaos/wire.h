/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file wire.h
 * A client's connection, with or without TLS. Everything waits, 30 seconds at most.
 */
#ifndef RP_CHAOS_WIRE_H
#define RP_CHAOS_WIRE_H

#include <stddef.h>

typedef struct chaos_wire_t {
    int fd;           /**< -1: closed */
    void *ssl;
    unsigned used;    /**< answers that came */
    unsigned slow_ms; /**< rest before each read */
    size_t have;
    char in[65536 + 1];
} chaos_wire_t;

enum { CHAOS_WIRE_OK, CHAOS_WIRE_END, CHAOS_WIRE_LATE };

/** Connect; with TLS when port is that of tls. 1, or 0 with a line for the log. */
int chaos_wire_open(chaos_wire_t *w, unsigned port, unsigned tls);
/** End it, by a reset when asked. */
void chaos_wire_close(chaos_wire_t *w, int reset);
/** No more from us; no TLS. */
void chaos_wire_half_close(chaos_wire_t *w);
/** Send all; piece: so many bytes in each segment or record, 0: any. 1, or 0. */
int chaos_wire_put(chaos_wire_t *w, const char *p, size_t n, size_t piece);
/** 1: the other side has ended a connection that waits for the next request. */
int chaos_wire_ended(const chaos_wire_t *w);
/** More bytes into `in`: CHAOS_WIRE_*. */
int chaos_wire_more(chaos_wire_t *w);
/** The first n bytes of `in` are done with. */
void chaos_wire_drop(chaos_wire_t *w, size_t n);

#endif
