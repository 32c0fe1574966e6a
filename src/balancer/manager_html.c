/* SPDX-License-Identifier: Apache-2.0 */
/* The manager's page: everything but its forms. The headings of the tables and their first columns are those that
 * scripts look for. */
#include <apr_strings.h>
#include <string.h>

#include "balancer/manager_page.h"

#define EVENTS_SHOWN 30 /* the API has more */
#define PATHS_SHOWN 20  /* of a balancer; the same */

static const char style[] =
    "<style>\n"
    ":root{color-scheme:light}\n"
    "body{font:16px/1.45 system-ui,sans-serif;margin:0;padding:1rem 1.5rem 3rem;color:#1b1f24;background:#fff}\n"
    "h1{font-size:1.5rem;margin:.2rem 0}h2,h3{font-size:1.15rem;margin:1.6rem 0 .4rem}dl{margin:0}\n"
    "a{color:#0b57a4}a:focus-visible,input:focus-visible,select:focus-visible,button:focus-visible,summary:focus-"
    "visible"
    "{outline:3px solid #b45309;outline-offset:2px}\n"
    ".skip{position:absolute;left:-100rem}.skip:focus{left:1rem;background:#fff;padding:.3rem}\n"
    /* a shadow at the side where more of the table is */
    ".wide{overflow-x:auto;background:linear-gradient(90deg,#fff 30%,#fff0) left/3rem 100% no-repeat local,"
    "linear-gradient(270deg,#fff 30%,#fff0) right/3rem 100% no-repeat local,"
    "linear-gradient(90deg,#0004,#0000) left/.8rem 100% no-repeat scroll,"
    "linear-gradient(270deg,#0004,#0000) right/.8rem 100% no-repeat scroll}\n"
    ".wide:focus-visible{outline:3px solid #b45309}table{border-collapse:collapse;margin:.3rem 0 1rem;font-size:.92rem}\n"
    "caption{text-align:left;color:#3d444d;padding:.2rem 0}\n"
    "th,td{border:1px solid #8c959f;padding:.25rem "
    ".5rem;text-align:left;vertical-align:top;font-variant-numeric:tabular-nums}\n"
    "th{background:#eef1f4}td.n{text-align:right;white-space:nowrap}td.what{min-width:11rem}tr.chosen td{background:#fff6d6}\n"
    ".state{font-weight:600}.good{color:#10602b}.warn{color:#7a4300}.bad{color:#a40e26}\n"
    ".small{font-size:.85rem;color:#3d444d}\n"
    ".note{border-left:.4rem solid #10602b;background:#eaf6ee;padding:.5rem .8rem;margin:.6rem 0}\n"
    ".note.wrong{border-color:#a40e26;background:#fdecee}\n"
    "form{border:1px solid #8c959f;padding:.6rem 1rem 1rem;margin:.6rem 0;max-width:60rem;background:#f7f8fa}\n"
    "fieldset{border:1px solid #8c959f;margin:.6rem 0;padding:.4rem .8rem}legend{font-weight:600}\n"
    ".field{display:grid;grid-template-columns:12rem 16rem 1fr;gap:.2rem .8rem;align-items:baseline;padding:.2rem 0}\n"
    "input,select,button{font:inherit;padding:.25rem .4rem;border:1px solid "
    "#57606a;border-radius:.2rem;background:#fff;color:inherit}\n"
    "button{background:#0b57a4;color:#fff;border-color:#0b57a4;padding:.35rem "
    ".9rem;cursor:pointer}button.danger{background:#a40e26;"
    "border-color:#a40e26}\n"
    ".chart{vertical-align:middle}.chart .req{fill:#3b7dc4}.chart .err{fill:#a40e26}.chart line{stroke:#57606a}\n"
    "@media(max-width:50rem){.field{grid-template-columns:1fr}}\n"
    "</style>\n";

