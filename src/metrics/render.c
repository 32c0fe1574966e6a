/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two formats with nearly the same lines. OpenMetrics names a family without the suffix of its samples, has a line for the unit
 * and one for the end; the older text has the full name everywhere and knows no "info".
 */
#include "metrics/render.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "exchange/count.h"

#define BUFFER 8192
#define LINE_MAX_BYTES 512 /* of a line, without its labels */

typedef struct out_t {
    rp_metrics_write_fn *write;
    void *ctx;
    rp_metrics_format_e format;
    apr_size_t n;
    char buf[BUFFER];
} out_t;

static void flush(out_t *o)
{
    if (o->n > 0) {
        o->write(o->ctx, o->buf, o->n);
        o->n = 0;
    }
}

static void put(out_t *o, const char *text)
{
    apr_size_t n = strlen(text);

    if (o->n + n > BUFFER) {
        flush(o);
    }
    if (n > BUFFER) {
        o->write(o->ctx, text, n);
        return;
    }
    memcpy(o->buf + o->n, text, n);
    o->n += n;
}

__attribute__((format(printf, 2, 3))) static void putf(out_t *o, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    put(o, line);
}

/* ---- a family ---- */

static void put_head(out_t *o, const rp_metric_t *m)
{
    int open = o->format == RP_METRICS_OPENMETRICS;
    const char *suffix = open ? "" : rp_metric_suffix(m->type);
    const char *type = !open && m->type == RP_METRIC_INFO ? "gauge" : rp_metric_type_str(m->type);

    putf(o, "# HELP %s%s ", m->name, suffix);
    for (const char *c = m->help; *c; c++) { /* OpenMetrics wants quotes escaped here too, the older text does not */
        char one[3] = {'\\', *c, '\0'};

        put(o, *c == '\\' || (*c == '"' && open) ? one : one + 1);
    }
    putf(o, "\n# TYPE %s%s %s\n", m->name, suffix, type);
    if (open && *m->unit) {
        putf(o, "# UNIT %s %s\n", m->name, m->unit);
    }
}

static void put_label(out_t *o, int *first, const char *name, const char *escaped)
{
    if (*escaped == '\0') {
        return;
    }
    put(o, *first ? "{" : ",");
    *first = 0;
    put(o, name);
    put(o, "=\"");
    put(o, escaped);
    put(o, "\"");
}

/* Name and labels of one line, up to the value. labels may be NULL. */
static void put_start(out_t *o, const rp_metric_t *m, const char *suffix, const rp_metric_labels_t *labels, const char *value)
{
    int first = 1;

    put(o, m->name);
    put(o, suffix);
    if (labels != NULL) {
        put_label(o, &first, "server", labels->server);
        put_label(o, &first, "balancer", labels->balancer);
        put_label(o, &first, "worker", labels->worker);
    }
    if (value != NULL) {
        put_label(o, &first, m->type == RP_METRIC_HISTOGRAM ? "le" : m->label, value);
    }
    put(o, first ? " " : "} ");
}

static void put_number(out_t *o, const rp_metric_t *m, const rp_metric_labels_t *labels, const char *value, apr_uint64_t n)
{
    put_start(o, m, rp_metric_suffix(m->type), labels, value);
    putf(o, "%" PRIu64 "\n", (uint64_t)n);
}

/* ---- values ---- */

static void put_array(out_t *o, const rp_metric_t *m, const rp_metric_labels_t *labels, const apr_uint64_t *array)
{
    const rp_metric_values_t *v = m->values;

    for (int i = 0; i < v->n; i++) {
        if (array[i] != 0 || v->always == NULL || v->always(i)) {
            put_number(o, m, labels, v->name(i), array[i]);
        }
    }
}

static void put_bits(out_t *o, const rp_metric_t *m, const rp_metric_labels_t *labels, apr_uint32_t bits)
{
    for (int i = 0; i < m->values->n; i++) {
        const char *name = m->values->name(i);

        if (name != NULL) {
            put_number(o, m, labels, name, (bits >> i) & 1);
        }
    }
}

/* Seconds with all digits that microseconds have, none to spare: 0.0025, and 1.0 for a whole number. */
static const char *seconds(char *buf, apr_size_t size, apr_uint64_t us)
{
    apr_size_t n;

    (void)snprintf(buf, size, "%" PRIu64 ".%06u", (uint64_t)(us / 1000000), (unsigned)(us % 1000000));
    n = strlen(buf);
    while (buf[n - 1] == '0' && buf[n - 2] != '.') {
        buf[--n] = '\0';
    }
    return buf;
}

static void put_histogram(out_t *o, const rp_metric_t *m, const rp_metric_labels_t *labels, const rp_histogram_t *h)
{
    apr_uint64_t below = 0;
    char text[32];

    for (int i = 0; i <= RP_HISTOGRAM_BOUNDS; i++) {
        below += h->count[i];
        put_start(o, m, "_bucket", labels,
                  i < RP_HISTOGRAM_BOUNDS ? seconds(text, sizeof(text), rp_histogram_bounds_us[i]) : "+Inf");
        putf(o, "%" PRIu64 "\n", (uint64_t)below);
    }
    put_start(o, m, "_sum", labels, NULL);
    putf(o, "%s\n", seconds(text, sizeof(text), h->sum_us));
    put_start(o, m, "_count", labels, NULL);
    putf(o, "%" PRIu64 "\n", (uint64_t)below);
}

