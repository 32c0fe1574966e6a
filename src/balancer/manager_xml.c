/* SPDX-License-Identifier: Apache-2.0 */
/* The manager for programs: ?xml=1. */
#include "balancer/manager_page.h"

static void element(rp_text_t *t, const char *name, const char *text)
{
    rp_text_addf(t, "          <httpd:%s>", name);
    rp_text_esc(t, text);
    rp_text_addf(t, "</httpd:%s>\n", name);
}

static void number(rp_text_t *t, const char *name, apr_int64_t n)
{
    rp_text_addf(t, "          <httpd:%s>%" APR_INT64_T_FMT "</httpd:%s>\n", name, n, name);
}

static void optional(rp_text_t *t, const char *name, int written, apr_int64_t n)
{
    if (written) {
        number(t, name, n);
    }
}

static const char *field_text(const rp_show_value_t *fields, rp_field_e id)
{
    return fields[id].value.text ? fields[id].value.text : "";
}

static void worker_params(rp_text_t *t, const rp_worker_params_t *p)
{
    number(t, "min", p->min > 0 ? p->min : 0);
    number(t, "smax", p->smax >= 0 ? p->smax : p->max);
    number(t, "max", p->max > 0 ? p->max : 0);
    number(t, "ttl", p->ttl_s > 0 ? p->ttl_s : 0);
    optional(t, "timeout", p->timeout_us > 0, apr_time_sec(p->timeout_us));
    optional(t, "acquire", p->acquire_us > 0, apr_time_as_msec(p->acquire_us));
    optional(t, "recv_buffer_size", p->receivebuffersize > 0, p->receivebuffersize);
    optional(t, "io_buffer_size", p->iobuffersize > 0, p->iobuffersize);
    if (p->keepalive != RP_UNSET) {
        element(t, "keepalive", p->keepalive == RP_ON ? "On" : "Off");
    }
}

static void worker(rp_text_t *t, const rp_show_member_t *m, apr_time_t now)
{
    const rp_worker_params_t *p = m->params;
    apr_int64_t factor = m->fields[RP_FIELD_LOADFACTOR].value.number;

    rp_text_add(t, "        <httpd:worker>\n");
    element(t, "name", m->url);
    element(t, "scheme", m->scheme);
    element(t, "hostname", m->uds ? m->uds : m->host);
    rp_text_addf(t, "          <httpd:loadfactor>%d.%02d</httpd:loadfactor>\n", (int)(factor / 100),
                 (int)(factor % 100));
    number(t, "port", m->port);
    if (p != NULL) {
        worker_params(t, p);
    }
    element(t, "status", m->status_text);
    if (m->error_age_us >= 0) {
        char date[APR_RFC822_DATE_LEN];
        apr_rfc822_date(date, now - m->error_age_us);
        element(t, "error_time", date);
    }
    number(t, "retries", m->retries);
    number(t, "lbstatus", m->lbstatus);
    number(t, "transferred", (apr_int64_t)m->sent);
    number(t, "read", (apr_int64_t)m->received);
    number(t, "elected", (apr_int64_t)m->elected);
    element(t, "route", field_text(m->fields, RP_FIELD_ROUTE));
    element(t, "redirect", field_text(m->fields, RP_FIELD_REDIRECT));
    number(t, "busy", m->busy);
    number(t, "lbset", m->fields[RP_FIELD_LBSET].value.number);
    if (p != NULL) {
        optional(t, "connectiontimeout", p->connecttimeout_us > 0, apr_time_as_msec(p->connecttimeout_us));
        optional(t, "retry", p->retry_s >= 0, p->retry_s);
        if (p->reuse == RP_OFF) {
            element(t, "disablereuse", "On");
        }
    }
    rp_text_add(t, "        </httpd:worker>\n");
}

static void balancer(rp_text_t *t, const rp_show_balancer_t *b, apr_time_t now)
{
    const char *sticky = field_text(b->fields, RP_FIELD_STICKYSESSION);
    int i;

    rp_text_add(t, "    <httpd:balancer>\n");
    element(t, "name", b->full_name);
    element(t, "nonce", b->nonce);
    if (*sticky) {
        element(t, "stickysession", sticky);
        if (b->fields[RP_FIELD_NOFAILOVER].value.number) {
            element(t, "nofailover", "On");
        }
    }
    number(t, "timeout", b->fields[RP_FIELD_TIMEOUT].value.number);
    if (b->fields[RP_FIELD_MAXATTEMPTS].known && b->fields[RP_FIELD_MAXATTEMPTS].value.number >= 0) {
        number(t, "maxattempts", b->fields[RP_FIELD_MAXATTEMPTS].value.number);
    }
    element(t, "lbmethod", field_text(b->fields, RP_FIELD_LBMETHOD));
    if (b->scolonpathdelim) {
        element(t, "scolonpathdelim", "On");
    }
    rp_text_add(t, "      <httpd:workers>\n");
    for (i = 0; i < b->nmembers; i++) {
        worker(t, &b->members[i], now);
    }
    rp_text_add(t, "      </httpd:workers>\n    </httpd:balancer>\n");
}

const char *rp_page_xml(apr_pool_t *pool, const rp_show_t *show)
{
    rp_text_t *t = rp_text_make(pool);
    int i;

    rp_text_add(t,
                "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<httpd:manager xmlns:httpd=\"http://httpd.apache.org\">\n"
                "  <httpd:balancers>\n");
    for (i = 0; i < show->nbalancers; i++) {
        balancer(t, &show->balancers[i], show->now);
    }
    rp_text_add(t, "  </httpd:balancers>\n</httpd:manager>\n");
    return t->bytes;
}
