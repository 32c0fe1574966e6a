/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* The script language, one instruction a line; empty lines and lines that begin with # are nothing.
 *
 *   recv head            read a request head (recorded, counted); a script of a path begins with
 *                        the head already read
 *   recv body            read the request's body by its framing
 *   recv N               read N bytes, whatever they are
 *   recv eof             read up to the end of the stream
 *   send "BYTES"         \r \n \t \0 \\ \" \xHH; ${id} ${target} ${conn} ${seq} stand for facts
 *                        of the request
 *   send-slow "BYTES"    each byte a segment of its own
 *   send-bytes N [SEED]  pseudo-random bytes
 *   wait NAME            until that signal is raised (by `signal` here or on the control port);
 *                        uses it up
 *   signal NAME          raise it
 *   loop [N] ... end     N times, or for ever; ends when the peer takes no more bytes
 *   answer               what the path means by itself
 *   half-close           no more from us
 *   linger               half-close, then read to the end of the stream, then close: the peer
 *                        never sees a reset
 *   hold                 read and say nothing until the peer closes
 *   close                (unread bytes make it a reset, as the kernel does)
 *   rst                  close by a reset
 *   refuse, listen       stop listening: connections are refused; listen again
 *
 * At its end the connection goes on: the next request is answered as if there was no script. */
/* clang-format on */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdlib.h>
#include <string.h>

#include "be_int.h"

static const struct {
    const char *name;
    be_op_e op;
    char arg; /* s string, n name, N number, o optional number, - none */
} words[] = {
    {"recv head", BE_OP_RECV_HEAD, '-'},
    {"recv body", BE_OP_RECV_BODY, '-'},
    {"recv eof", BE_OP_RECV_EOF, '-'},
    {"recv", BE_OP_RECV_N, 'N'},
    {"send", BE_OP_SEND, 's'},
    {"send-slow", BE_OP_SEND_SLOW, 's'},
    {"send-bytes", BE_OP_SEND_BYTES, 'N'},
    {"wait", BE_OP_WAIT, 'n'},
    {"signal", BE_OP_SIGNAL, 'n'},
    {"close", BE_OP_CLOSE, '-'},
    {"rst", BE_OP_RST, '-'},
    {"half-close", BE_OP_HALF_CLOSE, '-'},
    {"linger", BE_OP_LINGER, '-'},
    {"hold", BE_OP_HOLD, '-'},
    {"loop", BE_OP_LOOP, 'o'},
    {"end", BE_OP_END, '-'},
    {"refuse", BE_OP_REFUSE, '-'},
    {"listen", BE_OP_LISTEN, '-'},
    {"answer", BE_OP_ANSWER, '-'},
};

static int hex(char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }
    if (ch >= 'a' && ch <= 'f') {
        return ch - 'a' + 10;
    }
    return ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : -1;
}

/* The byte of the escape at p (behind the backslash); its length in *used, 0 when it is none. */
static char escape(const char *p, const char *end, size_t *used)
{
    static const char from[] = "rnt0\\\"", to[] = "\r\n\t\0\\\"";
    const char *hit = p < end && *p ? strchr(from, *p) : NULL;
    *used = hit ? 1 : 0;
    if (hit) {
        return to[hit - from];
    }
    if (p + 2 < end && *p == 'x' && hex(p[1]) >= 0 && hex(p[2]) >= 0) {
        *used = 3;
        return (char)(hex(p[1]) * 16 + hex(p[2]));
    }
    return 0;
}

static int parse_string(be_line_t *l, const char *p, const char *end)
{
    be_str_t s = {NULL, 0, 0};
    if (end - p < 2 || *p != '"' || end[-1] != '"') {
        return -1;
    }
    for (p++, end--; p < end; p++) {
        char ch = *p;
        if (ch == '\\') {
            size_t used;
            ch = escape(p + 1, end, &used);
            if (used == 0) {
                be_str_free(&s);
                return -1;
            }
            p += used;
        }
        be_str_add(&s, &ch, 1);
    }
    l->text = s.p ? s.p : be_dup("", 0);
    l->len = s.len;
    return 0;
}

static int parse_numbers(be_line_t *l, const char *p, const char *end)
{
    const char *sp = memchr(p, ' ', (size_t)(end - p));
    l->seed = 1;
    if (be_num(p, sp ? sp : end, &l->n) != 0) {
        return -1;
    }
    return sp ? be_num(sp + 1, end, &l->seed) : 0;
}

static int parse_arg(be_line_t *l, char kind, const char *p, const char *end)
{
    switch (kind) {
    case 's':
        return parse_string(l, p, end);
    case 'n':
        l->text = be_dup(p, (size_t)(end - p));
        return p < end ? 0 : -1;
    case 'N':
        return parse_numbers(l, p, end);
    case 'o':
        return p < end ? parse_numbers(l, p, end) : 0;
    default:
        return p == end ? 0 : -1;
    }
}

