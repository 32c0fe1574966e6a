/* SPDX-License-Identifier: Apache-2.0 */
/* One client: what it does follows from its seed; what it gets must follow from what it asked. */
#include "chaos.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "wire.h"

#define HEAD_MAX 8192
#define BODY_MAX 60000
#define PIPELINE_MAX 6

typedef struct mind_t {
    const chaos_client_t *conf;
    uint64_t rng, last;
    chaos_wire_t wire;
    char text[BODY_MAX * 2 + 2000];
} mind_t;

/** A request, and what its answer has to be. */
typedef struct ask_t {
    uint64_t id, length;
    chaos_fault_e fault; /* of the backend */
    int is_post, chunked;
    uint64_t sum;
    const char *more; /* further fields */
} ask_t;

typedef enum end_e { WHOLE, CUT, NOTHING, LATE } end_e;

/** What came. */
typedef struct got_t {
    end_e end;
    int status, close;
    uint64_t id, length;
    int chunked, has_length, wrong_bytes;
    char sum[64];
} got_t;

static unsigned below(mind_t *m, unsigned n) { return chaos_below(&m->rng, n); }

static uint64_t new_id(mind_t *m) { return (uint64_t)m->conf->number << 32 | ++m->last; }

/* ---- asking ---- */

/* A chunk size line and so on around the body at the end of text. Length of all. */
static size_t write_body(mind_t *m, ask_t *a, size_t at)
{
    size_t done = 0;

    a->sum = CHAOS_SUM;
    while (done < a->length) {
        size_t n = a->chunked ? 1 + below(m, 4000) : a->length;

        n = n < a->length - done ? n : (size_t)a->length - done;
        if (a->chunked) {
            at += (size_t)snprintf(m->text + at, 32, "%zx\r\n", n);
        }
        chaos_body(a->id, done, m->text + at, n);
        a->sum = chaos_sum(a->sum, m->text + at, n);
        at += n;
        done += n;
        if (a->chunked) {
            memcpy(m->text + at, "\r\n", 2);
            at += 2;
        }
    }
    if (a->chunked) {
        memcpy(m->text + at, "0\r\n\r\n", 5);
        at += 5;
    }
    return at;
}

/* The request behind the first `at` bytes of text. Length of all. */
static size_t write_request(mind_t *m, ask_t *a, size_t at)
{
    at += (size_t)snprintf(m->text + at, 400, "%s /%c/%lu/%lu/%u HTTP/1.1\r\nHost: localhost\r\n%s", a->is_post ? "POST" : "GET",
                           a->fault == CHAOS_B_SILENCE ? 's' : 'c', a->id, a->length, (unsigned)a->fault, a->more ? a->more : "");
    if (!a->is_post) {
        return at + (size_t)snprintf(m->text + at, 3, "\r\n");
    }
    at += a->chunked ? (size_t)snprintf(m->text + at, 50, "Transfer-Encoding: chunked\r\n\r\n")
                     : (size_t)snprintf(m->text + at, 50, "Content-Length: %lu\r\n\r\n", a->length);
    return write_body(m, a, at);
}

/* ---- the answer ---- */

static const char *field(const char *head, const char *name)
{
    const char *p = strcasestr(head, name);

    return p == NULL ? NULL : p + strlen(name);
}

static end_e end_of(int rv) { return rv == CHAOS_WIRE_LATE ? LATE : CUT; }

static end_e read_head(chaos_wire_t *w, got_t *g)
{
    char *end;
    const char *p;

    w->in[w->have] = '\0';
    while ((end = strstr(w->in, "\r\n\r\n")) == NULL) {
        int rv = w->have < HEAD_MAX ? chaos_wire_more(w) : CHAOS_WIRE_END;

        if (rv != CHAOS_WIRE_OK) {
            return w->have == 0 && rv != CHAOS_WIRE_LATE ? NOTHING : end_of(rv);
        }
    }
    end[2] = '\0';
    g->status = !strncmp(w->in, "HTTP/1.1 ", 9) ? (int)strtol(w->in + 9, NULL, 10) : 0;
    p = field(w->in, "\r\nX-Id: ");
    g->id = p ? strtoull(p, NULL, 10) : 0;
    p = field(w->in, "\r\nX-Sum: ");
    if (p != NULL) {
        (void)sscanf(p, "%63[^\r]", g->sum);
    }
    p = field(w->in, "\r\nContent-Length: ");
    g->has_length = p != NULL;
    g->length = p ? strtoull(p, NULL, 10) : 0;
    g->chunked = field(w->in, "\r\nTransfer-Encoding: chunked") != NULL;
    g->close = field(w->in, "\r\nConnection: close") != NULL;
    chaos_wire_drop(w, (size_t)(end - w->in) + 4);
    return WHOLE;
}