/* "?b=..&w=..&nonce=.." */
static void link_to(rp_text_t *t, const rp_page_t *page, const rp_show_balancer_t *b, const rp_show_member_t *m)
{
    rp_text_esc(t, page->self);
    rp_text_add(t, "?b=");
    rp_text_query(t, b->name);
    if (m != NULL) {
        rp_text_add(t, "&amp;w=");
        rp_text_query(t, m->url);
    }
    rp_text_add(t, "&amp;nonce=");
    rp_text_query(t, b->nonce);
}

static const char *value_text(apr_pool_t *pool, const rp_show_value_t *fields, rp_field_e id)
{
    return fields[id].known ? rp_field_str(pool, rp_field_row(id), &fields[id].value) : "";
}

/* A cell; a value that the configuration does not say has a star, and words for it. */
static void cell(rp_text_t *t, const rp_show_value_t *fields, rp_field_e id, const char *text)
{
    rp_text_add(t, "<td>");
    rp_text_esc(t, text);
    if (fields[id].known && fields[id].origin != RP_SHOW_CONFIGURATION) {
        rp_text_addf(t, " <abbr title=\"%s\">*</abbr>", rp_show_origin_str(fields[id].origin));
    }
    rp_text_add(t, "</td>");
}

static void size_cell(rp_text_t *t, apr_uint64_t n)
{
    char buf[5];

    rp_text_addf(t, "<td class=\"n\">%s</td>", apr_strfsize((apr_off_t)(n & APR_UINT64_C(0x7fffffffffffffff)), buf));
}

static void number_cell(rp_text_t *t, apr_uint64_t n)
{
    rp_text_addf(t, "<td class=\"n\">%" APR_UINT64_T_FMT "</td>", n);
}

static void date(rp_text_t *t, apr_time_t at)
{
    apr_time_exp_t e;

    if (apr_time_exp_gmt(&e, at) == APR_SUCCESS) {
        rp_text_addf(t, "<time datetime=\"%04d-%02d-%02dT%02d:%02d:%02dZ\">%04d-%02d-%02d %02d:%02d:%02d UTC</time>",
                     e.tm_year + 1900, e.tm_mon + 1, e.tm_mday, e.tm_hour, e.tm_min, e.tm_sec, e.tm_year + 1900,
                     e.tm_mon + 1, e.tm_mday, e.tm_hour, e.tm_min, e.tm_sec);
    }
}

/* ---- balancers ---- */

/* The paths that lead to it, and how many of its members could take a request. */
static void use_cells(rp_text_t *t, const rp_show_balancer_t *b)
{
    int i, n = b->paths != NULL ? b->paths->nelts : 0, shown = n < PATHS_SHOWN ? n : PATHS_SHOWN;

    rp_text_add(t, n > 0 ? "<td>" : "<td>(None)");
    for (i = 0; i < shown; i++) {
        rp_text_add(t, i > 0 ? "<br>" : "");
        rp_text_esc(t, APR_ARRAY_IDX(b->paths, i, const char *));
    }
    if (n > shown) {
        rp_text_addf(t, "<br><span class=\"small\">and %d more</span>", n - shown);
    }
    rp_text_addf(t, "</td><td><span class=\"state %s\">%d of %d</span></td>",
                 b->usable == 0 ? "bad" : b->usable < b->nmembers ? "warn" : "good", b->usable, b->nmembers);
}

