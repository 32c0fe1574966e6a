/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/api_field.h"

#include <apr_strings.h>
#include <limits.h>
#include <string.h>

static const char *const hcmethods[] = {"NONE", "TCP", "OPTIONS", "HEAD", "GET", "OPTIONS11", "HEAD11", "GET11", NULL};

#define FLAG(field, name, ltr, bit, what, words_for) \
    .id = RP_FIELD_##field, .json = (name), .form = "w_status_" ltr, .kind = RP_FIELD_SWITCH, .max = 1, .flag = (bit), \
    .letter = ltr[0], .label = (what), .help = (words_for)

static const rp_field_row_t rows[RP_FIELD_COUNT] = {
    { .id = RP_FIELD_LOADFACTOR,
      .json = "loadfactor",
      .form = "w_lf",
      .kind = RP_FIELD_DECIMAL_X100,
      .min = 100,
      .max = 10000,
      .label = "Load factor",
      .help = "Its share of the requests, compared with the other members." },
    { .id = RP_FIELD_LBSET,
      .json = "lbset",
      .form = "w_ls",
      .kind = RP_FIELD_NUMBER,
      .max = RP_LBSET_MAX,
      .label = "Set",
      .help = "Members of a higher set are used when no member of a lower one can be." },
    { .id = RP_FIELD_ROUTE,
      .json = "route",
      .form = "w_wr",
      .kind = RP_FIELD_TEXT,
      .max = RP_ROUTE_MAX,
      .label = "Route",
      .help = "Name of the member in session identifiers." },
    { .id = RP_FIELD_REDIRECT,
      .json = "redirect",
      .form = "w_rr",
      .kind = RP_FIELD_TEXT,
      .max = RP_ROUTE_MAX,
      .label = "Route redirect",
      .help = "Route of the member that takes its sessions while it can not be used." },
    { FLAG(IGNORE_ERRORS, "ignore_errors", "I", RP_ST_IGNORE_ERRORS, "Ignore errors",
           "It is used whatever errors it has.") },
    { FLAG(DRAINING, "draining", "N", RP_ST_DRAIN, "Draining mode", "It gets no new sessions; those it has go on.") },
    { FLAG(DISABLED, "disabled", "D", RP_ST_DISABLED, "Disabled", "It gets no requests; its sessions go elsewhere."),
      .drops = 1 },
    { FLAG(STOPPED, "stopped", "S", RP_ST_STOPPED, "Stopped", "It gets no requests; its sessions go elsewhere."),
      .drops = 1 },
    { FLAG(HOT_STANDBY, "hot_standby", "H", RP_ST_HOT_STANDBY, "Hot standby",
           "It is used when nobody else of its set can be."),
      .drops = 1 },
    { FLAG(HOT_SPARE, "hot_spare", "R", RP_ST_HOT_SPARE, "Hot spare",
           "It stands in for a member of its set that can not be used."),
      .drops = 1 },
    { FLAG(HC_FAILED, "health_check_failed", "C", RP_ST_HC_FAIL, "Health check failed", "Health checks took it out."),
      .drops = 1 },
    { .id = RP_FIELD_HCMETHOD,
      .json = "hcmethod",
      .form = "w_hm",
      .kind = RP_FIELD_WORD,
      .words = hcmethods,
      .health = 1,
      .label = "Health check",
      .help = "How its health is checked." },
    { .id = RP_FIELD_HCEXPR,
      .json = "hcexpr",
      .form = "w_he",
      .kind = RP_FIELD_WORD,
      .max = 15,
      .health = 1,
      .label = "Expression",
      .help = "Name of the ProxyHCExpr that decides whether a check was good; empty: the status does." },
    { .id = RP_FIELD_HCINTERVAL,
      .json = "hcinterval_ms",
      .form = "w_hi",
      .kind = RP_FIELD_NUMBER,
      .min = 100,
      .max = INT_MAX,
      .health = 1,
      .label = "Interval (ms)",
      .help = "Time between two checks." },
    { .id = RP_FIELD_HCTIMEOUT,
      .json = "hctimeout_ms",
      .form = "w_ht",
      .kind = RP_FIELD_NUMBER,
      .max = INT_MAX,
      .health = 1,
      .label = "Time limit (ms)",
      .help = "How long a check may take in all; 0: as long as the interval, but at least 5 s." },
    { .id = RP_FIELD_HCPASSES,
      .json = "hcpasses",
      .form = "w_hp",
      .kind = RP_FIELD_NUMBER,
      .min = 1,
      .max = INT_MAX,
      .health = 1,
      .label = "Passes",
      .help = "Good checks after which it is used again." },
    { .id = RP_FIELD_HCFAILS,
      .json = "hcfails",
      .form = "w_hf",
      .kind = RP_FIELD_NUMBER,
      .min = 1,
      .max = INT_MAX,
      .health = 1,
      .label = "Fails",
      .help = "Bad checks after which it is not used any more." },
    { .id = RP_FIELD_HCURI,
      .json = "hcuri",
      .form = "w_hu",
      .kind = RP_FIELD_TEXT,
      .max = 63,
      .health = 1,
      .label = "Path",
      .help = "What a check asks for." },
    { .id = RP_FIELD_HCHOST,
      .json = "hchost",
      .form = "w_hh",
      .kind = RP_FIELD_TEXT,
      .max = RP_HCHOST_MAX,
      .health = 1,
      .label = "Host",
      .help = "Host that a check asks for, and with https the name in the certificate; empty: that of the member." },
    { .id = RP_FIELD_LBMETHOD,
      .of_balancer = 1,
      .json = "lbmethod",
      .form = "b_lbm",
      .kind = RP_FIELD_WORD,
      .min = 1,
      .max = 15,
      .label = "Method",
      .help = "How a member is chosen." },
    { .id = RP_FIELD_TIMEOUT,
      .of_balancer = 1,
      .json = "timeout_s",
      .form = "b_tmo",
      .kind = RP_FIELD_NUMBER,
      .max = 7200,
      .label = "Timeout (s)",
      .help = "How long a request waits for a member that can be used; 0: it does not." },
    { .id = RP_FIELD_MAXATTEMPTS,
      .of_balancer = 1,
      .json = "maxattempts",
      .form = "b_max",
      .kind = RP_FIELD_NUMBER,
      .max = 99,
      .label = "Failover attempts",
      .help = "How many other members are tried after a failure." },
    { .id = RP_FIELD_NOFAILOVER,
      .of_balancer = 1,
      .json = "nofailover",
      .form = "b_sforce",
      .kind = RP_FIELD_SWITCH,
      .max = 1,
      .label = "Disable failover",
      .help = "A session whose member can not be used is refused, not given to another member." },
    { .id = RP_FIELD_STICKYSESSION,
      .of_balancer = 1,
      .json = "stickysession",
      .form = "b_ss",
      .kind = RP_FIELD_TEXT,
      .max = 63,
      .label = "Sticky session",
      .help = "Cookie and, behind a |, URL parameter that hold the session; - for none." },
};