static void put_record(out_t *o, const rp_metric_t *m, const rp_metric_labels_t *labels, const void *record)
{
    const void *member = (const char *)record + m->offset;
    apr_uint64_t n = 0;

    switch (m->how) {
    case RP_READ_U32:
        n = *(const apr_uint32_t *)member;
        break;
    case RP_READ_U64:
        n = *(const apr_uint64_t *)member;
        break;
    case RP_READ_U64_SET:
        n = *(const apr_uint64_t *)member;
        if (n == 0) {
            return;
        }
        break;
    case RP_READ_HUNDREDTHS:
        n = *(const apr_uint32_t *)member;
        put_start(o, m, rp_metric_suffix(m->type), labels, NULL);
        putf(o, "%" PRIu64 ".%02u\n", (uint64_t)(n / 100), (unsigned)(n % 100));
        return;
    case RP_READ_BITS:
        put_bits(o, m, labels, *(const apr_uint32_t *)member);
        return;
    case RP_READ_ARRAY:
        put_array(o, m, labels, member);
        return;
    case RP_READ_HISTOGRAM:
        put_histogram(o, m, labels, member);
        return;
    case RP_READ_TEXT:
        put_number(o, m, labels, *(const char *const *)member, 1);
        return;
    }
    put_number(o, m, labels, NULL, n);
}

static int has_metric(const rp_metric_t *m, const rp_worker_record_t *record)
{
    return m->scope == RP_METRIC_ANSWER
           || (m->scope == RP_METRIC_KNOWN && record->known)
           || (m->scope == RP_METRIC_WORKER && !record->nobody)
           || (m->scope == RP_METRIC_MEMBER && !record->nobody && *record->labels.balancer != '\0');
}

void rp_metrics_render(const rp_metrics_page_t *page, rp_metrics_format_e format, rp_metrics_write_fn *write, void *ctx)
{
    out_t o = {.write = write, .ctx = ctx, .format = format};
    int n;
    const rp_metric_t *rows = rp_metric_rows(&n);

    for (int i = 0; i < n; i++) {
        put_head(&o, &rows[i]);
        if (rows[i].scope == RP_METRIC_PROCESS) {
            put_record(&o, &rows[i], NULL, page->process);
            continue;
        }
        for (int k = 0; k < page->nworkers; k++) {
            if (has_metric(&rows[i], &page->workers[k])) {
                put_record(&o, &rows[i], &page->workers[k].labels, &page->workers[k]);
            }
        }
    }
    if (format == RP_METRICS_OPENMETRICS) {
        put(&o, "# EOF\n");
    }
    flush(&o);
}

/* ---- what is asked for ---- */

/* 1 unless the parameters of a media range say q=0 (RFC 9110 12.4.2). */
static int weight_above_0(const char *params, const char *end)
{
    for (; params < end; params++) {
        if ((*params == 'q' || *params == 'Q') && params[1] == '=' && params[2] == '0') {
            const char *digit = params + 3;

            while (digit < end && (*digit == '.' || *digit == '0')) {
                digit++;
            }
            return digit < end && apr_isdigit(*digit);
        }
    }
    return 1;
}

rp_metrics_format_e rp_metrics_format(const char *accept)
{
    static const char name[] = "application/openmetrics-text";

    while (accept != NULL && *accept) {
        const char *end = accept + strcspn(accept, ",");

        accept += strspn(accept, " \t");
        if (!strncasecmp(accept, name, sizeof(name) - 1)) {
            const char *rest = accept + sizeof(name) - 1;

            if ((rest >= end || strchr("; \t", *rest)) && weight_above_0(rest, end)) {
                return RP_METRICS_OPENMETRICS;
            }
        }
        accept = *end ? end + 1 : end;
    }
    return RP_METRICS_TEXT;
}

const char *rp_metrics_type(rp_metrics_format_e format)
{
    return format == RP_METRICS_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                            : "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- labels ---- */

/* Bytes of the character that begins at s, 0 when it is no UTF-8 (RFC 3629). */
static int utf8_length(const unsigned char *s)
{
    static const struct { unsigned char from, to, low, high; int n; } rows[] = {
        {0x20, 0x7e, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
        {0xf4, 0xf4, 0x80, 0x8f, 4}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (s[0] < rows[i].from || s[0] > rows[i].to) {
            continue;
        }
        for (int k = 1; k < rows[i].n; k++) {
            if (s[k] < (k == 1 ? rows[i].low : 0x80) || s[k] > (k == 1 ? rows[i].high : 0xbf)) {
                return 0;
            }
        }
        return rows[i].n;
    }
    return 0;
}

/* The longest form of a byte is "\\x00": five characters. */
const char *rp_label_escape(apr_pool_t *pool, const char *value)
{
    const unsigned char *s = (const unsigned char *)value;
    const unsigned char *end = s + strnlen(value, RP_LABEL_MAX);
    char *out = apr_palloc(pool, (apr_size_t)(end - s) * 5 + 1);
    char *p = out;

    while (s < end) {
        int n = utf8_length(s);

        if (n == 0 || s + n > end) {
            p += *s == '\n' ? snprintf(p, 3, "\\n") : snprintf(p, 6, "\\\\x%02x", *s);
            s++;
            continue;
        }
        if (*s == '\\' || *s == '"') {
            *p++ = '\\';
        }
        memcpy(p, s, (size_t)n);
        p += n;
        s += n;
    }
    *p = '\0';
    return out;
}
