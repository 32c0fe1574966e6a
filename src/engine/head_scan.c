/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/head_scan.h"

#include <string.h>

#define BLANK_LINES_MAX 10 /* before a request line: more than httpd skips */

void rp_head_scan_reset(rp_head_scan_t *s)
{
    memset(s, 0, sizeof(*s));
}

static void count_words(rp_head_scan_t *s, const char *p, size_t n)
{
    int words = s->words, in_word = s->in_word; /* kept in registers: p may point to anything, s included, for all the compiler knows */
    size_t i;

    for (i = 0; i < n && words < 3; i++) {
        if (p[i] == ' ' || p[i] == '\t') {
            in_word = 0;
        }
        else if (!in_word) {
            in_word = 1;
            words++;
        }
    }
    s->words = words;
    s->in_word = in_word;
}

static int line_too_long(const rp_head_scan_t *s, const rp_head_limits_t *limits)
{
    return s->in_line > (s->lines == 0 ? limits->line : limits->field);
}

/* A line has ended. */
static void end_line(rp_head_scan_t *s, const rp_head_limits_t *limits)
{
    size_t len = s->in_line;

    s->in_line = 0;
    s->last_cr = 0;
    if (len == 0) {
        /* behind a request line: the end. Before one it is skipped, but not for ever. */
        s->done = s->lines > 0 || s->bytes > 2 * BLANK_LINES_MAX;
        return;
    }
    s->lines++;
    if (s->lines == 1 && s->words < 3) {
        s->done = 1;
    }
    if (limits->fields > 0 && s->lines > limits->fields + 1) {
        s->done = 1;
    }
}

size_t rp_head_scan(rp_head_scan_t *s, const rp_head_limits_t *limits, const char *p, size_t n)
{
    size_t at = 0;

    while (at < n && !s->done) {
        const char *lf = memchr(p + at, '\n', n - at);
        const char *end = lf != NULL ? lf : p + n;
        size_t len = (size_t)(end - p) - at;
        size_t text = len;

        if (s->last_cr && len > 0) { /* that CR was no line end */
            s->in_line++;
            s->last_cr = 0;
        }
        if (text > 0 && p[at + text - 1] == '\r') {
            text--;
            s->last_cr = 1;
        }
        if (s->lines == 0) {
            count_words(s, p + at, text);
        }
        s->in_line += text;
        s->bytes += len + (lf ? 1 : 0);
        at += len + (lf ? 1 : 0);
        if (line_too_long(s, limits)) {
            s->done = 1;
        }
        else if (lf != NULL) {
            end_line(s, limits);
        }
    }
    return at;
}
