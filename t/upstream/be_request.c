/* SPDX-License-Identifier: Apache-2.0 */
/* Requests as they arrive. Strict on purpose: whatever a proxy must never send is noted as a
 * violation (RFC 9112 2.2, 3, 5, 6, 7), and what can be read all the same is read, so that a test
 * sees both. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "be_int.h"

void be_violation(be_conn_t *c, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    be_lock(c->be);
    c->be->shared.violations++;
    if (c->be->shared.violation_text.len < BE_RAW_MAX) {
        be_str_addf(&c->be->shared.violation_text, "connection %u request %u: %s\n", c->ordinal,
                    c->requests, text);
    }
    be_unlock(c->be);
}

static int is_token(const char *p, size_t len)
{
    size_t i;
    for (i = 0; i < len; i++) {
        unsigned char ch = (unsigned char)p[i];
        int alnum =
            (ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z');
        if (ch == 0 || (!alnum && strchr("!#$%&'*+-.^_`|~", ch) == NULL)) {
            return 0;
        }
    }
    return len > 0;
}

static int has_ctl(const char *p, size_t len)
{
    size_t i;
    for (i = 0; i < len; i++) {
        unsigned char ch = (unsigned char)p[i];
        if ((ch < 32 && ch != '\t') || ch == 127) {
            return 1;
        }
    }
    return 0;
}

static int head_ended(const be_str_t *h)
{
    return h->len >= 4 && memcmp(h->p + h->len - 4, "\r\n\r\n", 4) == 0;
}

/* Bytes up to the empty line. A bare LF ends no line here: a head that holds one is read as one
 * line and found faulty. */
static int head_bytes(be_conn_t *c, be_str_t *h)
{
    while (!head_ended(h)) {
        char ch;
        int rc = be_getc(c);
        if (rc < 0) {
            return h->len ? -1 : 0;
        }
        if (h->len == 0) {
            be_conn_state(c, BE_CONN_BUSY);
        }
        ch = (char)rc;
        be_str_add(h, &ch, 1);
        if (h->len > BE_HEAD_MAX) {
            be_violation(c, "head longer than %u bytes", BE_HEAD_MAX);
            return -1;
        }
    }
    return 1;
}

static void parse_target(be_req_t *q)
{
    const char *mark = strchr(q->target, '?');
    q->path = be_dup(q->target, mark ? (size_t)(mark - q->target) : strlen(q->target));
    q->query = be_dup(mark ? mark + 1 : "", mark ? strlen(mark + 1) : 0);
}

static int parse_line(be_conn_t *c, be_req_t *q, const char *p, size_t len)
{
    const char *sp1 = memchr(p, ' ', len);
    const char *sp2 = sp1 ? memchr(sp1 + 1, ' ', len - (size_t)(sp1 + 1 - p)) : NULL;
    if (has_ctl(p, len) || memchr(p, '\t', len)) {
        be_violation(c, "control character in the request line");
    }
    if (sp2 == NULL || !is_token(p, (size_t)(sp1 - p)) || sp2 == sp1 + 1) {
        be_violation(c, "malformed request line");
        return -1;
    }
    if (len - (size_t)(sp2 + 1 - p) != 8 || memcmp(sp2 + 1, "HTTP/1.", 7) != 0 ||
        (sp2[8] != '0' && sp2[8] != '1')) {
        be_violation(c, "malformed version in the request line");
        return -1;
    }
    q->minor = sp2[8] - '0';
    q->method = be_dup(p, (size_t)(sp1 - p));
    q->target = be_dup(sp1 + 1, (size_t)(sp2 - sp1 - 1));
    parse_target(q);
    return 0;
}

static void parse_field(be_conn_t *c, be_req_t *q, const char *p, size_t len)
{
    const char *colon = memchr(p, ':', len);
    be_field_t *f = &q->field[q->fields];
    if (has_ctl(p, len)) {
        be_violation(c, "control character in header line %d", q->fields + 1);
    }
    if (colon == NULL || !is_token(p, (size_t)(colon - p))) {
        be_violation(c, "malformed header line %d", q->fields + 1);
        return;
    }
    if (q->fields == BE_FIELDS_MAX - 1) {
        be_violation(c, "more than %d header lines", BE_FIELDS_MAX);
        return;
    }
    f->name = p;
    f->name_len = (size_t)(colon - p);
    f->value = colon + 1;
    f->value_len = len - f->name_len - 1;
    while (f->value_len && (*f->value == ' ' || *f->value == '\t')) {
        f->value++;
        f->value_len--;
    }
    while (f->value_len &&
           (f->value[f->value_len - 1] == ' ' || f->value[f->value_len - 1] == '\t')) {
        f->value_len--;
    }
    q->fields++;
}

const be_field_t *be_field(const be_req_t *q, const char *name)
{
    int i;
    for (i = 0; i < q->fields; i++) {
        if (be_ieq(q->field[i].name, q->field[i].name_len, name)) {
            return &q->field[i];
        }
    }
    return NULL;
}