static void balancer_table(rp_text_t *t, const rp_show_balancer_t *b)
{
    const char *sticky = value_text(t->pool, b->fields, RP_FIELD_STICKYSESSION), *bar = strchr(sticky, '|');

    rp_text_add(
        t, "<div class=\"wide\"><table><caption>Settings</caption>\n<tr><th scope=\"col\">MaxMembers</th>"
           "<th scope=\"col\">StickySession</th><th scope=\"col\">DisableFailover</th><th scope=\"col\">Timeout</th>"
           "<th scope=\"col\">FailoverAttempts</th><th scope=\"col\">Method</th>"
           "<th scope=\"col\">Path</th><th scope=\"col\">Usable</th><th scope=\"col\">Unanswered</th></tr>\n<tr>");
    rp_text_addf(t, "<td>%d [%d Used]</td>", b->nslots, b->nused);
    cell(t, b->fields, RP_FIELD_STICKYSESSION,
         *sticky == '\0' ? "(None)"
         : bar != NULL   ? apr_psprintf(t->pool, "%.*s | %s", (int)(bar - sticky), sticky, bar + 1)
                         : sticky);
    cell(t, b->fields, RP_FIELD_NOFAILOVER, b->fields[RP_FIELD_NOFAILOVER].value.number ? "On" : "Off");
    cell(t, b->fields, RP_FIELD_TIMEOUT, value_text(t->pool, b->fields, RP_FIELD_TIMEOUT));
    cell(t, b->fields, RP_FIELD_MAXATTEMPTS,
         b->fields[RP_FIELD_MAXATTEMPTS].value.number < 0 ? "(members less one)"
                                                          : value_text(t->pool, b->fields, RP_FIELD_MAXATTEMPTS));
    cell(t, b->fields, RP_FIELD_LBMETHOD, value_text(t->pool, b->fields, RP_FIELD_LBMETHOD));
    use_cells(t, b);
    number_cell(t, b->unanswered);
    rp_text_add(t, "</tr></table></div>\n");
}

static const char *state_class(const rp_show_member_t *m)
{
    const char *word = rp_state_word(m->status);

    return strcmp(word, "usable") == 0 ? "good"
           : m->status & (RP_ST_IN_ERROR | RP_ST_HC_FAIL) ? "bad" : "warn";
}

static void state_cell(rp_text_t *t, const rp_show_member_t *m)
{
    rp_text_esc(t, m->status_text);
    rp_text_addf(t, "<br><span class=\"state %s\">%s</span>", state_class(m),
                 m->leaving ? "leaving" : rp_state_word(m->status));
    if (m->error_age_us >= 0 && (m->status & RP_ST_IN_ERROR)) {
        rp_text_addf(t, " <span class=\"small\">for %" APR_TIME_T_FMT " s: ", apr_time_sec(m->error_age_us));
        rp_text_esc(t, m->error_why);
        rp_text_add(t, "</span>");
    }
    if (m->drain_left_us >= 0) {
        rp_text_addf(t, " <span class=\"small\">drains for %" APR_TIME_T_FMT " s more</span>",
                     apr_time_sec(m->drain_left_us));
    }
    if (m->changed_at > 0) {
        rp_text_add(t, "<br><span class=\"small\">changed ");
        date(t, m->changed_at);
        rp_text_add(t, ": ");
        rp_text_esc(t, m->changed_why);
        rp_text_add(t, "</span>");
    }
}

static void health_cells(rp_text_t *t, const rp_show_member_t *m)
{
    const rp_show_value_t *f = m->fields;

    cell(t, f, RP_FIELD_HCMETHOD, value_text(t->pool, f, RP_FIELD_HCMETHOD));
    cell(t, f, RP_FIELD_HCINTERVAL, apr_psprintf(t->pool, "%sms", value_text(t->pool, f, RP_FIELD_HCINTERVAL)));
    cell(t, f, RP_FIELD_HCTIMEOUT,
         f[RP_FIELD_HCTIMEOUT].value.number > 0 ? apr_psprintf(t->pool, "%sms", value_text(t->pool, f, RP_FIELD_HCTIMEOUT)) : "-");
    cell(t, f, RP_FIELD_HCPASSES,
         apr_psprintf(t->pool, "%s (%u)", value_text(t->pool, f, RP_FIELD_HCPASSES), m->check_passes));
    cell(t, f, RP_FIELD_HCFAILS,
         apr_psprintf(t->pool, "%s (%u)", value_text(t->pool, f, RP_FIELD_HCFAILS), m->check_fails));
    cell(t, f, RP_FIELD_HCURI, value_text(t->pool, f, RP_FIELD_HCURI));
    cell(t, f, RP_FIELD_HCHOST, value_text(t->pool, f, RP_FIELD_HCHOST));
    cell(t, f, RP_FIELD_HCEXPR, value_text(t->pool, f, RP_FIELD_HCEXPR));
}

