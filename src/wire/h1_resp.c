/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file h1_resp.c
 * Finding the end of a response head, and taking the head apart in place.
 */
#include "wire/h1_resp.h"

#include <string.h>

#include "wire/chars_int.h"
#include "wire/headers.h"

#define FIELDS_FIRST 16    /* room for fields at the start; doubles when full */
#define STATUS_LIKE_MIN 12 /* length of "HTTP/1.1 200" */

static const char version_start[] = "HTTP/1.";
#define VERSION_START_LEN (sizeof(version_start) - 1)

const char *rp_h1_err_str(rp_h1_err_e err)
{
    switch (err) {
    case RP_H1_OK: return "ok";
    case RP_H1_NOT_HTTP: return "not-http";
    case RP_H1_BAD_STATUS: return "bad-status";
    case RP_H1_LINE_TOO_LONG: return "line-too-long";
    case RP_H1_HEAD_TOO_LARGE: return "head-too-large";
    case RP_H1_TOO_MANY_FIELDS: return "too-many-fields";
    case RP_H1_NUL: return "nul";
    case RP_H1_BARE_CR: return "bare-cr";
    case RP_H1_CTL: return "control-character";
    case RP_H1_OBS_FOLD: return "obs-fold";
    case RP_H1_SPACE_COLON: return "space-before-colon";
    case RP_H1_BAD_NAME: return "bad-name";
    case RP_H1_NO_COLON: return "no-colon";
    case RP_H1_EOF: return "eof";
    default: return "unknown";
    }
}

/** 1 for "HTTP/x.y NNN", alone or with a reason: backends that print their status line twice. */
static int status_like(const char *p, apr_size_t n)
{
    return n >= STATUS_LIKE_MIN && memcmp(p, version_start, 5) == 0 && rp_ch_is(p[5], RP_CH_DIGIT)
           && p[6] == '.' && rp_ch_is(p[7], RP_CH_DIGIT) && p[8] == ' '
           && rp_ch_is(p[9], RP_CH_DIGIT) && rp_ch_is(p[10], RP_CH_DIGIT)
           && rp_ch_is(p[11], RP_CH_DIGIT)
           && (n == STATUS_LIKE_MIN || p[12] == ' ' || p[12] == '\r');
}

/** ProxyBadHeader StartBody: 1 when this line (or beginning of a line) is the body's first. */
static int starts_body(const rp_h1_scan_t *s, const rp_h1_limits_t *lim, const char *line,
                       apr_size_t n)
{
    return lim->badline == RP_H1_BADLINE_STARTBODY && s->lines > 0 && n > 0
           && !rp_ch_is(line[0], RP_CH_BLANK) && !memchr(line, ':', n) && !status_like(line, n);
}

/** 1 while the first line can still become a status line, or the one empty line before it. */
static int start_ok(const rp_h1_scan_t *s, const char *buf, apr_size_t len)
{
    const char *line = buf + s->line_start;
    apr_size_t n = len - s->line_start;

    if (line[0] == '\r' || line[0] == '\n') {
        return !s->lead_empty && (line[0] == '\n' || n == 1 || line[1] == '\n');
    }
    return memcmp(line, version_start, n < VERSION_START_LEN ? n : VERSION_START_LEN) == 0;
}

/**
 * Hold the current line, which reaches to line_end (its LF or the last byte we have), against the
 * limits. When both limits are exceeded the answer is the one that the byte-wise reader meets
 * first, so that it does not depend on how the bytes arrive. A CR as the last byte does not count:
 * it belongs to the line end.
 */
static rp_h1_err_e limits_check(const rp_h1_scan_t *s, const rp_h1_limits_t *lim, const char *buf,
                                apr_size_t line_end, apr_size_t end)
{
    apr_size_t n = line_end - s->line_start;
    apr_size_t line_trip;

    if (n < lim->max_line && end <= lim->max_head) {
        return RP_H1_OK;
    }
    line_trip = s->line_start + lim->max_line;
    if (n >= lim->max_line && buf[line_trip - 1] == '\r') {
        line_trip++;
    }
    if (line_trip <= line_end && line_trip <= lim->max_head + 1) {
        return RP_H1_LINE_TOO_LONG;
    }
    return end > lim->max_head ? RP_H1_HEAD_TOO_LARGE : RP_H1_OK;
}

/** A whole line of n bytes, the next one starts at next. @return as scan_line */
static apr_status_t line_done(rp_h1_scan_t *s, const rp_h1_limits_t *lim, const char *line,
                              apr_size_t n, apr_size_t next, apr_size_t *head_len)
{
    if (n == 0 || (n == 1 && line[0] == '\r')) {
        if (s->lines > 0) {
            *head_len = next;
            return APR_SUCCESS;
        }
        s->lead_empty = 1;
    }
    else if (starts_body(s, lim, line, n)) {
        *head_len = s->line_start;
        return APR_SUCCESS;
    }
    else if (s->lines > lim->max_fields) {
        s->err = RP_H1_TOO_MANY_FIELDS;
        return APR_EINVAL;
    }
    else {
        s->lines++;
    }
    s->line_start = next;
    return APR_INCOMPLETE;
}