const rp_field_row_t *rp_field_row(rp_field_e id) { return &rows[id]; }

const rp_field_row_t *rp_field_by_json(int of_balancer, const char *name)
{
    int i;

    for (i = 0; i < RP_FIELD_COUNT; i++) {
        if (rows[i].of_balancer == of_balancer && strcmp(rows[i].json, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

const rp_field_row_t *rp_field_by_form(int of_balancer, const char *name)
{
    int i;

    for (i = 0; i < RP_FIELD_COUNT; i++) {
        if (rows[i].of_balancer == of_balancer && strcmp(rows[i].form, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

static const char *x100(apr_pool_t *pool, apr_int64_t n)
{
    return n % 100 == 0 ? apr_psprintf(pool, "%" APR_INT64_T_FMT, n / 100)
                        : apr_psprintf(pool, "%" APR_INT64_T_FMT ".%02d", n / 100, (int)(n % 100));
}

static const char *words_of(apr_pool_t *pool, const rp_field_row_t *row)
{
    const char *list = "one of ";
    int i;

    for (i = 0; row->words[i] != NULL; i++) {
        list = apr_pstrcat(pool, list, i > 0 ? ", " : "", row->words[i], NULL);
    }
    return list;
}

const char *rp_field_legal(apr_pool_t *pool, const rp_field_row_t *row)
{
    switch (row->kind) {
    case RP_FIELD_NUMBER:
        return apr_psprintf(pool, "a whole number from %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT, row->min, row->max);
    case RP_FIELD_DECIMAL_X100:
        return apr_psprintf(pool, "a number from %s to %s, with at most two decimals", x100(pool, row->min),
                            x100(pool, row->max));
    case RP_FIELD_SWITCH:
        return "on or off (in JSON true or false, in a form 1 or 0)";
    case RP_FIELD_WORD:
        return row->words != NULL ? words_of(pool, row) : "a name that this server knows";
    case RP_FIELD_TEXT:
        break;
    }
    return apr_psprintf(pool, "a text of at most %" APR_INT64_T_FMT " bytes without control characters", row->max);
}

const char *rp_field_str(apr_pool_t *pool, const rp_field_row_t *row, const rp_field_value_t *value)
{
    if (row->kind == RP_FIELD_TEXT || row->kind == RP_FIELD_WORD) {
        return value->text != NULL ? value->text : "";
    }
    if (row->kind == RP_FIELD_NUMBER && value->number < row->min) {
        return ""; /* not set: what it is then depends on something else */
    }
    return row->kind == RP_FIELD_DECIMAL_X100 ? x100(pool, value->number)
                                              : apr_psprintf(pool, "%" APR_INT64_T_FMT, value->number);
}

int rp_field_equal(const rp_field_row_t *row, const rp_field_value_t *a, const rp_field_value_t *b)
{
    if (row->kind == RP_FIELD_TEXT || row->kind == RP_FIELD_WORD) {
        return strcmp(a->text ? a->text : "", b->text ? b->text : "") == 0;
    }
    return a->number == b->number;
}

/* ---- checks ---- */

static int has_control(const char *s)
{
    for (; *s != '\0'; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f) {
            return 1;
        }
    }
    return 0;
}

static int word_known(const rp_field_row_t *row, const char *text)
{
    int i;

    for (i = 0; row->words != NULL && row->words[i] != NULL; i++) {
        if (strcmp(row->words[i], text) == 0) {
            return 1;
        }
    }
    return row->words == NULL;
}

/* COOKIE or COOKIE|PARAMETER, neither empty. */
static int sticky_ok(const char *text)
{
    const char *bar = strchr(text, '|');

    return bar == NULL || (bar > text && bar[1] != '\0' && strchr(bar + 1, '|') == NULL);
}

static int text_ok(const rp_field_row_t *row, const char *text)
{
    apr_int64_t n = (apr_int64_t)strlen(text);

    if (has_control(text)) {
        return 0;
    }
    if (row->kind == RP_FIELD_WORD) {
        return word_known(row, text) && (row->words != NULL || (n >= row->min && n <= row->max));
    }
    return n <= row->max && (row->id != RP_FIELD_STICKYSESSION || sticky_ok(text));
}

int rp_field_check(apr_pool_t *pool, const rp_field_row_t *row, const char *name, const rp_field_value_t *value,
                   const char *shown, rp_field_error_t *error)
{
    int is_text = row->kind == RP_FIELD_TEXT || row->kind == RP_FIELD_WORD;
    int good = is_text ? value->text != NULL && text_ok(row, value->text)
                       : value->number >= row->min && value->number <= row->max;

    if (!good) {
        error->field = name;
        error->legal = rp_field_legal(pool, row);
        error->message = apr_psprintf(pool, "%s: \"%.100s\" is not %s", name, shown, error->legal);
    }
    return good;
}

/* ---- values of a form ---- */

/* Digits, and for decimals further digits behind a point: those after the second are cut off. -1: no such number. */
static apr_int64_t number_of(const char *text, int decimals)
{
    apr_int64_t n = 0;
    int digits = 0, scale = 0;

    for (; *text >= '0' && *text <= '9'; text++, digits++) {
        n = n * 10 + (*text - '0');
        if (n > INT_MAX) {
            return -1;
        }
    }
    if (decimals && *text == '.') {
        for (text++; *text >= '0' && *text <= '9'; text++, digits++) {
            n = scale < 2 ? n * 10 + (*text - '0') : n;
            scale += scale < 2;
        }
    }
    for (; decimals && scale < 2; scale++) {
        n *= 10;
    }
    return digits > 0 && *text == '\0' ? n : -1;
}

int rp_field_parse(apr_pool_t *pool, const rp_field_row_t *row, const char *text, rp_field_value_t *out,
                   rp_field_error_t *error)
{
    memset(out, 0, sizeof(*out));
    if (row->kind == RP_FIELD_TEXT || row->kind == RP_FIELD_WORD) {
        out->text = row->id == RP_FIELD_STICKYSESSION && strcmp(text, "-") == 0 ? "" : apr_pstrdup(pool, text);
    }
    else {
        out->number = number_of(text, row->kind == RP_FIELD_DECIMAL_X100);
    }
    return rp_field_check(pool, row, row->form, out, text, error);
}

/* ---- states ---- */

const char *rp_state_word(unsigned status)
{
    static const struct {
        unsigned flag;
        const char *word;
    } words[] = {{RP_ST_IN_SHUTDOWN, "shutting down"}, {RP_ST_STOPPED, "stopped"}, {RP_ST_DISABLED, "disabled"},
                 {RP_ST_HC_FAIL, "health check failed"}, {RP_ST_IN_ERROR, "in error"}, {RP_ST_DRAIN, "draining"},
                 {RP_ST_HOT_STANDBY, "standby"}, {RP_ST_HOT_SPARE, "spare"}};
    size_t i;

    if (!(status & RP_ST_INITIALIZED)) {
        return "not set up";
    }
    if ((status & RP_ST_IGNORE_ERRORS)
        && !(status & (RP_ST_IN_SHUTDOWN | RP_ST_STOPPED | RP_ST_DISABLED | RP_ST_HC_FAIL))) {
        status &= ~(unsigned)RP_ST_IN_ERROR;
    }
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (status & words[i].flag) {
            return words[i].word;
        }
    }
    return "usable";
}
