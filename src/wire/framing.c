/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file framing.c
 * Collect what the head says about the body, then decide once (RFC 9112 section 6.3).
 */
#include "wire/framing.h"

#include <string.h>

#include "wire/chars_int.h"
#include "wire/headers.h"

#define LENGTH_MAX APR_INT64_MAX
#define DIGITS_SAFE 18 /* so many never exceed LENGTH_MAX */

const char *rp_framing_err_str(rp_framing_err_e err)
{
    switch (err) {
    case RP_FRAMING_OK: return "ok";
    case RP_FRAMING_TE_AND_CL: return "transfer-encoding-and-content-length";
    case RP_FRAMING_CL_DIFFER: return "content-lengths-differ";
    case RP_FRAMING_CL_INVALID: return "content-length-invalid";
    case RP_FRAMING_TE_UNKNOWN: return "transfer-encoding-unknown";
    case RP_FRAMING_TE_HTTP10: return "transfer-encoding-in-http-1.0";
    case RP_FRAMING_TE_FORBIDDEN: return "transfer-encoding-forbidden";
    case RP_FRAMING_101_UNASKED: return "101-unasked";
    default: return "unknown";
    }
}

apr_status_t rp_content_length_parse(const char *s, apr_size_t n, apr_int64_t *out)
{
    apr_int64_t v = 0;
    apr_size_t i;

    *out = -1;
    for (i = 0; i < n; i++) {
        int digit = s[i] - '0';

        if (!rp_ch_is(s[i], RP_CH_DIGIT)
            || (i >= DIGITS_SAFE && v > (LENGTH_MAX - digit) / 10)) {
            return APR_EINVAL;
        }
        v = v * 10 + digit;
    }
    if (n == 0) {
        return APR_EINVAL;
    }
    *out = v;
    return APR_SUCCESS;
}

/** What the fields say, before anything is decided. */
typedef struct facts_t {
    apr_int64_t length;      /* of the first Content-Length, or -1 */
    rp_framing_err_e cl_err; /* what is wrong with the Content-Lengths */
    int te;                  /* number of Transfer-Encoding fields */
    int te_chunked;          /* how many of them are exactly "chunked" */
    int close;               /* Connection: close, or a Connection header we do not understand */
    apr_int32_t timeout_s;   /* Keep-Alive: timeout=, the smallest, or -1 */
} facts_t;

/** One Content-Length. */
static void length_add(facts_t *facts, apr_int64_t v)
{
    if (facts->length >= 0 && facts->length != v && facts->cl_err == RP_FRAMING_OK) {
        facts->cl_err = RP_FRAMING_CL_DIFFER;
    }
    facts->length = v;
}

/**
 * A Content-Length that is no plain number. A list of equal numbers is what a merging recipient
 * makes of equal fields (RFC 9112 6.3 rule 5), so it counts as one; an empty member is not
 * tolerated.
 */
static void length_list(facts_t *facts, const char *p)
{
    for (;;) {
        apr_size_t n;
        apr_int64_t v;

        p += strspn(p, " \t");
        n = strspn(p, "0123456789");
        if (rp_content_length_parse(p, n, &v) != APR_SUCCESS) {
            break;
        }
        length_add(facts, v);
        p += n;
        p += strspn(p, " \t");
        if (*p == '\0') {
            return;
        }
        if (*p++ != ',') {
            break;
        }
    }
    facts->cl_err = RP_FRAMING_CL_INVALID;
}

static void length_fact(facts_t *facts, const rp_h1_field_t *f)
{
    apr_int64_t v;

    if (rp_content_length_parse(f->value, f->value_len, &v) == APR_SUCCESS) {
        length_add(facts, v);
    }
    else {
        length_list(facts, f->value);
    }
}