static void traffic_cells(rp_text_t *t, const rp_show_t *show, const rp_show_member_t *m)
{
    rp_text_addf(t,
                 "<td class=\"n\">%" APR_UINT64_T_FMT "<br><span class=\"small\">5xx: %" APR_UINT64_T_FMT "</span></td>",
                 m->failed, m->responses[4]);
    if (m->latency_us > 0) {
        rp_text_addf(t, "<td class=\"n\">%u.%01u ms</td><td>", m->latency_us / 1000, m->latency_us % 1000 / 100);
    }
    else {
        rp_text_add(t, "<td>-</td><td>");
    }
    rp_page_chart(t, m, show->sample_every_us);
    rp_text_add(t, "</td>");
}

/* Columns about health checks stand there when some member has them. */
static int any_checked(const rp_show_balancer_t *b)
{
    int i;

    for (i = 0; i < b->nmembers; i++) {
        const rp_show_value_t *method = &b->members[i].fields[RP_FIELD_HCMETHOD];
        if (method->known && method->value.text != NULL && strcmp(method->value.text, "NONE") != 0) {
            return 1;
        }
    }
    return 0;
}

static void member_row(rp_text_t *t, const rp_show_t *show, const rp_page_t *page, const rp_show_balancer_t *b,
                       const rp_show_member_t *m)
{
    const rp_show_value_t *f = m->fields;
    apr_int64_t factor = f[RP_FIELD_LOADFACTOR].value.number;

    rp_text_add(t, m == page->member ? "<tr class=\"chosen\"><td><a href=\"" : "<tr><td><a href=\"");
    link_to(t, page, b, m);
    rp_text_add(t, "\">");
    rp_text_add(t, m->uds != NULL ? "<i>" : "");
    rp_text_esc(t, m->url);
    rp_text_add(t, m->uds != NULL ? "</i>" : "");
    rp_text_add(t, m->added ? "</a> <span class=\"small\">added at run time</span></td>" : "</a></td>");
    cell(t, f, RP_FIELD_ROUTE, value_text(t->pool, f, RP_FIELD_ROUTE));
    cell(t, f, RP_FIELD_REDIRECT, value_text(t->pool, f, RP_FIELD_REDIRECT));
    cell(t, f, RP_FIELD_LOADFACTOR, apr_psprintf(t->pool, "%d.%02d", (int)(factor / 100), (int)(factor % 100)));
    cell(t, f, RP_FIELD_LBSET, value_text(t->pool, f, RP_FIELD_LBSET));
    rp_text_add(t, "<td class=\"what\">");
    state_cell(t, m);
    rp_text_add(t, "</td>");
    number_cell(t, m->elected);
    number_cell(t, m->busy);
    rp_text_addf(t, "<td class=\"n\">%d</td>", m->lbstatus);
    size_cell(t, m->sent);
    size_cell(t, m->received);
    traffic_cells(t, show, m);
    if (any_checked(b)) {
        health_cells(t, m);
    }
    rp_text_add(t, "</tr>\n");
}

static void head_row(rp_text_t *t, const rp_show_balancer_t *b)
{
    static const char *const first[] = { "Worker URL", "Route", "RouteRedir", "Factor", "Set",  "Status",
                                         "Elected",    "Busy",  "Load",       "To",     "From", NULL };
    static const char *const health[] = {"HC Method", "HC Interval", "HC Timeout", "Passes", "Fails",
                                         "HC uri",    "HC Host",     "HC Expr",    NULL};
    static const char *const last[] = {"Failed", "First byte", "Last minutes", NULL};
    const char *const *const lists[] = {first, last, any_checked(b) ? health : NULL};
    int i, k;

    rp_text_add(t, "<tr>");
    for (i = 0; i < 3; i++) {
        for (k = 0; lists[i] != NULL && lists[i][k] != NULL; k++) {
            rp_text_addf(t, "<th scope=\"col\">%s</th>", lists[i][k]);
        }
    }
    rp_text_add(t, "</tr>\n");
}

