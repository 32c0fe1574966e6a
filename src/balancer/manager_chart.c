/* SPDX-License-Identifier: Apache-2.0 */
/* One chart: bars of requests, the part of them that failed in front. */
#include "balancer/manager_page.h"

#define BAR 2    /* pixels of a sample */
#define HEIGHT 28

static apr_uint32_t highest(const rp_show_member_t *m)
{
    apr_uint32_t high = 0;
    int i;

    for (i = 0; i < m->nsamples; i++) {
        high = m->samples[i].requests > high ? m->samples[i].requests : high;
    }
    return high;
}

static int bar_height(apr_uint32_t n, apr_uint32_t high)
{
    int px = high > 0 ? (int)((apr_uint64_t)n * HEIGHT / high) : 0;

    return n > 0 && px == 0 ? 1 : px; /* little is not nothing */
}

static void bar(rp_text_t *t, const char *cls, int at, int px)
{
    if (px > 0) {
        rp_text_addf(t, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>", cls, at * BAR, HEIGHT - px,
                     BAR, px);
    }
}

void rp_page_chart(rp_text_t *t, const rp_show_member_t *m, apr_interval_time_t every_us)
{
    apr_uint32_t high = highest(m);
    apr_uint64_t requests = 0, errors = 0;
    int i, first = RP_SHOW_SAMPLES - m->nsamples, minutes;

    for (i = 0; i < m->nsamples; i++) {
        requests += m->samples[i].requests;
        errors += m->samples[i].errors;
    }
    minutes = (int)(((apr_int64_t)m->nsamples * every_us + apr_time_from_sec(30)) / apr_time_from_sec(60));
    rp_text_addf(t, "<svg class=\"chart\" role=\"img\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\"><title>",
                 RP_SHOW_SAMPLES * BAR, HEIGHT, RP_SHOW_SAMPLES * BAR, HEIGHT);
    if (m->nsamples == 0) {
        rp_text_add(t, "nothing recorded yet");
    }
    else {
        rp_text_addf(
            t, "last %d min: %" APR_UINT64_T_FMT " requests, %" APR_UINT64_T_FMT " of them failed; at most %u in %d s",
            minutes < 1 ? 1 : minutes, requests, errors, high, (int)apr_time_sec(every_us));
    }
    rp_text_add(t, "</title>");
    for (i = 0; i < m->nsamples; i++) {
        bar(t, "req", first + i, bar_height(m->samples[i].requests, high));
        bar(t, "err", first + i, bar_height(m->samples[i].errors > high ? high : m->samples[i].errors, high));
    }
    rp_text_addf(t, "<line x1=\"0\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/></svg>", HEIGHT, RP_SHOW_SAMPLES * BAR, HEIGHT);
}