/** `Keep-Alive: timeout=5, max=100`; what cannot be read is no promise and is left out. */
static void timeout_fact(facts_t *facts, const char *value)
{
    static const char key[] = "timeout=";
    const apr_size_t key_len = sizeof(key) - 1;
    rp_slice_t m;

    while (rp_list_next(&value, &m)) {
        apr_int64_t v;

        if (m.n > key_len && rp_ch_equal(m.p, key, key_len)
            && rp_content_length_parse(m.p + key_len, m.n - key_len, &v) == APR_SUCCESS) {
            apr_int32_t s = v > APR_INT32_MAX ? APR_INT32_MAX : (apr_int32_t)v;

            if (facts->timeout_s < 0 || s < facts->timeout_s) {
                facts->timeout_s = s;
            }
        }
    }
}

static void facts_collect(facts_t *facts, const rp_h1_resp_t *resp)
{
    rp_conntok_t tokens;
    int i;

    rp_conntok_init(&tokens);
    for (i = 0; i < resp->nfields; i++) {
        const rp_h1_field_t *f = &resp->fields[i];

        switch (f->id) {
        case RP_HDR_CONTENT_LENGTH: length_fact(facts, f); break;
        case RP_HDR_TRANSFER_ENCODING:
            facts->te++;
            facts->te_chunked += f->value_len == 7 && rp_ch_equal(f->value, "chunked", 7);
            break;
        case RP_HDR_CONNECTION:
            if (rp_conntok_add(&tokens, f->value) != APR_SUCCESS) {
                facts->close = 1;
            }
            break;
        case RP_HDR_KEEP_ALIVE: timeout_fact(facts, f->value); break;
        default: break;
        }
    }
    facts->close |= tokens.close;
}

/** What forbids this message, in the order of how it would be misread. */
static rp_framing_err_e error_find(const facts_t *facts, const rp_h1_resp_t *resp,
                                   int upgrade_asked)
{
    if (facts->te) {
        if (resp->minor == 0) {
            return RP_FRAMING_TE_HTTP10; /* RFC 9112 6.1: the message is faulty */
        }
        if (resp->status < 200 || resp->status == 204) {
            return RP_FRAMING_TE_FORBIDDEN;
        }
        if (facts->length >= 0 || facts->cl_err != RP_FRAMING_OK) {
            return RP_FRAMING_TE_AND_CL;
        }
        if (facts->te != 1 || facts->te_chunked != 1) {
            return RP_FRAMING_TE_UNKNOWN;
        }
    }
    if (facts->cl_err != RP_FRAMING_OK) {
        return facts->cl_err;
    }
    return resp->status == 101 && !upgrade_asked ? RP_FRAMING_101_UNASKED : RP_FRAMING_OK;
}

void rp_framing_decide(rp_framing_t *out, const rp_h1_resp_t *resp, int head_request,
                       int upgrade_asked)
{
    facts_t facts = { -1, RP_FRAMING_OK, 0, 0, 0, -1 };
    int bodiless = resp->status < 200 || resp->status == 204;

    facts_collect(&facts, resp);
    out->length = -1;
    out->keepalive = 0;
    out->keepalive_timeout_s = facts.timeout_s;
    out->err = error_find(&facts, resp, upgrade_asked);
    if (out->err != RP_FRAMING_OK) {
        out->kind = RP_FRAMING_REJECT;
        return;
    }
    out->length = facts.length;
    if (resp->status == 101) {
        out->kind = RP_FRAMING_TUNNEL;
    }
    else if (bodiless || head_request || resp->status == 304) {
        out->kind = RP_FRAMING_NONE;
    }
    else if (facts.te) {
        out->kind = RP_FRAMING_CHUNKED;
    }
    else {
        out->kind = facts.length >= 0 ? RP_FRAMING_LENGTH : RP_FRAMING_CLOSE;
    }
    /* A 204 that announces a body may well send it: those bytes must not become the next response.
     */
    out->keepalive = resp->minor > 0 && !facts.close && out->kind != RP_FRAMING_TUNNEL
                     && out->kind != RP_FRAMING_CLOSE && !(bodiless && facts.length > 0);
}