/* n bytes of the body, from byte *at of it on. */
static end_e read_part(chaos_wire_t *w, got_t *g, uint64_t id, uint64_t *at, uint64_t n)
{
    while (n > 0) {
        char wanted[4096];
        size_t part;

        if (w->have == 0) {
            int rv = chaos_wire_more(w);

            if (rv != CHAOS_WIRE_OK) {
                return end_of(rv);
            }
        }
        part = n < w->have ? (size_t)n : w->have;
        part = part < sizeof(wanted) ? part : sizeof(wanted);
        chaos_body(id, *at, wanted, part);
        g->wrong_bytes |= g->status == 200 && memcmp(wanted, w->in, part) != 0;
        chaos_wire_drop(w, part);
        *at += part;
        n -= part;
    }
    return WHOLE;
}

static end_e read_line(chaos_wire_t *w, char line[64])
{
    char *lf;

    w->in[w->have] = '\0';
    while ((lf = strchr(w->in, '\n')) == NULL) {
        int rv = chaos_wire_more(w);

        if (rv != CHAOS_WIRE_OK) {
            return end_of(rv);
        }
    }
    (void)sscanf(w->in, "%63[^\r]", line);
    chaos_wire_drop(w, (size_t)(lf - w->in) + 1);
    return WHOLE;
}

static end_e read_chunks(chaos_wire_t *w, got_t *g, uint64_t id)
{
    uint64_t at = 0;

    for (;;) {
        char line[64] = "";
        end_e e = read_line(w, line);
        uint64_t n = strtoull(line, NULL, 16);

        if (e == WHOLE) {
            e = read_part(w, g, id, &at, n);
        }
        if (e == WHOLE) {
            e = read_line(w, line);
        }
        if (e != WHOLE || n == 0) {
            g->length = at;
            return e;
        }
    }
}

static void read_answer(mind_t *m, const ask_t *a, got_t *g)
{
    uint64_t at = 0;

    memset(g, 0, sizeof(*g));
    g->end = read_head(&m->wire, g);
    if (g->end != WHOLE) {
        return;
    }
    g->end = g->chunked ? read_chunks(&m->wire, g, a->id) : read_part(&m->wire, g, a->id, &at, g->length);
    m->wire.used++;
}

/* ---- judging ---- */

static const char *wrong_200(const ask_t *a, const got_t *g)
{
    char sum[64];

    if (g->id != a->id) {
        return "another request's answer";
    }
    if (g->wrong_bytes) {
        return "wrong bytes";
    }
    if (g->end == WHOLE && !a->is_post && g->length != a->length) {
        return "a body of another length";
    }
    (void)snprintf(sum, sizeof(sum), "%lu:%lu", a->length, a->sum);
    return g->end == WHOLE && a->is_post && strcmp(sum, g->sum) != 0 ? "the backend got another body" : NULL;
}

/* NULL, or what is wrong with an answer that began. */
static const char *judge(const ask_t *a, const got_t *g)
{
    const char *bad = g->status == 200 ? wrong_200(a, g) : NULL;
    int status = 200;

    if (bad != NULL) {
        return bad;
    }
    if (g->end == LATE) {
        return "no answer in time";
    }
    switch (a->fault) {
    case CHAOS_B_RESET:
    case CHAOS_B_GARBAGE: status = 502; break;
    case CHAOS_B_SILENCE: status = 504; break;
    case CHAOS_B_RESET_MID:
    case CHAOS_B_CLOSE_MID:
        if (g->status == 502) {
            return NULL;
        }
        return g->end == WHOLE ? "a body that was cut looks whole" : NULL;
    default: break;
    }
    if (g->end == CUT) {
        return "a part of an answer";
    }
    if (a->is_post && g->status == 502) {
        chaos_add(&chaos_sums.post_502, 1);
        return NULL;
    }
    return g->status == status ? NULL : "another status";
}

