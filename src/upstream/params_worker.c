/* SPDX-License-Identifier: Apache-2.0 */
/* The parameters of a worker, one row each. */
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "upstream/params_int.h"

#define W(member) offsetof(rp_worker_params_t, member)

static const char *const flush_words[] = {"off", "on", "auto", NULL};
static const char *const hcmethod_words[] = {"NONE", "TCP",       "OPTIONS", "HEAD", "GET",
                                             "OPTIONS11", "HEAD11", "GET11",  NULL};
static const char *const hcinit_words[] = {"up", "down", "check", NULL};

/* A row up to what is written out. Times end where a number of seconds does. */
#define ROW(k, knd, member, lo, hi) \
    .key = (k), .kind = RP_PARAM_##knd, .offset = W(member), .min = (lo), .max = (hi)
#define TIME(k, member, lo, unit_us) \
    ROW(k, TIME, member, lo, (apr_int64_t)INT_MAX * RP_SEC_US), .unit = (unit_us)

static const rp_param_row_t rows[] = {
    {ROW("loadfactor", DECIMAL_X100, loadfactor_x100, 100, 10000), .example = "1.5", .dflt = "1.0",
     .help = "Weight of a balancer member: one with 2 gets twice the share of one with 1."},
    {ROW("retry", SECONDS, retry_s, 0, INT_MAX), .example = "60", .dflt = "60",
     .help = "How long a balancer member in error is left alone before a request tries it again; "
             "0: at once."},
    {TIME("timeout", timeout_us, RP_MSEC_US, RP_SEC_US), .example = "60",
     .dflt = "ProxyTimeout, else Timeout",
     .help = "How long one read from or write to the backend may take."},
    {TIME("connectiontimeout", connecttimeout_us, RP_MSEC_US, RP_SEC_US), .example = "500ms",
     .dflt = "timeout, else ProxyTimeout, else Timeout",
     .help = "How long connecting may take, for each address of the backend."},
    {TIME("ping", ping_us, RP_MSEC_US, RP_SEC_US), .example = "5", .dflt = "off",
     .help = "Requests with a body are sent with Expect: 100-continue, and this is how long the "
             "first answer is waited for."},
    {TIME("failoverafter", failoverafter_us, RP_MSEC_US, RP_SEC_US), .example = "2", .dflt = "off",
     .help = "How long this member of a balancer may take to begin its answer to an idempotent "
             "request before another member gets it; timeout holds when there is no other."},
    {ROW("ttl", SECONDS, ttl_s, 1, INT_MAX), .example = "60", .dflt = "no limit",
     .help = "An idle connection older than this is not used again, and closed."},
    {ROW("min", INT, min, 0, INT_MAX), .example = "5", .dflt = "0",
     .help = "That many idle connections of a backend are not closed for their age or by smax; "
             "ttl still decides whether one is used."},
    {ROW("smax", INT, smax, 0, INT_MAX), .example = "20", .dflt = "max",
     .help = "Idle connections of a backend above this number are closed: at once without ttl, "
             "otherwise when older than ttl."},
    {ROW("max", INT, max, 0, INT_MAX), .example = "100", .dflt = "0 (no limit)",
     .help = "Connections to this destination, busy and idle, in each child process; further "
             "requests wait (acquire)."},
    {TIME("acquire", acquire_us, RP_MSEC_US, RP_MSEC_US), .example = "500ms",
     .dflt = "the I/O timeout",
     .help = "How long a request waits when max connections are in use; then it is answered with "
             "503."},
    {ROW("keepalive", SWITCH, keepalive, 0, 0), .example = "On", .dflt = "Off",
     .help = "SO_KEEPALIVE on connections to the backend, for firewalls that drop silent ones."},
    {ROW("disablereuse", SWITCH_INVERTED, reuse, 0, 0), .example = "On", .dflt = "Off",
     .help = "On: every connection is closed after one request."},
    {ROW("enablereuse", SWITCH, reuse, 0, 0), .example = "On", .dflt = "On",
     .help = "The opposite of disablereuse; the one written last counts."},
    {ROW("addressttl", SECONDS, addressttl_s, -1, INT_MAX), .example = "300",
     .dflt = "-1 (for the life of the process)",
     .help = "How long the addresses of a name are believed; connections to addresses that it has "
             "lost are not used again. 0: every request looks the name up and connects."},
    {ROW("flushpackets", ENUM, flushpackets, 0, 0), .words = flush_words, .example = "auto",
     .dflt = "off",
     .help = "Without effect for HTTP, where nothing is held back."},
    {ROW("flushwait", INT, flushwait_ms, 0, 1000), .example = "10", .dflt = "10",
     .help = "Without effect for HTTP."},
    {ROW("iobuffersize", SIZE, iobuffersize, 512, INT_MAX), .zero_means = 8192, .example = "8192",
     .dflt = "8192",
     .help = "Without effect for HTTP."},
    {ROW("receivebuffersize", SIZE, receivebuffersize, 512, INT_MAX), .zero_means = 0,
     .example = "65536", .dflt = "0 (the system's)",
     .help = "Receive buffer (SO_RCVBUF) of connections to the backend, in bytes."},
    {ROW("responsefieldsize", SIZE, responsefieldsize, 1, INT_MAX), .zero_means = 8192,
     .example = "16384", .dflt = "8192",
     .help = "Longest status line or header line accepted from the backend, in bytes."},
    {ROW("route", STRING, route, 0, RP_ROUTE_MAX), .example = "node1", .dflt = "none",
     .help = "Name of a balancer member in session identifiers (sticky sessions)."},
    {ROW("redirect", STRING, redirect, 0, RP_ROUTE_MAX), .example = "node2", .dflt = "none",
     .help = "Route whose member takes the sessions of this one while it can not be used."},
    {ROW("status", STATUS, status_set, 0, 0), .example = "+H", .dflt = "none",
     .help = "Flags of a balancer member that the configuration sets (+) or clears (-): D "
             "disabled, S stopped, I errors ignored, H hot standby, R hot spare, E in error, N "
             "draining, C health check failed."},
    {ROW("lbset", INT, lbset, 0, RP_LBSET_MAX), .example = "1", .dflt = "0",
     .help = "Members of a higher set are used when no member of a lower one can be."},
    {ROW("upgrade", PROTOCOLS, upgrade, 1, 255), .example = "websocket",
     .dflt = "none (websocket for ws: and wss:)",
     .help = "Protocols that a client may upgrade to: names with commas between them, ANY or *, "
             "or NONE."},
    {ROW("flusher", STRING, flusher, 0, 15), .example = "flush", .dflt = "flush",
     .help = "Without effect for HTTP."},
    {ROW("secret", STRING, secret, 0, 63), .example = "s3cret", .dflt = "none",
     .help = "Without effect for HTTP."},
    {ROW("hcmethod", WORD, hcmethod, 0, 0), .words = hcmethod_words, .example = "GET",
     .dflt = "NONE; TCP with hctemplate",
     .help = "How the health of a balancer member is checked: TCP connects, the others send that "
             "request, those with 11 as HTTP/1.1."},
    {ROW("hcuri", STRING, hcuri, 0, 63), .example = "/health", .dflt = "none",
     .help = "Path that a health check with GET or HEAD asks for, behind the member's own path."},
    {ROW("hchost", STRING, hchost, 1, RP_HCHOST_MAX), .example = "www.example.com",
     .dflt = "host and port of the member",
     .help = "Host that a health check asks for; with TLS also the name that the member's "
             "certificate must have."},
    {TIME("hcinterval", hcinterval_us, 100 * RP_MSEC_US, RP_SEC_US), .example = "30", .dflt = "30",
     .help = "Time from the begin of a health check to that of the next one."},
    {TIME("hctimeout", hctimeout_us, RP_MSEC_US, RP_SEC_US), .example = "2",
     .dflt = "hcinterval, but at least 5 s, and at most the I/O timeout",
     .help = "How long a health check may take in all, from connecting to the end of the answer."},
    {ROW("hcpasses", INT, hcpasses, 0, INT_MAX), .example = "2", .dflt = "1",
     .help = "Good checks in a row after which a member is used again; 0 is 1."},
    {ROW("hcfails", INT, hcfails, 0, INT_MAX), .example = "3", .dflt = "1",
     .help = "Bad checks in a row after which a member is not used any more; 0 is 1."},
    {ROW("hcinit", WORD, hcinit, 0, 0), .words = hcinit_words, .example = "check", .dflt = "up",
     .help = "What a member is before its first check: up used; down not used until hcpasses good "
             "checks; check not used until the first check, which decides alone."},
    {ROW("hctemplate", STRING, hctemplate, 1, 63), .example = "tcp5", .dflt = "none",
     .help = "Name of a ProxyHCTemplate whose settings hold where the member has none of its "
             "own."},
    {ROW("hcexpr", STRING, hcexpr, 0, 15), .example = "ok234", .dflt = "none",
     .help = "Name of a ProxyHCExpr that decides whether an answer is good, instead of its "
             "status being 200 to 399."},
};