/** One step of the scan. @return what rp_h1_scan returns, or APR_INCOMPLETE: on to the next line */
static apr_status_t scan_line(rp_h1_scan_t *s, const rp_h1_limits_t *lim, const char *buf,
                              apr_size_t len, apr_size_t *head_len)
{
    const char *line = buf + s->line_start;
    const char *lf;
    apr_size_t next;
    apr_size_t n;

    if (s->lines == 0 && !start_ok(s, buf, len)) {
        s->err = RP_H1_NOT_HTTP;
        return APR_EINVAL;
    }
    lf = memchr(buf + s->seen, '\n', len - s->seen);
    next = lf ? (apr_size_t)(lf - buf) + 1 : len;
    n = next - s->line_start - (lf != NULL);
    s->err = limits_check(s, lim, buf, s->line_start + n, next);
    if (s->err == RP_H1_LINE_TOO_LONG && starts_body(s, lim, line, lim->max_line)) {
        s->err = RP_H1_OK;
        *head_len = s->line_start;
        return APR_SUCCESS;
    }
    if (s->err != RP_H1_OK) {
        return APR_EINVAL;
    }
    s->seen = next;
    return lf ? line_done(s, lim, line, n, next, head_len) : APR_EAGAIN;
}

apr_status_t rp_h1_scan(rp_h1_scan_t *s, const rp_h1_limits_t *lim, const char *buf, apr_size_t len,
                        apr_size_t *head_len)
{
    apr_status_t rv = APR_INCOMPLETE;

    *head_len = 0;
    if (s->err != RP_H1_OK) {
        return APR_EINVAL;
    }
    while (rv == APR_INCOMPLETE) {
        rv = s->seen < len ? scan_line(s, lim, buf, len, head_len) : APR_EAGAIN;
    }
    return rv;
}

apr_status_t rp_h1_scan_eof(rp_h1_scan_t *s, const rp_h1_limits_t *lim, const char *buf,
                            apr_size_t len, apr_size_t *head_len)
{
    *head_len = 0;
    if (s->err != RP_H1_OK) {
        return APR_EINVAL;
    }
    if (starts_body(s, lim, buf + s->line_start, len - s->line_start)) {
        *head_len = s->line_start;
        return APR_SUCCESS;
    }
    s->err = RP_H1_EOF;
    return APR_EINVAL;
}

/** A head being taken apart. */
typedef struct dissect_t {
    rp_h1_resp_t *out;
    apr_pool_t *pool;
    const rp_h1_limits_t *lim;
    char *buf;
    int room; /* fields that out->fields can hold */
} dissect_t;

/** Note the error and where it is. @return APR_EINVAL */
static apr_status_t refuse(dissect_t *d, rp_h1_err_e err, const char *at)
{
    d->out->err = err;
    d->out->err_pos = (apr_size_t)(at - d->buf);
    return APR_EINVAL;
}

/** Find the end of the text that starts at p and whose line ends at lf: before the CR, if there is
 * one. */
static apr_status_t text_end(dissect_t *d, char *p, const char *lf, char **end)
{
    apr_size_t n = (apr_size_t)(lf - p);
    apr_size_t i = rp_ctl_find(p, n);

    *end = p + i;
    if (i == n || (p[i] == '\r' && i + 1 == n)) {
        return APR_SUCCESS;
    }
    switch (p[i]) {
    case '\0': return refuse(d, RP_H1_NUL, *end);
    case '\r': return refuse(d, RP_H1_BARE_CR, *end);
    default: return refuse(d, RP_H1_CTL, *end);
    }
}

/** `HTTP/1.x NNN[ reason]` (RFC 9112 section 4). */
static apr_status_t status_line(dissect_t *d, char *line, char *lf)
{
    char *end;
    char *p = line + VERSION_START_LEN;
    apr_size_t n = (apr_size_t)(lf - line);

    if (n < VERSION_START_LEN + 2 || memcmp(line, version_start, VERSION_START_LEN) != 0
        || !rp_ch_is(p[0], RP_CH_DIGIT) || p[1] != ' ') {
        return refuse(d, RP_H1_NOT_HTTP, line);
    }
    d->out->minor = p[0] != '0';
    p += 2;
    if (text_end(d, p, lf, &end) != APR_SUCCESS) {
        return APR_EINVAL;
    }
    if (end - p < 3 || p[0] < '1' || p[0] > '9' || !rp_ch_is(p[1], RP_CH_DIGIT)
        || !rp_ch_is(p[2], RP_CH_DIGIT) || (end - p > 3 && p[3] != ' ')) {
        return refuse(d, RP_H1_BAD_STATUS, p);
    }
    d->out->status = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
    *end = '\0';
    d->out->reason = end - p > 3 ? p + 4 : end;
    return APR_SUCCESS;
}

