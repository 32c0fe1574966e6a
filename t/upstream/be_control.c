/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* The command language, over the control port and rp_backend_command().
 *
 * On the wire a command is "LENGTH LF BYTES", an answer "ok LENGTH LF BYTES" or "err ..." alike.
 *
 *   script path PATH [NTH] LF LINES...
 *                         for that path (PATH* for a prefix), or for its NTH request only; the
 *                         newest match wins
 *   script conn N|+K|* LF LINES...
 *                         for the Nth connection, the Kth from now, or each, from its first byte on
 *   clear                 forget all scripts
 *   reset                 forget scripts, signals, records and counts; connections stay
 *   signal NAME [N|*]     raise a signal; *: it never runs out
 *   wait NAME [MS]        until a script raised it; uses it up
 *   count FACT            accepted open idle busy max_open max_busy requests complete violations
 *                         id:ID path:PATH
 *   await FACT >=|==|<= N [MS]
 *                         until it is so
 *   requests              a line each, tabs between: n conn conn_seq complete body_bytes sha256
 *                         method id target
 *   conns                 a line each, tabs between: n requests
 *   head N | body N | raw N
 *                         exact bytes of request N, of its body, of all connection N received
 *   violations            what the proxy did that HTTP forbids
 *   digest N [SEED]       SHA-256 of what /bytes/N?seed=SEED sends
 *   idle close|rst        end all idle connections
 *   idle send "BYTES"     send to all idle connections
 *   drop                  shut down all connections
 *   refuse | listen       connections are refused from now on | accepted again
 *   jam | unjam           connections hang half-way: nobody accepts and the queue is full
 *   quit                  end the program */
/* clang-format on */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "be_int.h"

#define BE_WORDS 6
#define BE_WAIT_MS 10000

typedef struct words_t {
    char *w[BE_WORDS]; /* NULL past the last */
    unsigned n;
    const char *line; /* the first line */
    size_t line_len;
    const char *rest; /* lines behind it */
    size_t rest_len;
} words_t;

static void words_parse(words_t *a, const char *text, size_t len)
{
    const char *eol = memchr(text, '\n', len), *end = eol ? eol : text + len, *p = text;
    memset(a, 0, sizeof(*a));
    while (p < end && a->n < BE_WORDS) {
        const char *sp = memchr(p, ' ', (size_t)(end - p));
        sp = sp && a->n < BE_WORDS - 1 ? sp : end;
        a->w[a->n++] = be_dup(p, (size_t)(sp - p));
        p = sp < end ? sp + 1 : end;
    }
    a->line = text;
    a->line_len = (size_t)(end - text);
    a->rest = eol ? eol + 1 : end;
    a->rest_len = (size_t)(text + len - a->rest);
}

static void words_free(words_t *a)
{
    while (a->n) {
        free(a->w[--a->n]);
    }
}

static int word_num(const words_t *a, unsigned i, uint64_t *n)
{
    return i < a->n ? be_num(a->w[i], a->w[i] + strlen(a->w[i]), n) : -1;
}

static uint64_t word_num_or(const words_t *a, unsigned i, uint64_t dflt)
{
    uint64_t n;
    return word_num(a, i, &n) == 0 ? n : dflt;
}

static int fail(be_str_t *out, const char *text)
{
    be_str_addf(out, "%s", text);
    return -1;
}

/* --- facts; all with the lock held --- */

static unsigned count_records(rp_backend_t *be, const char *id, const char *path)
{
    unsigned n = 0, i;
    for (i = be->shared.recs_base; i < be->shared.recs; i++) {
        const be_rec_t *r = be->shared.rec[i];
        size_t len = strcspn(r->target, "?");
        n += id ? strcmp(r->id, id) == 0 : strlen(path) == len && memcmp(r->target, path, len) == 0;
    }
    return n;
}

static int fact_locked(rp_backend_t *be, const char *name, unsigned *out)
{
    const struct {
        const char *name;
        unsigned value;
    } facts[] = {
        {"accepted", be->shared.accepted - be->shared.accepted_base},
        {"open", be->shared.open},
        {"idle", be->shared.idle},
        {"busy", be->shared.busy},
        {"max_open", be->shared.max_open},
        {"max_busy", be->shared.max_busy},
        {"requests", be->shared.requests},
        {"complete", be->shared.complete},
        {"violations", be->shared.violations},
        {"bytes_in", __atomic_load_n(&be->shared.bytes_in, __ATOMIC_RELAXED)},
        {"bytes_out", __atomic_load_n(&be->shared.bytes_out, __ATOMIC_RELAXED)},
    };
    size_t i;
    if (strncmp(name, "id:", 3) == 0 || strncmp(name, "path:", 5) == 0) {
        *out =
            name[0] == 'i' ? count_records(be, name + 3, NULL) : count_records(be, NULL, name + 5);
        return 0;
    }
    for (i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        if (strcmp(name, facts[i].name) == 0) {
            *out = facts[i].value;
            return 0;
        }
    }
    return -1;
}