static int parse_line(be_line_t *l, const char *p, size_t len)
{
    size_t i;
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t n = strlen(words[i].name);
        if (len >= n && memcmp(p, words[i].name, n) == 0 && (len == n || p[n] == ' ')) {
            size_t skip = len == n ? n : n + 1;
            l->op = words[i].op;
            return parse_arg(l, words[i].arg, p + skip, p + len);
        }
    }
    return -1;
}

/* Each loop line learns where its end is (in seed) and each end where its loop is (in n). */
static int match_loops(be_script_t *s)
{
    size_t open[16], depth = 0, i;
    for (i = 0; i < s->lines; i++) {
        if (s->line[i].op == BE_OP_LOOP) {
            if (depth == sizeof(open) / sizeof(open[0])) {
                return -1;
            }
            open[depth++] = i;
        }
        else if (s->line[i].op == BE_OP_END) {
            if (depth == 0) {
                return -1;
            }
            s->line[i].n = open[--depth];
            s->line[open[depth]].seed = i;
        }
    }
    return depth == 0 ? 0 : -1;
}

be_script_t *be_script_parse(const char *text, size_t len, be_str_t *err)
{
    be_script_t *s = be_alloc(sizeof(*s));
    const char *p = text, *end = text + len;
    unsigned number = 0;
    s->line = be_alloc(sizeof(*s->line) * BE_OPS_MAX);
    while (p < end) {
        const char *eol = memchr(p, '\n', (size_t)(end - p)), *next = eol ? eol + 1 : end;
        eol = eol ? eol : end;
        number++;
        while (p < eol && (*p == ' ' || *p == '\t')) {
            p++;
        }
        if (p < eol && *p != '#') {
            if (s->lines == BE_OPS_MAX ||
                parse_line(&s->line[s->lines], p, (size_t)(eol - p)) != 0) {
                be_str_addf(err, "script line %u is no instruction: %.*s", number,
                            eol - p > 100 ? 100 : (int)(eol - p), p);
                be_script_free(s);
                return NULL;
            }
            s->lines++;
        }
        p = next;
    }
    if (match_loops(s) != 0) {
        be_str_addf(err, "loop without end, or end without loop");
        be_script_free(s);
        return NULL;
    }
    return s;
}

void be_script_free(be_script_t *s)
{
    size_t i;
    for (i = 0; i < s->lines; i++) {
        free(s->line[i].text);
    }
    free(s->line);
    free(s->path);
    free(s);
}

static int path_matches(const char *pattern, const char *path)
{
    size_t len = strlen(pattern);
    if (len && pattern[len - 1] == '*') {
        return strncmp(pattern, path, len - 1) == 0;
    }
    return strcmp(pattern, path) == 0;
}

const be_script_t *be_script_find(rp_backend_t *be, const char *path, unsigned ordinal)
{
    be_script_t *s, *found = NULL;
    be_lock(be);
    for (s = be->shared.scripts; s; s = s->next) {
        unsigned count = ordinal;
        if (s->off || (s->path == NULL) != (path == NULL) ||
            (path && !path_matches(s->path, path))) {
            continue;
        }
        if (path) {
            count = ++s->hits;
        }
        if (found == NULL && (s->nth == 0 || s->nth == count)) {
            found = s;
        }
    }
    be_unlock(be);
    return found;
}

void be_signal_raise(rp_backend_t *be, const char *name, uint64_t count, int forever)
{
    be_signal_t *s;
    be_lock(be);
    for (s = be->shared.signals; s && strcmp(s->name, name) != 0; s = s->next) {
    }
    if (s == NULL) {
        s = be_alloc(sizeof(*s));
        s->name = be_dup(name, strlen(name));
        s->next = be->shared.signals;
        be->shared.signals = s;
    }
    s->count += count;
    s->open |= forever;
    be_unlock(be);
}

static int signal_take(rp_backend_t *be, const char *name)
{
    be_signal_t *s;
    for (s = be->shared.signals; s; s = s->next) {
        if (strcmp(s->name, name) == 0 && (s->open || s->count)) {
            s->count -= s->open ? 0 : 1;
            return 1;
        }
    }
    return 0;
}

int be_signal_wait(rp_backend_t *be, const char *name)
{
    int got = 0;
    be_lock(be);
    while (!be->shared.stopping && !(got = signal_take(be, name))) {
        pthread_cond_wait(&be->changed, &be->lock);
    }
    be_unlock(be);
    return got ? 0 : -1;
}