static void check(mind_t *m, const ask_t *a, const got_t *g)
{
    const char *bad = judge(a, g);

    chaos_add(&chaos_sums.requests, 1);
    if (bad != NULL) {
        char detail[200];

        (void)snprintf(detail, sizeof(detail), "%s of %lu bytes over %s, use %u, fault %s: status %d, id %lu, %lu bytes%s", a->is_post ? "POST" : "GET",
                       a->length, m->wire.ssl ? "TLS" : "TCP", m->wire.used, chaos_fault_names[a->fault], g->status, g->id, g->length,
                       g->end == CUT ? ", cut" : "");
        chaos_wrong(a->id, bad, detail);
    }
    if (g->end != WHOLE || g->close) {
        chaos_wire_close(&m->wire, 0);
    }
}

/* ---- doing ---- */

static int need_wire(mind_t *m)
{
    if (m->wire.fd >= 0 && chaos_wire_ended(&m->wire)) {
        chaos_wire_close(&m->wire, 0);
    }
    return m->wire.fd >= 0 || chaos_wire_open(&m->wire, below(m, 2) ? m->conf->tls : m->conf->plain, m->conf->tls);
}

/* Ask and check; when a used connection ends without a word, once more on a new one. */
static void ask(mind_t *m, ask_t *a, size_t piece, unsigned slow_ms)
{
    int tries;

    for (tries = 0; tries < 2 && need_wire(m); tries++) {
        unsigned used = m->wire.used;
        got_t g;

        (void)chaos_wire_put(&m->wire, m->text, write_request(m, a, 0), piece); /* when that fails, no answer shows it */
        m->wire.slow_ms = slow_ms;
        read_answer(m, a, &g);
        m->wire.slow_ms = 0;
        if (g.end != NOTHING) {
            check(m, a, &g);
            return;
        }
        chaos_wire_close(&m->wire, 0);
        if (used == 0) {
            break;
        }
        chaos_add(&chaos_sums.retried, 1);
    }
    chaos_add(&chaos_sums.requests, 1);
    chaos_wrong(a->id, "no answer", a->is_post ? "POST on a new connection" : "GET on a new connection");
}

static void pipeline(mind_t *m)
{
    ask_t asks[PIPELINE_MAX];
    size_t n = 0;
    unsigned count = 2 + below(m, PIPELINE_MAX - 1), i, used;
    got_t g = {.end = WHOLE};

    if (!need_wire(m)) {
        return;
    }
    chaos_fire(CHAOS_C_PIPELINE);
    used = m->wire.used;
    for (i = 0; i < count; i++) {
        asks[i] = (ask_t){.id = new_id(m), .length = below(m, 3000)};
        n = write_request(m, &asks[i], n);
    }
    (void)chaos_wire_put(&m->wire, m->text, n, 0);
    for (i = 0; i < count; i++) {
        int closed = g.close;

        if (m->wire.fd >= 0) {
            read_answer(m, &asks[i], &g);
        }
        if (m->wire.fd >= 0 && g.end != NOTHING) {
            check(m, &asks[i], &g);
            continue;
        }
        chaos_wire_close(&m->wire, 0);
        if (!closed && used + i == 0) {
            chaos_wrong(asks[i].id, "no answer", "first of a pipeline on a new connection");
        }
        chaos_add(closed ? &chaos_sums.cut_short : &chaos_sums.retried, 1);
        break;
    }
    for (; i < count; i++) {
        ask(m, &asks[i], 0, 0);
    }
}