static unsigned count_field(const be_req_t *q, const char *name)
{
    unsigned n = 0;
    int i;
    for (i = 0; i < q->fields; i++) {
        n += be_ieq(q->field[i].name, q->field[i].name_len, name) ? 1 : 0;
    }
    return n;
}

static int field_is(const be_req_t *q, const char *name, const char *value)
{
    const be_field_t *f = be_field(q, name);
    return f && be_ieq(f->value, f->value_len, value);
}

static void decide_framing(be_conn_t *c, be_req_t *q)
{
    const be_field_t *cl = be_field(q, "Content-Length");
    unsigned lengths = count_field(q, "Content-Length"),
             codings = count_field(q, "Transfer-Encoding");
    if (lengths + codings > 1) {
        be_violation(c, "%u framing headers", lengths + codings);
    }
    if (codings) {
        if (!field_is(q, "Transfer-Encoding", "chunked")) {
            be_violation(c, "transfer coding other than chunked");
        }
        if (q->minor == 0) {
            be_violation(c, "transfer coding in an HTTP/1.0 request");
        }
        q->framing = BE_BODY_CHUNKED;
    }
    else if (cl && be_num(cl->value, cl->value + cl->value_len, &q->left) != 0) {
        be_violation(c, "malformed Content-Length");
    }
    else if (cl && q->left) {
        q->framing = BE_BODY_LENGTH;
    }
    q->ended = q->framing == BE_BODY_NONE;
    if (count_field(q, "Host") != 1) {
        be_violation(c, "%u Host headers", count_field(q, "Host"));
    }
    q->expect = field_is(q, "Expect", "100-continue");
    q->close = q->minor == 0 ? !field_is(q, "Connection", "keep-alive")
                             : field_is(q, "Connection", "close");
}

static int parse_head(be_conn_t *c, be_req_t *q)
{
    const char *p = q->head.p, *end = q->head.p + q->head.len - 2;
    int first = 1;
    while (p < end) {
        const char *eol = p;
        while (!(eol[0] == '\r' && eol[1] == '\n')) {
            eol++;
        }
        if (first) {
            if (parse_line(c, q, p, (size_t)(eol - p)) != 0) {
                return -1;
            }
            first = 0;
        }
        else {
            parse_field(c, q, p, (size_t)(eol - p));
        }
        p = eol + 2;
    }
    if (first) {
        be_violation(c, "empty line before the request line");
        return -1;
    }
    decide_framing(c, q);
    return 0;
}

static void record(be_conn_t *c, be_req_t *q)
{
    rp_backend_t *be = c->be;
    const be_field_t *id = be_field(q, "X-Test-Id");
    be_raw_t *raw;
    be_lock(be);
    be->shared.requests++;
    for (raw = be->shared.raw; raw; raw = raw->next) {
        if (raw->conn == c->ordinal) {
            raw->requests = c->requests;
        }
    }
    if (be->shared.recs < BE_RECORDS_MAX) {
        be_rec_t *rec = be_alloc(sizeof(*rec));
        rec->n = be->shared.recs + 1;
        rec->conn = c->ordinal;
        rec->conn_seq = c->requests;
        rec->id = id ? be_dup(id->value, id->value_len) : be_dup("-", 1);
        rec->method = be_dup(q->method, strlen(q->method));
        rec->target = be_dup(q->target, strlen(q->target));
        be_str_add(&rec->head, q->head.p, q->head.len);
        rec->complete = q->ended;
        be->shared.rec[be->shared.recs++] = rec;
        q->rec = rec;
    }
    be->shared.complete += q->ended ? 1u : 0u;
    be_unlock(be);
}

int be_request_read(be_conn_t *c)
{
    be_req_t *q = be_alloc(sizeof(*q));
    int rc;
    be_request_free(c->req);
    c->req = q;
    rc = head_bytes(c, &q->head);
    if (rc <= 0) {
        return rc;
    }
    c->requests++;
    be_sha256_init(&q->sha);
    if (parse_head(c, q) != 0) {
        return -1;
    }
    record(c, q);
    return 1;
}

void be_request_free(be_req_t *q)
{
    if (q) {
        be_str_free(&q->head);
        free(q->method);
        free(q->target);
        free(q->path);
        free(q->query);
        free(q);
    }
}

/* One line without its CRLF; -1 when it is too long, cut short or ended by a bare LF. */
static int chunk_line(be_conn_t *c, char *line, size_t size)
{
    size_t n = 0;
    for (;;) {
        int ch = be_getc(c);
        if (ch < 0 || n == size - 1) {
            return -1;
        }
        if (ch == '\n') {
            if (n == 0 || line[n - 1] != '\r') {
                be_violation(c, "bare LF in chunked framing");
                return -1;
            }
            line[n - 1] = '\0';
            return (int)n - 1;
        }
        line[n++] = (char)ch;
    }
}

static int hex_value(char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }
    if (ch >= 'a' && ch <= 'f') {
        return ch - 'a' + 10;
    }
    return ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : -1;
}

