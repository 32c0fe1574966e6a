/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Response heads: scan, parse, choose the framing; then a request head of the same fields.
 * Input: four bytes of options, then the head and what is behind it.
 *   1: ProxyBadHeader (value % 3), bit 2 HEAD, bit 3 upgrade asked, bit 4 small limits
 *   2: size of the pieces of the second scan      3: framing and connection of the request head 4:
 * its length Held: the result does not depend on the pieces; a parsed head written down again
 * parses to the same; a request head that is written parses again, line for line, with the framing
 * that was asked for and no other.
 */
#include "fuzz_wire.h"

#include <apr_strings.h>

#include "wire/framing.h"
#include "wire/h1_req.h"
#include "wire/h1_resp.h"
#include "wire/headers.h"
#include "wire/url.h"

#define OPTIONS 4
#define STATUS "HTTP/1.1 200 OK\r\n"

static const rp_h1_limits_t wide = { 1 << 20, 1 << 21, 1 << 16, RP_H1_BADLINE_ERROR };

/** Result of a scan. */
typedef struct scanned_t {
    apr_status_t rv;
    rp_h1_err_e err;
    apr_size_t head_len;
} scanned_t;

static scanned_t scan(const rp_h1_limits_t *lim, const char *in, size_t n, size_t piece)
{
    scanned_t r = { APR_EAGAIN, RP_H1_OK, 0 };
    rp_h1_scan_t s;
    size_t have = 0;

    memset(&s, 0, sizeof(s));
    while (r.rv == APR_EAGAIN && have < n) {
        char *part;

        have = n - have < piece ? n : have + piece;
        part = fuzz_copy(in, have);
        r.rv = rp_h1_scan(&s, lim, part, have, &r.head_len);
        FUZZ_ASSERT(r.head_len <= have);
        free(part);
    }
    if (r.rv == APR_EAGAIN) { /* and now the backend closes */
        r.rv = rp_h1_scan_eof(&s, lim, in, n, &r.head_len);
        FUZZ_ASSERT(r.rv == APR_SUCCESS || s.err == RP_H1_EOF);
    }
    FUZZ_ASSERT((r.rv == APR_SUCCESS) == (s.err == RP_H1_OK));
    FUZZ_ASSERT(rp_h1_err_str(s.err)[0]);
    if (r.rv == APR_EINVAL) { /* for good */
        apr_size_t none;

        FUZZ_ASSERT(rp_h1_scan(&s, lim, in, n, &none) == APR_EINVAL && none == 0);
        FUZZ_ASSERT(rp_h1_scan_eof(&s, lim, in, n, &none) == APR_EINVAL && none == 0);
    }
    r.err = s.err;
    return r;
}

static void check_text(const char *s, apr_size_t n)
{
    FUZZ_ASSERT(strlen(s) == n && rp_hdr_value_ok(s, n));
    FUZZ_ASSERT(n == 0 || (s[0] != ' ' && s[0] != '\t' && s[n - 1] != ' ' && s[n - 1] != '\t'));
}

static int same(const rp_h1_resp_t *a, const rp_h1_resp_t *b)
{
    int i;

    if (a->nfields != b->nfields || a->status != b->status || strcmp(a->reason, b->reason) != 0) {
        return 0;
    }
    for (i = 0; i < a->nfields; i++) {
        if (strcmp(a->fields[i].name, b->fields[i].name) != 0
            || strcmp(a->fields[i].value, b->fields[i].value) != 0) {
            return 0;
        }
    }
    return 1;
}

/** Written down again, the head is the same head, and as strict a reader takes it. */
static void check_again(apr_pool_t *pool, const rp_h1_resp_t *r)
{
    char *text = apr_psprintf(pool, "HTTP/1.%d %d %s\r\n", r->minor, r->status, r->reason);
    scanned_t s;
    rp_h1_resp_t again;
    int i;

    for (i = 0; i < r->nfields; i++) {
        const rp_h1_field_t *f = &r->fields[i];

        FUZZ_ASSERT(strlen(f->name) == f->name_len && rp_hdr_name_ok(f->name, f->name_len));
        FUZZ_ASSERT(f->id == (int)rp_hdr_id(f->name, f->name_len));
        check_text(f->value, f->value_len);
        text = apr_pstrcat(pool, text, f->name, ":", f->value, "\r\n", NULL);
    }
    text = apr_pstrcat(pool, text, "\r\n", NULL);
    s = scan(&wide, text, strlen(text), 1 << 20);
    FUZZ_ASSERT(s.rv == APR_SUCCESS && s.head_len == strlen(text));
    FUZZ_ASSERT(rp_h1_resp_parse(&again, pool, &wide, text, s.head_len) == APR_SUCCESS);
    FUZZ_ASSERT(same(r, &again));
}