static int holds(unsigned value, const char *op, uint64_t n)
{
    if (strcmp(op, "==") == 0) {
        return value == n;
    }
    return strcmp(op, "<=") == 0 ? value <= n : value >= n;
}

static void deadline_after(struct timespec *ts, uint64_t ms)
{
    clock_gettime(CLOCK_MONOTONIC, ts);
    ts->tv_sec += (time_t)(ms / 1000);
    ts->tv_nsec += (long)(ms % 1000) * 1000000;
    if (ts->tv_nsec >= 1000000000) {
        ts->tv_sec++;
        ts->tv_nsec -= 1000000000;
    }
}

static int do_await(rp_backend_t *be, const words_t *a, be_str_t *out)
{
    struct timespec until;
    uint64_t n;
    unsigned value = 0;
    int rc = 0;
    if (word_num(a, 3, &n) != 0) {
        return fail(out, "await FACT >=|==|<= N [MS]");
    }
    deadline_after(&until, word_num_or(a, 4, BE_WAIT_MS));
    be_lock(be);
    while (rc == 0 && (rc = fact_locked(be, a->w[1], &value)) == 0 && !holds(value, a->w[2], n) &&
           !be->shared.stopping) {
        rc = pthread_cond_timedwait(&be->changed, &be->lock, &until);
    }
    pthread_mutex_unlock(&be->lock);
    be_str_addf(out, "%u", value);
    return rc == 0 && holds(value, a->w[2], n) ? 0 : -1;
}

static int do_count(rp_backend_t *be, const words_t *a, be_str_t *out)
{
    unsigned value = 0;
    int rc;
    be_lock(be);
    rc = a->n > 1 ? fact_locked(be, a->w[1], &value) : -1;
    pthread_mutex_unlock(&be->lock);
    if (rc != 0) {
        return fail(out, "no such fact");
    }
    be_str_addf(out, "%u", value);
    return 0;
}

/* Scripts wait without a limit; here a test must get its answer. */
static int do_wait(rp_backend_t *be, const words_t *a, be_str_t *out)
{
    struct timespec until;
    int rc = 0, got = 0;
    if (a->n < 2) {
        return fail(out, "wait NAME [MS]");
    }
    deadline_after(&until, word_num_or(a, 2, BE_WAIT_MS));
    be_lock(be);
    for (;;) {
        be_signal_t *s = be->shared.signals;
        while (s && (strcmp(s->name, a->w[1]) != 0 || (s->count == 0 && !s->open))) {
            s = s->next;
        }
        if (s) {
            s->count -= s->open ? 0 : 1;
            got = 1;
        }
        if (got || rc != 0 || be->shared.stopping) {
            break;
        }
        rc = pthread_cond_timedwait(&be->changed, &be->lock, &until);
    }
    pthread_mutex_unlock(&be->lock);
    return got ? 0 : fail(out, "timeout");
}

static int do_signal(rp_backend_t *be, const words_t *a, be_str_t *out)
{
    if (a->n < 2) {
        return fail(out, "signal NAME [N|*]");
    }
    if (a->n > 2 && strcmp(a->w[2], "*") == 0) {
        be_signal_raise(be, a->w[1], 0, 1);
    }
    else {
        be_signal_raise(be, a->w[1], word_num_or(a, 2, 1), 0);
    }
    return 0;
}

/* --- scripts --- */

static int do_script(rp_backend_t *be, const words_t *a, be_str_t *out)
{
    be_script_t *s;
    uint64_t n = 0;
    if (a->n < 3 || (strcmp(a->w[1], "path") != 0 && strcmp(a->w[1], "conn") != 0)) {
        return fail(out, "script path PATH [NTH] or script conn N|+K|*");
    }
    s = be_script_parse(a->rest, a->rest_len, out);
    if (s == NULL) {
        return -1;
    }
    be_lock(be);
    if (a->w[1][0] == 'p') {
        s->path = be_dup(a->w[2], strlen(a->w[2]));
        s->nth = (unsigned)word_num_or(a, 3, 0);
    }
    else if (a->w[2][0] == '+') {
        (void)be_num(a->w[2] + 1, a->w[2] + strlen(a->w[2]), &n);
        s->nth = be->shared.accepted + (unsigned)n;
    }
    else {
        s->nth = (unsigned)word_num_or(a, 2, 0);
    }
    s->next = be->shared.scripts;
    be->shared.scripts = s;
    be_unlock(be);
    return 0;
}