/* Something of a request, then it is gone. */
static void leave(mind_t *m, chaos_fault_e f)
{
    ask_t a = {.id = new_id(m), .length = 100 + below(m, BODY_MAX - 100), .is_post = f == CHAOS_C_HALF_BODY, .chunked = (int)below(m, 2)};
    size_t n, send;

    if (!need_wire(m)) {
        return;
    }
    n = write_request(m, &a, 0);
    send = f == CHAOS_C_HALF_HEAD ? 1 + below(m, 40) : f == CHAOS_C_HALF_BODY ? n / 2 : n;
    if (f != CHAOS_C_MUTE) {
        (void)chaos_wire_put(&m->wire, m->text, send, 0);
    }
    if (f == CHAOS_C_ABORT_MID) {
        (void)chaos_wire_more(&m->wire);
    }
    else {
        chaos_nap(below(m, 4));
    }
    chaos_fire(f);
    chaos_wire_close(&m->wire, f != CHAOS_C_MUTE || below(m, 2));
}

static void half_close(mind_t *m)
{
    ask_t a = {.id = new_id(m), .length = below(m, 20000)};
    got_t g;

    chaos_wire_close(&m->wire, 0);
    if (!chaos_wire_open(&m->wire, m->conf->plain, m->conf->tls)) {
        return;
    }
    chaos_fire(CHAOS_C_HALF_CLOSE);
    (void)chaos_wire_put(&m->wire, m->text, write_request(m, &a, 0), 0);
    chaos_wire_half_close(&m->wire);
    read_answer(m, &a, &g);
    check(m, &a, &g);
    chaos_wire_close(&m->wire, 0);
}

/* A fault of the backend; silence costs a second and is rare. */
static void backend_fault(mind_t *m)
{
    ask_t a = {.id = new_id(m), .length = 200 + below(m, 20000)};

    a.fault = below(m, 40) == 0 ? CHAOS_B_SILENCE : (chaos_fault_e)(1 + below(m, CHAOS_B_LAST));
    if (a.fault == CHAOS_B_SILENCE && below(m, 8)) {
        a.fault = CHAOS_B_RESET;
    }
    if (a.fault == CHAOS_B_UNASKED) {
        a.length = below(m, CHAOS_UNASKED_MAX);
    }
    if (a.fault == CHAOS_B_DRIP) {
        a.length = below(m, 2000);
    }
    ask(m, &a, 0, 0);
}

/* A request without a fault of the backend's. */
static void plain(mind_t *m)
{
    ask_t a = {.id = new_id(m), .length = below(m, 8) ? below(m, 4000) : below(m, BODY_MAX), .is_post = below(m, 3) == 0, .chunked = (int)below(m, 2)};
    size_t piece = 0;
    unsigned slow_ms = 0;

    if (below(m, 10) == 0) {
        a.length = below(m, 200);
        piece = 1 + below(m, 9);
        chaos_fire(CHAOS_C_RECORDS);
    }
    else if (!a.is_post && below(m, 50) == 0) {
        a.length = 100000 + below(m, 300000);
        slow_ms = 1;
        chaos_fire(CHAOS_C_SLOW_READ);
    }
    ask(m, &a, piece, slow_ms);
}

void *chaos_client(void *client)
{
    mind_t *m = calloc(1, sizeof(*m));

    if (m == NULL) {
        chaos_wrong(0, "no memory", "");
        return NULL;
    }
    m->conf = client;
    m->rng = m->conf->seed;
    m->wire.fd = -1;
    while (chaos_now() < m->conf->until) {
        unsigned dice = below(m, 100);

        if (dice < 5) {
            static const chaos_fault_e kinds[] = {CHAOS_C_HALF_HEAD, CHAOS_C_HALF_BODY, CHAOS_C_VANISH, CHAOS_C_ABORT_MID, CHAOS_C_MUTE};

            leave(m, kinds[dice]);
        }
        else if (dice == 5) {
            half_close(m);
        }
        else if (dice < 12) {
            pipeline(m);
        }
        else if (dice < 24) {
            backend_fault(m);
        }
        else {
            plain(m);
        }
    }
    chaos_wire_close(&m->wire, 0);
    free(m);
    return NULL;
}
