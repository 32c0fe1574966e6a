/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an access log can say of a proxied request: notes (%{rproxy-member}n), made out of the attempt records when the request is
 * logged, and only in a server whose configuration names one of them somewhere or that has RProxyLogFields On. Other requests pay
 * for one look at a switch.
 */
#include "request/log_fields.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_protocol.h>
#include <util_cfgtree.h>

typedef const char *field_fn(apr_pool_t *p, const rp_request_t *rq, const rp_attempt_t *at, int n);

static int wanted; /* the configuration names a field; set before children start */

/* ---- fields; n attempts, at least one ---- */

static const char *member(apr_pool_t *p, const rp_request_t *rq, const rp_attempt_t *at, int n)
{
    (void)p, (void)rq;
    return at[n - 1].worker->name;
}

static const char *reason_of(const rp_attempt_t *at)
{
    return at->reason == RP_FAIL_NONE ? "ok" : rp_failure(at->reason)->name;
}

static const char *attempts(apr_pool_t *p, const rp_request_t *rq, const rp_attempt_t *at, int n)
{
    const char *list = "";

    (void)rq;
    for (int i = 0; i < n; i++) {
        list = apr_pstrcat(p, list, i ? "," : "", at[i].addr[0] ? at[i].addr : "-", "=", reason_of(&at[i]), NULL);
    }
    return list;
}

static const char *reason(apr_pool_t *p, const rp_request_t *rq, const rp_attempt_t *at, int n)
{
    (void)p, (void)rq;
    return reason_of(&at[n - 1]);
}

static const char *connection(apr_pool_t *p, const rp_request_t *rq, const rp_attempt_t *at, int n)
{
    (void)p, (void)rq;
    return at[n - 1].connected_us == 0 ? NULL : at[n - 1].reused ? "reused" : "fresh";
}

/* From one moment to a later one; NULL: one of them never came. */
static const char *between(apr_pool_t *p, apr_time_t from_us, apr_time_t to_us)
{
    if (from_us == 0 || to_us == 0) {
        return NULL;
    }
    return apr_psprintf(p, "%" APR_TIME_T_FMT, to_us > from_us ? to_us - from_us : 0);
}

static const char *wait_us(apr_pool_t *p, const rp_request_t *rq, const rp_attempt_t *at, int n)
{
    (void)rq;
    return between(p, at[n - 1].start_us, at[n - 1].taken_us);
}

static const char *connect_us(apr_pool_t *p, const rp_request_t *rq, const rp_attempt_t *at, int n)
{
    (void)rq;
    return at[n - 1].reused ? NULL : between(p, at[n - 1].taken_us, at[n - 1].connected_us);
}

static const char *first_byte_us(apr_pool_t *p, const rp_request_t *rq, const rp_attempt_t *at, int n)
{
    (void)rq;
    return between(p, at[n - 1].connected_us, at[n - 1].first_byte_us);
}

static const char *total_us(apr_pool_t *p, const rp_request_t *rq, const rp_attempt_t *at, int n)
{
    (void)rq;
    return between(p, at[0].start_us, at[n - 1].end_us);
}

static const char *source_port(apr_pool_t *p, const rp_request_t *rq, const rp_attempt_t *at, int n)
{
    (void)rq;
    return at[n - 1].local_port > 0 ? apr_itoa(p, at[n - 1].local_port) : NULL;
}

static const struct {
    const char *note;
    field_fn *value; /* NULL: the note is not set, and the log has "-" */
} fields[] = {
    {"rproxy-member", member},
    {"rproxy-attempts", attempts},
    {"rproxy-reason", reason},
    {"rproxy-connection", connection},
    {"rproxy-wait-us", wait_us},
    {"rproxy-connect-us", connect_us},
    {"rproxy-first-byte-us", first_byte_us},
    {"rproxy-total-us", total_us},
    {"proxy-source-port", source_port},
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))
#define LANE "rproxy-lane" /* of every request, proxied or not */

/* ---- when a request is logged ---- */

/* The request that was proxied: the one that is logged, or one that an internal redirect made of it. */
static const rp_request_t *proxied(const request_rec *r)
{
    const rp_request_t *rq = NULL;

    for (; r != NULL && rq == NULL; r = r->next) {
        rq = rp_mapping_attached(r);
    }
    return rq;
}

static void note_attempts(request_rec *r, request_rec *last)
{
    const rp_request_t *rq = proxied(r);
    const rp_attempt_t *at;
    int n = 0;

    if (rq == NULL || rq->ex == NULL || (at = rp_exchange_attempts(rq->ex, &n), n < 1)) {
        return;
    }
    for (size_t i = 0; i < FIELDS; i++) {
        const char *value = fields[i].value(r->pool, rq, at, n);

        if (value != NULL) {
            apr_table_setn(r->notes, fields[i].note, value);
            apr_table_setn(last->notes, fields[i].note, value);
        }
    }
}

static int log_transaction(request_rec *r)
{
    rp_switch_e asked = rp_server_conf(r->server)->log_fields;
    const char *lane = rp_lane_str(rp_engine_lane(r));
    request_rec *last = r;

    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r, "RP0314: this request took the lane \"%s\"", lane);
    if (asked == RP_UNSET ? !wanted : asked != RP_ON) {
        return DECLINED;
    }
    while (last->next != NULL) {
        last = last->next; /* the one whose notes %{...}n shows; %<{...}n shows those of the first */
    }
    apr_table_setn(r->notes, LANE, lane);
    apr_table_setn(last->notes, LANE, lane);
    note_attempts(r, last);
    return DECLINED;
}

/* ---- who asks for them ---- */

static int text_names_a_field(const char *text)
{
    if (strstr(text, LANE) != NULL) {
        return 1;
    }
    for (size_t i = 0; i < FIELDS; i++) {
        if (strstr(text, fields[i].note) != NULL) {
            return 1;
        }
    }
    return 0;
}

static int names_a_field(const ap_directive_t *node)
{
    for (; node != NULL; node = node->next) {
        if (node->args != NULL && text_names_a_field(node->args)) {
            return 1;
        }
        if (node->first_child != NULL && names_a_field(node->first_child)) {
            return 1;
        }
    }
    return 0;
}

static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)pconf, (void)plog, (void)ptemp, (void)s;
    wanted = names_a_field(ap_conftree);
    return OK;
}

void rp_log_fields_register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_log_transaction(log_transaction, NULL, NULL, APR_HOOK_REALLY_FIRST); /* before anybody writes */
}