static void check_framing(const rp_h1_resp_t *r, int head_request, int upgrade_asked)
{
    int te = 0;
    int cl = 0;
    rp_framing_t f;
    int i;

    rp_framing_decide(&f, r, head_request, upgrade_asked);
    for (i = 0; i < r->nfields; i++) {
        te += r->fields[i].id == RP_HDR_TRANSFER_ENCODING;
        cl += r->fields[i].id == RP_HDR_CONTENT_LENGTH;
    }
    FUZZ_ASSERT((f.kind == RP_FRAMING_REJECT) == (f.err != RP_FRAMING_OK));
    FUZZ_ASSERT(rp_framing_err_str(f.err)[0]);
    FUZZ_ASSERT(f.kind != RP_FRAMING_LENGTH || (cl && !te && f.length >= 0));
    FUZZ_ASSERT(f.kind != RP_FRAMING_CHUNKED || (te == 1 && !cl && r->minor == 1));
    FUZZ_ASSERT(f.kind != RP_FRAMING_CLOSE || (!te && !cl));
    FUZZ_ASSERT(f.kind != RP_FRAMING_TUNNEL || (r->status == 101 && upgrade_asked));
    FUZZ_ASSERT(!f.keepalive || r->minor == 1);
    FUZZ_ASSERT(!f.keepalive || f.kind <= RP_FRAMING_CHUNKED);
    FUZZ_ASSERT(f.keepalive_timeout_s >= -1);
}

/** Read a request head as a backend would: its lines behind the first, by the rules for responses.
 */
static void check_request(apr_pool_t *pool, const rp_req_head_t *h, const char *out, apr_size_t n)
{
    const char *lf = memchr(out, '\n', n);
    char *text;
    rp_h1_resp_t r;
    int framing = 0;
    int hosts = 0;
    int i;

    FUZZ_ASSERT(lf && n <= RP_REQ_HEAD_MAX);
    text =
        apr_pstrcat(pool, STATUS, apr_pstrmemdup(pool, lf + 1, n - (size_t)(lf + 1 - out)), NULL);
    FUZZ_ASSERT(scan(&wide, text, strlen(text), 1 << 20).head_len == strlen(text));
    FUZZ_ASSERT(rp_h1_resp_parse(&r, pool, &wide, text, strlen(text)) == APR_SUCCESS);
    for (i = 0; i < r.nfields; i++) {
        switch (r.fields[i].id) {
        case RP_HDR_CONTENT_LENGTH:
            FUZZ_ASSERT(h->framing == RP_REQ_LENGTH);
            FUZZ_ASSERT(strcmp(r.fields[i].value, apr_off_t_toa(pool, h->length)) == 0);
            framing++;
            break;
        case RP_HDR_TRANSFER_ENCODING:
            FUZZ_ASSERT(h->framing == RP_REQ_CHUNKED);
            framing++;
            break;
        case RP_HDR_HOST:
            FUZZ_ASSERT(i == 0);
            hosts++;
            break;
        default: break;
        }
    }
    FUZZ_ASSERT(framing == (h->framing != RP_REQ_NO_BODY));
    FUZZ_ASSERT(hosts == (h->host[0] != '\0'));
    FUZZ_ASSERT(r.nfields
                == h->nfields + hosts + framing + (h->expect_100 != 0)
                       + (h->conn != RP_REQ_CONN_NONE) + (h->conn == RP_REQ_CONN_UPGRADE));
}

/**
 * Write a request with the response's fields; the first three say method, target and host. What is
 * behind the head
 * ("name:value") is one more field, as raw as it comes.
 */