const rp_param_table_t rp_worker_param_table = {"worker", rows,
                                                (int)(sizeof(rows) / sizeof(rows[0])), W(written)};
_Static_assert(sizeof(rows) / sizeof(rows[0]) <= 64, "one bit of `written` a row");

const rp_param_row_t *rp_worker_param_rows(int *n)
{
    *n = rp_worker_param_table.nrows;
    return rows;
}

void rp_worker_params_init(rp_worker_params_t *p)
{
    memset(p, 0, sizeof(*p));
    p->loadfactor_x100 = p->retry_s = p->ttl_s = p->min = p->smax = p->max = p->addressttl_s = -1;
    p->flushpackets = p->flushwait_ms = p->lbset = p->hcpasses = p->hcfails = -1;
    p->timeout_us = p->connecttimeout_us = p->ping_us = p->acquire_us = p->failoverafter_us = -1;
    p->hcinterval_us = p->hctimeout_us = -1;
    p->iobuffersize = p->receivebuffersize = p->responsefieldsize = -1;
    p->keepalive = p->reuse = RP_UNSET;
}

static void dflt_int(int *member, int value)
{
    if (*member < 0) {
        *member = value;
    }
}

static void dflt_str(const char **member, const char *value)
{
    if (*member == NULL) {
        *member = value;
    }
}