static int do_clear(rp_backend_t *be, const words_t *a, be_str_t *out)
{
    be_script_t *s;
    (void)a;
    (void)out;
    be_lock(be);
    for (s = be->shared.scripts; s; s = s->next) {
        s->off = 1;
    }
    be_unlock(be);
    return 0;
}

static int do_reset(rp_backend_t *be, const words_t *a, be_str_t *out)
{
    be_signal_t *s;
    (void)do_clear(be, a, out);
    be_lock(be);
    for (s = be->shared.signals; s; s = s->next) {
        s->count = 0;
        s->open = 0;
    }
    be->shared.accepted_base = be->shared.accepted;
    be->shared.recs_base = be->shared.recs;
    be->shared.requests = be->shared.complete = be->shared.violations = 0;
    be->shared.violation_text.len = 0;
    __atomic_store_n(&be->shared.bytes_in, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&be->shared.bytes_out, 0, __ATOMIC_RELAXED);
    be->shared.max_open = be->shared.open;
    be->shared.max_busy = be->shared.busy;
    be_unlock(be);
    return 0;
}

/* --- what arrived --- */

static int do_requests(rp_backend_t *be, const words_t *a, be_str_t *out)
{
    unsigned i;
    (void)a;
    be_lock(be);
    for (i = be->shared.recs_base; i < be->shared.recs; i++) {
        const be_rec_t *r = be->shared.rec[i];
        be_str_addf(out, "%u\t%u\t%u\t%d\t%llu\t%s\t%s\t%s\t", r->n, r->conn, r->conn_seq,
                    r->complete, (unsigned long long)r->body_len, r->sha[0] ? r->sha : "-",
                    r->method, r->id);
        be_str_add(out, r->target, strlen(r->target));
        be_str_add(out, "\n", 1);
    }
    be_unlock(be);
    return 0;
}

static int do_conns(rp_backend_t *be, const words_t *a, be_str_t *out)
{
    const be_raw_t *r;
    (void)a;
    be_lock(be);
    for (r = be->shared.raw; r; r = r->next) {
        if (r->conn > be->shared.accepted_base) {
            be_str_addf(out, "%u\t%u\n", r->conn, r->requests);
        }
    }
    be_unlock(be);
    return 0;
}

static int do_bytes_of(rp_backend_t *be, const words_t *a, be_str_t *out)
{
    const be_raw_t *raw;
    const be_str_t *s = NULL;
    uint64_t n;
    if (word_num(a, 1, &n) != 0 || n == 0) {
        return fail(out, "head N, body N or raw N");
    }
    be_lock(be);
    if (strcmp(a->w[0], "raw") == 0) {
        for (raw = be->shared.raw; raw; raw = raw->next) {
            s = raw->conn == n ? &raw->bytes : s;
        }
    }
    else if (n <= be->shared.recs) {
        const be_rec_t *r = be->shared.rec[n - 1];
        s = a->w[0][0] == 'h' ? &r->head : &r->body;
    }
    if (s) {
        be_str_add(out, s->p, s->len);
    }
    be_unlock(be);
    return s ? 0 : fail(out, "no such request or connection");
}

static int do_violations(rp_backend_t *be, const words_t *a, be_str_t *out)
{
    (void)a;
    be_lock(be);
    be_str_add(out, be->shared.violation_text.p, be->shared.violation_text.len);
    be_unlock(be);
    return 0;
}

static int do_digest(rp_backend_t *be, const words_t *a, be_str_t *out)
{
    uint64_t left, state = be_random_start(word_num_or(a, 2, 1));
    char hex[65], *buf;
    be_sha256_t sum;
    (void)be;
    if (word_num(a, 1, &left) != 0) {
        return fail(out, "digest N [SEED]");
    }
    buf = be_alloc(BE_INBUF);
    be_sha256_init(&sum);
    while (left) {
        size_t n = left < BE_INBUF ? (size_t)left : BE_INBUF;
        be_random(&state, buf, n);
        be_sha256_add(&sum, buf, n);
        left -= n;
    }
    free(buf);
    be_sha256_hex(&sum, hex);
    be_str_add(out, hex, 64);
    return 0;
}

/* --- connections --- */