/** A line that does not begin with a name and a colon: say what is wrong with it, or drop it. */
static apr_status_t odd_line(dissect_t *d, char *line, char *lf)
{
    char *end;
    char *p = line;
    char *q;

    if (rp_ch_is(line[0], RP_CH_BLANK)) {
        return refuse(d, RP_H1_OBS_FOLD, line);
    }
    if (!memchr(line, ':', (apr_size_t)(lf - line))) {
        if (text_end(d, line, lf, &end) != APR_SUCCESS) {
            return APR_EINVAL;
        }
        if (d->lim->badline == RP_H1_BADLINE_IGNORE
            || status_like(line, (apr_size_t)(end - line))) {
            return APR_SUCCESS;
        }
        return refuse(d, RP_H1_NO_COLON, line);
    }
    while (rp_ch_is(*p, RP_CH_TCHAR)) {
        p++;
    }
    q = p;
    while (rp_ch_is(*q, RP_CH_BLANK)) {
        q++;
    }
    if (q > p && *q == ':') {
        return refuse(d, RP_H1_SPACE_COLON, p);
    }
    switch (*p) {
    case '\0': return refuse(d, RP_H1_NUL, p);
    case '\r': return refuse(d, RP_H1_BARE_CR, p);
    default: return refuse(d, RP_H1_BAD_NAME, p);
    }
}

/** Room for one more field. @return NULL when max_fields is reached */
static rp_h1_field_t *field_new(dissect_t *d)
{
    rp_h1_resp_t *out = d->out;

    if (out->nfields >= d->lim->max_fields) {
        return NULL;
    }
    if (out->nfields == d->room) {
        int room = d->room ? d->room * 2 : FIELDS_FIRST;
        rp_h1_field_t *more = apr_palloc(d->pool, sizeof(*more) * (apr_size_t)room);

        if (out->nfields) {
            memcpy(more, out->fields, sizeof(*more) * (apr_size_t)out->nfields);
        }
        out->fields = more;
        d->room = room;
    }
    return &out->fields[out->nfields++];
}

/** `name: value` (RFC 9112 section 5). */
static apr_status_t field_line(dissect_t *d, char *line, char *lf)
{
    rp_h1_field_t *f;
    char *colon = memchr(line, ':', (apr_size_t)(lf - line));
    apr_size_t name_len = colon ? (apr_size_t)(colon - line) : 0;
    rp_hdr_e id = rp_hdr_id(line, name_len);
    char *value;
    char *end;

    /* a known name is a token */
    if (!colon || (id == RP_HDR_OTHER && !rp_hdr_name_ok(line, name_len))) {
        return odd_line(d, line, lf);
    }
    value = colon + 1;
    while (rp_ch_is(*value, RP_CH_BLANK)) {
        value++;
    }
    if (text_end(d, value, lf, &end) != APR_SUCCESS) {
        return APR_EINVAL;
    }
    while (end > value && rp_ch_is(end[-1], RP_CH_BLANK)) {
        end--;
    }
    f = field_new(d);
    if (!f) {
        return refuse(d, RP_H1_TOO_MANY_FIELDS, line);
    }
    *colon = '\0';
    *end = '\0';
    f->name = line;
    f->name_len = name_len;
    f->value = value;
    f->value_len = (apr_size_t)(end - value);
    f->id = (int)id;
    return APR_SUCCESS;
}

/** 1 when the line is empty. */
static int line_empty(const char *line, const char *lf)
{
    return lf == line || (lf == line + 1 && line[0] == '\r');
}

/** All lines from p on, up to an empty one or to end. */
static apr_status_t field_lines(dissect_t *d, char *p, char *end)
{
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && p < end) {
        char *lf = memchr(p, '\n', (apr_size_t)(end - p));

        if (!lf) {
            return refuse(d, RP_H1_EOF, end);
        }
        if (line_empty(p, lf)) {
            break;
        }
        rv = field_line(d, p, lf);
        p = lf + 1;
    }
    return rv;
}

apr_status_t rp_h1_resp_parse(rp_h1_resp_t *out, apr_pool_t *pool, const rp_h1_limits_t *lim,
                              char *buf, apr_size_t head_len)
{
    dissect_t d = { out, pool, lim, buf, 0 };
    char *end = buf + head_len;
    char *lf;

    memset(out, 0, sizeof(*out));
    out->reason = "";
    lf = memchr(buf, '\n', head_len);
    if (lf && line_empty(buf, lf)) {
        buf = lf + 1;
        lf = memchr(buf, '\n', (apr_size_t)(end - buf));
    }
    if (!lf) {
        return refuse(&d, RP_H1_EOF, end);
    }
    if (status_line(&d, buf, lf) != APR_SUCCESS) {
        return APR_EINVAL;
    }
    return field_lines(&d, lf + 1, end);
}

apr_status_t rp_h1_fields_parse(rp_h1_resp_t *out, apr_pool_t *pool, const rp_h1_limits_t *lim,
                                char *buf, apr_size_t len)
{
    dissect_t d = { out, pool, lim, buf, 0 };

    memset(out, 0, sizeof(*out));
    out->reason = "";
    return field_lines(&d, buf, buf + len);
}