static void expand(be_conn_t *c, const be_line_t *l, be_str_t *out)
{
    const be_field_t *id = c->req ? be_field(c->req, "X-Test-Id") : NULL;
    size_t i = 0;
    if (memmem(l->text, l->len, "${", 2) == NULL) {
        be_str_add(out, l->text, l->len);
        return;
    }
    while (i < l->len) {
        const char *p = l->text + i;
        size_t left = l->len - i;
        if (left >= 5 && memcmp(p, "${id}", 5) == 0) {
            be_str_add(out, id ? id->value : "-", id ? id->value_len : 1);
            i += 5;
        }
        else if (left >= 9 && memcmp(p, "${target}", 9) == 0) {
            be_str_addf(out, "%s", c->req && c->req->target ? c->req->target : "-");
            i += 9;
        }
        else if (left >= 7 && memcmp(p, "${conn}", 7) == 0) {
            be_str_addf(out, "%u", c->ordinal);
            i += 7;
        }
        else if (left >= 6 && memcmp(p, "${seq}", 6) == 0) {
            be_str_addf(out, "%u", c->requests);
            i += 6;
        }
        else {
            be_str_add(out, p, 1);
            i++;
        }
    }
}

static void send_text(be_conn_t *c, const be_line_t *l)
{
    be_str_t out = {NULL, 0, 0};
    expand(c, l, &out);
    if (l->op == BE_OP_SEND_SLOW) {
        (void)be_write_slow(c, out.p, out.len);
    }
    else if (out.len) {
        (void)be_write(c, out.p, out.len);
    }
    be_str_free(&out);
}

static void send_bytes(be_conn_t *c, const be_line_t *l)
{
    uint64_t state = be_random_start(l->seed), left = l->n;
    char *buf = be_alloc(BE_INBUF);
    while (left) {
        size_t n = left < BE_INBUF ? (size_t)left : BE_INBUF;
        be_random(&state, buf, n);
        if (be_write(c, buf, n) != 0) {
            break;
        }
        left -= n;
    }
    free(buf);
}

static int recv_bytes(be_conn_t *c, uint64_t n)
{
    for (; n; n--) {
        if (be_getc(c) < 0) {
            return -1;
        }
    }
    return 0;
}

static int run_input(be_conn_t *c, const be_line_t *l)
{
    switch (l->op) {
    case BE_OP_RECV_HEAD:
        return be_tls_accept(c) == 0 && be_request_read(c) == 1 ? 0 : -1;
    case BE_OP_RECV_BODY:
        return c->req ? be_body_all(c, c->req, NULL, 0) : -1;
    case BE_OP_RECV_N:
        return recv_bytes(c, l->n);
    case BE_OP_ANSWER:
        return c->req && c->req->path ? be_answer(c, c->req) : -1;
    case BE_OP_WAIT:
        return be_signal_wait(c->be, l->text);
    default: /* recv eof, hold */
        be_drain(c);
        return l->op == BE_OP_HOLD ? -1 : 0;
    }
}

static int run_end(be_conn_t *c, be_op_e op)
{
    if (op == BE_OP_RST) {
        be_lock(c->be);
        c->reset = 1;
        be_unlock(c->be);
    }
    if (op == BE_OP_LINGER) {
        be_half_close(c);
        be_drain(c);
    }
    return -1;
}

static int run_line(be_conn_t *c, const be_line_t *l)
{
    switch (l->op) {
    case BE_OP_SEND:
    case BE_OP_SEND_SLOW:
        send_text(c, l);
        return 0;
    case BE_OP_SEND_BYTES:
        send_bytes(c, l);
        return 0;
    case BE_OP_SIGNAL:
        be_signal_raise(c->be, l->text, 1, 0);
        return 0;
    case BE_OP_HALF_CLOSE:
        be_half_close(c);
        return 0;
    case BE_OP_REFUSE:
    case BE_OP_LISTEN:
        return be_refuse(c->be, l->op == BE_OP_REFUSE) == 0 ? 0 : -1;
    case BE_OP_CLOSE:
    case BE_OP_RST:
    case BE_OP_LINGER:
        return run_end(c, l->op);
    default:
        return run_input(c, l);
    }
}

int be_script_run(be_conn_t *c, const be_script_t *s)
{
    uint64_t *turns = be_alloc(sizeof(*turns) * (s->lines + 1));
    size_t i = 0;
    int rc = 0;
    while (rc == 0 && i < s->lines) {
        const be_line_t *l = &s->line[i];
        if (l->op == BE_OP_LOOP) {
            int go = (l->n == 0 || turns[i] < l->n) && !c->write_failed;
            turns[i] = go ? turns[i] + 1 : 0;
            i = go ? i + 1 : (size_t)l->seed + 1;
        }
        else if (l->op == BE_OP_END) {
            i = (size_t)l->n;
        }
        else {
            rc = run_line(c, l);
            i++;
        }
    }
    free(turns);
    return rc;
}