void rp_worker_params_defaults(rp_worker_params_t *p)
{
    dflt_int(&p->loadfactor_x100, 100);
    dflt_int(&p->retry_s, 60);
    dflt_int(&p->min, 0);
    dflt_int(&p->max, 0);
    dflt_int(&p->flushpackets, 0);
    dflt_int(&p->flushwait_ms, 10);
    dflt_int(&p->lbset, 0);
    dflt_int(&p->hcpasses, 1);
    dflt_int(&p->hcfails, 1);
    dflt_str(&p->flusher, "flush");
    dflt_str(&p->hcmethod, "NONE");
    dflt_str(&p->hcinit, "up");
    p->keepalive = p->keepalive == RP_UNSET ? RP_OFF : p->keepalive;
    p->iobuffersize = p->iobuffersize < 0 ? 8192 : p->iobuffersize;
    p->receivebuffersize = p->receivebuffersize < 0 ? 0 : p->receivebuffersize;
    p->responsefieldsize = p->responsefieldsize < 0 ? 8192 : p->responsefieldsize;
    p->hcinterval_us =
        p->hcinterval_us < 0 ? 30 * (apr_interval_time_t)RP_SEC_US : p->hcinterval_us;
}

const char *rp_worker_param_set(apr_pool_t *pool, rp_worker_params_t *p, const char *key,
                                const char *value)
{
    return rp_param_set(pool, &rp_worker_param_table, &rp_balancer_param_table, p, key, value);
}

void rp_worker_params_merge(rp_worker_params_t *base, const rp_worker_params_t *add)
{
    rp_param_merge(&rp_worker_param_table, base, add);
}
