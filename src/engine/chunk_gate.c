/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/chunk_gate.h"

#include <string.h>

void rp_chunk_gate_reset(rp_chunk_gate_t *g)
{
    memset(g, 0, sizeof(*g));
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void size_char(rp_chunk_gate_t *g, char c)
{
    int v = hex(c);

    if (v >= 0) {
        if (g->digits++ >= 16) {
            g->state = RP_GATE_BAD;
            return;
        }
        g->size = (g->size << 4) | (apr_uint64_t)v;
    }
    else if (g->digits == 0) {
        g->state = RP_GATE_BAD;
    }
    else {
        g->state = RP_GATE_EXT;
    }
}

/* The LF of a chunk size line. */
static void size_line_end(rp_chunk_gate_t *g, apr_off_t pos)
{
    if (g->size == 0) {
        g->state = RP_GATE_TRAILER_START;
        return;
    }
    g->state = RP_GATE_DATA;
    g->safe = pos + 1;
}

static void trailer_char(rp_chunk_gate_t *g, char c, apr_off_t pos)
{
    if (c == '\n') {
        if (g->state == RP_GATE_TRAILER_START) {
            g->state = RP_GATE_DONE;
            g->safe = pos + 1;
            return;
        }
        g->state = RP_GATE_TRAILER_START;
    }
    else if (c != '\r') {
        g->state = RP_GATE_TRAILER;
    }
}

static void data_end_char(rp_chunk_gate_t *g, char c, apr_off_t pos)
{
    g->safe = pos + 1;
    if (c == '\n') {
        g->state = RP_GATE_SIZE;
        g->size = 0;
        g->digits = 0;
        g->line_start = pos + 1;
    }
    else if (c != '\r') {
        g->state = RP_GATE_BAD;
    }
}

static void one(rp_chunk_gate_t *g, char c, apr_off_t pos)
{
    switch (g->state) {
    case RP_GATE_SIZE:
        size_char(g, c);
        if (g->state != RP_GATE_EXT) {
            return;
        }
        /* fall through */
    case RP_GATE_EXT:
        if (c == '\n') {
            size_line_end(g, pos);
        }
        return;
    case RP_GATE_TRAILER:
    case RP_GATE_TRAILER_START: trailer_char(g, c, pos); return;
    case RP_GATE_DATA_END: data_end_char(g, c, pos); return;
    case RP_GATE_DATA:
    case RP_GATE_DONE:
    case RP_GATE_BAD: return;
    }
}

void rp_chunk_gate(rp_chunk_gate_t *g, const char *p, apr_size_t n)
{
    apr_size_t i = 0;

    while (i < n && g->state != RP_GATE_DONE && g->state != RP_GATE_BAD) {
        if (g->state == RP_GATE_DATA) {
            apr_size_t some = g->size < n - i ? (apr_size_t)g->size : n - i;

            g->size -= some;
            i += some;
            g->safe = g->seen + (apr_off_t)i;
            g->state = g->size == 0 ? RP_GATE_DATA_END : RP_GATE_DATA;
            continue;
        }
        one(g, p[i], g->seen + (apr_off_t)i);
        if (g->state != RP_GATE_DONE && g->seen + (apr_off_t)i - g->line_start > RP_GATE_HELD_MAX && g->state != RP_GATE_DATA
            && g->state != RP_GATE_DATA_END) {
            g->state = RP_GATE_BAD;
        }
        i++;
    }
    g->seen += (apr_off_t)n;
    if (g->state == RP_GATE_BAD) {
        g->safe = g->seen;
    }
}