static int chunk_size(be_conn_t *c, be_req_t *q)
{
    char line[128];
    int i, len = chunk_line(c, line, sizeof(line));
    q->left = 0;
    for (i = 0; i < len; i++) {
        int digit = hex_value(line[i]);
        if (digit < 0 || i == 15) {
            break;
        }
        q->left = q->left * 16 + (uint64_t)digit;
    }
    if (len < 1 || i < len) {
        if (len >= 0) {
            be_violation(c, "malformed chunk size line");
        }
        return -1;
    }
    return 0;
}

static int chunk_next(be_conn_t *c, be_req_t *q)
{
    char line[1024];
    int len;
    if (q->chunk_started && chunk_line(c, line, 3) != 0) {
        be_violation(c, "no line end after the chunk data");
        return -1;
    }
    if (chunk_size(c, q) != 0) {
        return -1;
    }
    q->chunk_started = 1;
    if (q->left) {
        return 0;
    }
    while ((len = chunk_line(c, line, sizeof(line))) > 0) {
        be_violation(c, "trailer field");
    }
    q->ended = len == 0;
    return len;
}

static void note_body(be_conn_t *c, be_req_t *q, const char *p, size_t n)
{
    be_sha256_add(&q->sha, p, n);
    q->body_len += n;
    if (q->rec == NULL) {
        return;
    }
    be_lock(c->be);
    q->rec->body_len = q->body_len;
    if (q->rec->body.len < BE_STORE_BODY) {
        size_t room = BE_STORE_BODY - q->rec->body.len;
        be_str_add(&q->rec->body, p, n < room ? n : room);
    }
    be_unlock(c->be);
}

static void note_end(be_conn_t *c, be_req_t *q)
{
    char hex[65];
    be_sha256_hex(&q->sha, hex);
    be_lock(c->be);
    c->be->shared.complete++;
    if (q->rec) {
        memcpy(q->rec->sha, hex, sizeof(hex));
        q->rec->complete = 1;
    }
    be_unlock(c->be);
}

static int body_next(be_conn_t *c, be_req_t *q)
{
    if (q->left) {
        return 0;
    }
    if (q->framing == BE_BODY_LENGTH) {
        q->ended = 1;
    }
    else if (chunk_next(c, q) != 0) {
        q->broken = 1;
        return -1;
    }
    if (q->ended) {
        note_end(c, q);
    }
    return 0;
}

ssize_t be_body_some(be_conn_t *c, be_req_t *q, void *buf, size_t n)
{
    ssize_t got;
    if (q->broken || q->ended) {
        return q->broken ? -1 : 0;
    }
    if (q->expect) {
        q->expect = 0;
        (void)be_write(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    }
    if (body_next(c, q) != 0) {
        return -1;
    }
    if (q->ended) {
        return 0;
    }
    got = be_read(c, buf, q->left < n ? (size_t)q->left : n);
    if (got <= 0) {
        q->broken = 1;
        return -1;
    }
    q->left -= (uint64_t)got;
    note_body(c, q, buf, (size_t)got);
    if (q->framing == BE_BODY_LENGTH && q->left == 0) {
        (void)body_next(c, q);
    }
    return got;
}

int be_body_all(be_conn_t *c, be_req_t *q, be_str_t *keep, size_t max)
{
    char *buf = be_alloc(BE_INBUF);
    ssize_t n;
    while ((n = be_body_some(c, q, buf, BE_INBUF)) > 0) {
        if (keep && keep->len < max) {
            be_str_add(keep, buf, (size_t)n < max - keep->len ? (size_t)n : max - keep->len);
        }
    }
    free(buf);
    return n == 0 ? 0 : -1;
}

static int decode(const char *p, size_t len, char *out, size_t size)
{
    size_t n = 0, i;
    for (i = 0; i < len && n < size - 1; i++) {
        if (p[i] == '%' && i + 2 < len && hex_value(p[i + 1]) >= 0 && hex_value(p[i + 2]) >= 0) {
            out[n++] = (char)(hex_value(p[i + 1]) * 16 + hex_value(p[i + 2]));
            i += 2;
        }
        else {
            out[n++] = p[i];
        }
    }
    out[n] = '\0';
    return (int)n;
}

int be_arg(const be_req_t *q, const char *name, int nth, char *out, size_t size)
{
    const char *p = q->query;
    while (*p) {
        size_t len = strcspn(p, "&"), key = strcspn(p, "=&");
        if (be_ieq(p, key, name) && nth-- == 0) {
            size_t skip = key < len ? key + 1 : key;
            return decode(p + skip, len - skip, out, size);
        }
        p += len;
        p += *p == '&';
    }
    out[0] = '\0';
    return -1;
}

uint64_t be_arg_num(const be_req_t *q, const char *name, uint64_t dflt)
{
    char text[32];
    uint64_t n;
    int len = be_arg(q, name, 0, text, sizeof(text));
    return len > 0 && be_num(text, text + len, &n) == 0 ? n : dflt;
}