static void try_request(apr_pool_t *pool, const rp_h1_resp_t *r, const uint8_t *options,
                        const char *raw)
{
    const char *colon = strchr(raw, ':');
    rp_req_field_t *fields = apr_pcalloc(pool, sizeof(*fields) * (size_t)(r->nfields + 1));
    rp_req_head_t h;
    const char *out;
    apr_size_t n;
    rp_req_err_e err;
    int bad;
    int i;

    for (i = 0; i < r->nfields; i++) {
        fields[i].name = r->fields[i].name;
        fields[i].value = r->fields[i].value;
    }
    fields[i].name = colon ? apr_pstrmemdup(pool, raw, (size_t)(colon - raw)) : "";
    fields[i].value = colon ? colon + 1 : "";
    memset(&h, 0, sizeof(h));
    h.method = r->nfields > 0 ? r->fields[0].value : "GET";
    h.target = r->nfields > 1 ? r->fields[1].value : "/";
    h.host = r->nfields > 2 ? r->fields[2].value : "h";
    h.fields = fields;
    h.nfields = r->nfields + (colon != NULL);
    h.framing = (rp_req_framing_e)(options[2] % 3);
    h.conn = (rp_req_conn_e)(options[2] / 3 % 4);
    h.expect_100 = options[2] / 12 % 2;
    h.http10 = options[2] / 24 % 2;
    h.upgrade = r->nfields > 3 ? r->fields[3].value : NULL;
    h.length = (int8_t)options[3] * (apr_int64_t)1000003 * 1000003;
    if (rp_req_write(&h, pool, &out, &n, &err, &bad) == APR_SUCCESS) {
        FUZZ_ASSERT(err == RP_REQ_OK && bad == -1);
        check_request(pool, &h, out, n);
        return;
    }
    FUZZ_ASSERT(err != RP_REQ_OK && !out && rp_req_err_str(err)[0] && bad < h.nfields);
}

/** The Connection fields, and lists in general. */
static void try_lists(const rp_h1_resp_t *r)
{
    rp_conntok_t set;
    rp_slice_t m;
    int dropped;
    int i;

    memset(&set, 0, sizeof(set));
    for (i = 0; i < r->nfields; i++) {
        const rp_h1_field_t *f = &r->fields[i];
        const char *cursor = f->value;

        while (rp_list_next(&cursor, &m)) {
            FUZZ_ASSERT(m.n > 0 && m.p >= f->value && m.p + m.n <= f->value + f->value_len);
        }
        FUZZ_ASSERT(!rp_list_has_token(f->value, "close") || f->value_len >= 5);
        if (rp_conntok_add(&set, f->value) == APR_SUCCESS && set.n > 0) {
            FUZZ_ASSERT(rp_conntok_has(&set, set.tok[set.n - 1].p, set.tok[set.n - 1].n));
        }
        FUZZ_ASSERT(set.n <= RP_CONNTOK_MAX);
        dropped = rp_hdr_req_dropped((rp_hdr_e)f->id) + rp_hdr_resp_dropped((rp_hdr_e)f->id);
        FUZZ_ASSERT(!rp_hdr_trailer_ok(f->name, f->name_len) || !dropped);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    rp_h1_limits_t lim = { 8192, 65536, 100, RP_H1_BADLINE_ERROR };
    scanned_t whole;
    scanned_t pieces;
    rp_h1_resp_t r;
    const char *in;
    char *buf;
    size_t n;

    if (size < OPTIONS) {
        return 0;
    }
    in = (const char *)data + OPTIONS;
    n = size - OPTIONS;
    lim.badline = (rp_h1_badline_e)(data[0] % 4 % 3);
    if (data[0] & 16) {
        lim.max_line = 64;
        lim.max_head = 200;
        lim.max_fields = 3;
    }
    whole = scan(&lim, in, n, n + 1);
    pieces = scan(&lim, in, n, 1 + data[1] % 32);
    FUZZ_ASSERT(whole.rv == pieces.rv && whole.err == pieces.err
                && whole.head_len == pieces.head_len);
    if (whole.rv == APR_SUCCESS) {
        buf = fuzz_copy(in, whole.head_len);
        if (rp_h1_resp_parse(&r, pool, &lim, buf, whole.head_len) == APR_SUCCESS) {
            check_again(pool, &r);
            check_framing(&r, (data[0] & 4) != 0, (data[0] & 8) != 0);
            try_lists(&r);
            try_request(pool, &r, data,
                        apr_pstrmemdup(pool, in + whole.head_len, n - whole.head_len));
        }
        else {
            FUZZ_ASSERT(r.err != RP_H1_OK && r.err != RP_H1_EOF && r.err_pos < whole.head_len);
            FUZZ_ASSERT(rp_h1_err_str(r.err)[0]);
        }
        free(buf);
    }
    /* what no scan has seen must be as harmless */
    buf = fuzz_copy(in, n);
    if (rp_h1_resp_parse(&r, pool, &lim, buf, n) == APR_SUCCESS) {
        FUZZ_ASSERT(r.nfields <= lim.max_fields);
    }
    memcpy(buf, in, n);
    if (rp_h1_fields_parse(&r, pool, &lim, buf, n) != APR_SUCCESS) {
        FUZZ_ASSERT(r.err_pos <= n && rp_h1_err_str(r.err)[0]);
    }
    free(buf);
    return 0;
}