static void balancer(rp_text_t *t, const rp_show_t *show, const rp_page_t *page, const rp_show_balancer_t *b)
{
    int i;

    rp_text_add(t, "<hr>\n<h3>LoadBalancer Status for <a href=\"");
    link_to(t, page, b, NULL);
    rp_text_add(t, "\">");
    rp_text_esc(t, b->full_name);
    rp_text_add(t, "</a></h3>\n");
    if (*b->nonce == '\0') {
        rp_text_add(t, "<p class=\"small\">Its nonce is None: nothing of it can be changed here.</p>\n");
    }
    balancer_table(t, b);
    if (b->nmembers == 0) {
        rp_text_add(t, "<p>It has no members.</p>\n");
        return;
    }
    /* by the keyboard it can be scrolled when it has the focus */
    rp_text_add(t, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Members of ");
    rp_text_esc(t, b->full_name);
    rp_text_add(t, "\"><table><caption>Members; * is not what the configuration says</caption>\n");
    head_row(t, b);
    for (i = 0; i < b->nmembers; i++) {
        member_row(t, show, page, b, &b->members[i]);
    }
    rp_text_add(t, "</table></div>\n");
}

/* ---- the rest ---- */

void rp_page_flights(rp_text_t *t, const rp_show_t *show)
{
    int i;

    rp_text_addf(t, "<h2 id=\"flights\">Exchanges under way: %d</h2>\n", show->nflights + show->flights_lost);
    if (show->nflights == 0) {
        return;
    }
    rp_text_add(t, "<div class=\"wide\"><table><caption>Oldest first</caption>\n<tr><th scope=\"col\">Age</th><th "
                   "scope=\"col\">Virtual "
                   "host</th><th scope=\"col\">Request</th><th scope=\"col\">Balancer</th><th scope=\"col\">Worker</th><th scope=\"col\">Step</th>"
                   "<th scope=\"col\">Process</th></tr>\n");
    for (i = 0; i < show->nflights; i++) {
        const rp_show_flight_t *f = &show->flights[i];
        rp_text_addf(t, "<tr><td class=\"n\">%" APR_TIME_T_FMT ".%03d s</td><td>", apr_time_sec(f->age_us),
                     (int)(f->age_us % APR_USEC_PER_SEC / 1000));
        rp_text_esc(t, f->vhost);
        rp_text_add(t, "</td><td>");
        rp_text_esc(t, f->request);
        rp_text_add(t, "</td><td>");
        rp_text_esc(t, f->balancer);
        rp_text_add(t, "</td><td>");
        rp_text_esc(t, f->worker);
        rp_text_add(t, "</td><td>");
        rp_text_esc(t, f->step);
        rp_text_addf(t, "</td><td class=\"n\">%d</td></tr>\n", f->pid);
    }
    rp_text_add(t, "</table></div>\n");
}

static void events(rp_text_t *t, const rp_show_t *show)
{
    int i;

    rp_text_add(t, "<h2 id=\"events\">Last changes</h2>\n");
    if (show->nevents == 0) {
        rp_text_add(t, "<p>None.</p>\n");
        return;
    }
    rp_text_add(t, "<div class=\"wide\"><table><caption>Newest first</caption>\n<tr><th scope=\"col\">When</th><th "
                   "scope=\"col\">Balancer"
                   "</th><th scope=\"col\">Member</th><th scope=\"col\">What and why</th></tr>\n");
    for (i = 0; i < show->nevents && i < EVENTS_SHOWN; i++) {
        const rp_show_event_t *e = &show->events[i];
        apr_size_t known = e->member != NULL ? strlen(e->member) : 0;
        rp_text_add(t, "<tr><td>");
        date(t, e->at);
        rp_text_add(t, "</td><td>");
        rp_text_esc(t, e->balancer);
        rp_text_add(t, "</td><td>");
        rp_text_esc(t, e->member);
        rp_text_add(t, "</td><td>");
        /* the member stands in a cell of its own */
        rp_text_esc(t, known > 0 && strncmp(e->text, e->member, known) == 0 && strncmp(e->text + known, ": ", 2) == 0
                           ? e->text + known + 2
                           : e->text);
        rp_text_add(t, "</td></tr>\n");
    }
    rp_text_add(t, "</table></div>\n");
}

static void notes(rp_text_t *t, const rp_page_t *page)
{
    int i;

    for (i = 0; page->notes != NULL && i < page->notes->nelts; i++) {
        const rp_page_note_t *note = &APR_ARRAY_IDX(page->notes, i, rp_page_note_t);
        rp_text_add(t, note->bad ? "<p class=\"note wrong\" role=\"alert\">" : "<p class=\"note\" role=\"status\">");
        rp_text_esc(t, note->text);
        rp_text_add(t, "</p>\n");
    }
}

static void top(rp_text_t *t, const rp_show_t *show, const rp_page_t *page)
{
    rp_text_add(t, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Balancer Manager</title>\n"
                   "<meta name=\"viewport\" content=\"width=device-width\">\n");
    if (page->refresh_s > 0 && page->balancer == NULL) {
        rp_text_addf(t, "<meta http-equiv=\"refresh\" content=\"%d\">\n", page->refresh_s);
    }
    rp_text_add(t, style);
    rp_text_add(
        t,
        "</head><body>\n<a class=\"skip\" href=\"#main\">To the balancers</a>\n<header><h1>Load Balancer Manager for ");
    rp_text_esc(t, show->vhost);
    rp_text_add(t, "</h1>\n<dl><dt>Server Version: ");
    rp_text_esc(t, show->software);
    rp_text_add(t, "</dt>\n<dt>Server Built: ");
    rp_text_esc(t, show->built);
    rp_text_addf(t,
                 "</dt>\n<dt>Balancer changes will %sbe persisted on restart.%s</dt>\n<dt>Balancers are %sinherited "
                 "from main server."
                 "</dt></dl>\n<nav aria-label=\"Page\"><a href=\"",
                 show->persist == RP_ON ? "" : "NOT ",
                 show->persist == RP_UNSET ? " They stay over graceful restarts." : "", show->inherited ? "" : "NOT ");
    rp_text_esc(t, page->self);
    rp_text_add(t, "\">Overview</a> | <a href=\"");
    rp_text_esc(t, page->self);
    rp_text_add(t, "?refresh=5\">Load again every 5 s</a> | <a href=\"#flights\">Under way</a> | <a "
                   "href=\"#events\">Last changes</a>"
                   "</nav></header>\n<main id=\"main\">\n");
}

const char *rp_page_html(apr_pool_t *pool, const rp_show_t *show, const rp_page_t *page)
{
    rp_text_t *t = rp_text_make(pool);
    int i;

    top(t, show, page);
    notes(t, page);
    if (page->balancer != NULL) {
        rp_page_forms(t, page);
    }
    for (i = 0; i < show->nbalancers && page->ask == NULL; i++) {
        balancer(t, show, page, &show->balancers[i]);
    }
    if (show->nbalancers == 0) {
        rp_text_add(t, "<p>This virtual host has no balancers.</p>\n");
    }
    if (page->ask == NULL) {
        rp_page_flights(t, show);
        events(t, show);
    }
    rp_text_add(t, "</main></body></html>\n");
    return t->bytes;
}