static int do_idle(rp_backend_t *be, const words_t *a, be_str_t *out)
{
    int reset = a->n > 1 && strcmp(a->w[1], "rst") == 0;
    int send_it = a->n > 2 && strcmp(a->w[1], "send") == 0;
    be_script_t *s = NULL;
    be_conn_t *c;
    unsigned n = 0;
    if (send_it && (s = be_script_parse(a->line + 5, a->line_len - 5, out)) == NULL) {
        return -1;
    }
    be_lock(be);
    for (c = be->shared.conns; c; c = c->next) {
        if (c->state != BE_CONN_IDLE) {
            continue;
        }
        n++;
        c->reset |= reset;
        if (s) {
            (void)!send(c->fd, s->line[0].text, s->line[0].len, MSG_NOSIGNAL);
        }
        else {
            (void)shutdown(c->fd, reset ? SHUT_RD : SHUT_RDWR);
        }
    }
    be_unlock(be);
    if (s) {
        be_script_free(s);
    }
    be_str_addf(out, "%u", n);
    return 0;
}

static int do_drop(rp_backend_t *be, const words_t *a, be_str_t *out)
{
    be_conn_t *c;
    (void)a;
    (void)out;
    be_lock(be);
    for (c = be->shared.conns; c; c = c->next) {
        (void)shutdown(c->fd, SHUT_RDWR);
    }
    be_unlock(be);
    return 0;
}

static int do_listen(rp_backend_t *be, const words_t *a, be_str_t *out)
{
    int on = strcmp(a->w[0], "refuse") == 0 || strcmp(a->w[0], "jam") == 0;
    int rc = strstr(a->w[0], "jam") ? be_jam(be, on) : be_refuse(be, on);
    return rc == 0 ? 0 : fail(out, strerror(rc));
}

static int do_quit(rp_backend_t *be, const words_t *a, be_str_t *out)
{
    (void)a;
    (void)out;
    be_lock(be);
    be->shared.quit = 1;
    be_unlock(be);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(rp_backend_t *be, const words_t *a, be_str_t *out);
} commands[] = {
    {"script", do_script}, {"clear", do_clear},
    {"reset", do_reset},   {"signal", do_signal},
    {"wait", do_wait},     {"count", do_count},
    {"await", do_await},   {"requests", do_requests},
    {"conns", do_conns},   {"head", do_bytes_of},
    {"body", do_bytes_of}, {"raw", do_bytes_of},
    {"digest", do_digest}, {"idle", do_idle},
    {"drop", do_drop},     {"violations", do_violations},
    {"refuse", do_listen}, {"listen", do_listen},
    {"jam", do_listen},    {"unjam", do_listen},
    {"quit", do_quit},
};

int be_command(rp_backend_t *be, const char *text, size_t len, be_str_t *out)
{
    words_t a;
    size_t i;
    int rc = -1, known = 0;
    words_parse(&a, text, len);
    for (i = 0; a.n && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(a.w[0], commands[i].name) == 0) {
            known = 1;
            rc = commands[i].run(be, &a, out);
        }
    }
    words_free(&a);
    return known ? rc : fail(out, "no such command");
}

int rp_backend_command(rp_backend_t *be, const char *text, size_t len, char **preply, size_t *plen)
{
    be_str_t out = {NULL, 0, 0};
    int rc = be_command(be, text, len, &out);
    if (plen) {
        *plen = out.len;
    }
    if (preply) {
        *preply = out.p ? out.p : be_dup("", 0);
    }
    else {
        be_str_free(&out);
    }
    return rc;
}

/* --- the control port --- */

static int recv_all(int fd, char *p, size_t n)
{
    while (n) {
        ssize_t got = recv(fd, p, n, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return -1;
        }
        p += got;
        n -= (size_t)got;
    }
    return 0;
}

static int send_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t put = send(fd, p, n, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return -1;
        }
        p += put;
        n -= (size_t)put;
    }
    return 0;
}

static int recv_length(int fd, uint64_t *n)
{
    char line[16];
    size_t len = 0;
    while (len < sizeof(line)) {
        if (recv_all(fd, line + len, 1) != 0) {
            return -1;
        }
        if (line[len] == '\n') {
            return be_num(line, line + len, n) == 0 && *n <= BE_COMMAND_MAX ? 0 : -1;
        }
        len++;
    }
    return -1;
}

int be_control_serve(rp_backend_t *be, int fd)
{
    be_str_t out = {NULL, 0, 0};
    char *text, head[32];
    uint64_t len;
    int rc, n;
    if (recv_length(fd, &len) != 0) {
        return -1;
    }
    text = be_alloc((size_t)len + 1);
    rc = recv_all(fd, text, (size_t)len);
    if (rc == 0) {
        int ok = be_command(be, text, (size_t)len, &out) == 0;
        n = snprintf(head, sizeof(head), "%s %zu\n", ok ? "ok" : "err", out.len);
        rc = send_all(fd, head, (size_t)n) == 0 && send_all(fd, out.p, out.len) == 0 ? 0 : -1;
    }
    be_str_free(&out);
    free(text);
    return rc;
}
