/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of the API: JSON as wishes. */
#include <apr_strings.h>
#include <string.h>

#include "balancer/api_json.h"

static int wrong(apr_pool_t *pool, rp_field_error_t *error, const char *field, const char *message, const char *legal)
{
    error->field = field;
    error->legal = legal;
    error->message = field ? apr_psprintf(pool, "%s: %s", field, message) : message;
    return 0;
}

static const char *shown(apr_pool_t *pool, const json_t *v)
{
    char *dump = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
    const char *out = dump != NULL ? apr_pstrndup(pool, dump, 60) : "?";

    free(dump);
    return out;
}

/* A JSON value as the kind of its row; 0: it is of another kind. */
static int value_read(apr_pool_t *pool, const rp_field_row_t *row, const json_t *v, rp_field_value_t *out)
{
    memset(out, 0, sizeof(*out));
    switch (row->kind) {
    case RP_FIELD_SWITCH:
        out->number = json_is_true(v);
        return json_is_boolean(v);
    case RP_FIELD_NUMBER:
        out->number = json_integer_value(v);
        return json_is_integer(v);
    case RP_FIELD_DECIMAL_X100:
        if (!json_is_number(v) || json_number_value(v) < 0 || json_number_value(v) > 1e6) {
            return 0;
        }
        out->number = (apr_int64_t)(json_number_value(v) * 100 + 1e-6); /* 1.15 is a little less than that */
        return 1;
    case RP_FIELD_TEXT:
    case RP_FIELD_WORD:
        out->text = json_is_null(v) ? "" : apr_pstrdup(pool, json_string_value(v));
        return out->text != NULL;
    }
    return 0;
}

static int change_add(apr_pool_t *pool, const rp_field_row_t *row, const char *key, const json_t *v, rp_api_wish_t *out,
                      rp_field_error_t *error)
{
    const char *name = apr_pstrdup(pool, key);
    rp_change_t change = {row, {0, NULL}};

    if (!value_read(pool, row, v, &change.value)) {
        const char *legal = rp_field_legal(pool, row);
        return wrong(pool, error, name, apr_psprintf(pool, "%s is not %s", shown(pool, v), legal), legal);
    }
    if (!rp_field_check(pool, row, name, &change.value, shown(pool, v), error)) {
        return 0;
    }
    APR_ARRAY_PUSH(out->changes, rp_change_t) = change;
    return 1;
}

static const char *names_of(apr_pool_t *pool, int of_balancer, int flags)
{
    const char *list = "";
    int i;

    for (i = 0; i < RP_FIELD_COUNT; i++) {
        const rp_field_row_t *row = rp_field_row((rp_field_e)i);
        if (row->of_balancer == of_balancer && (row->flag != 0) == flags) {
            list = apr_pstrcat(pool, list, *list ? ", " : "", row->json, NULL);
        }
    }
    return flags || of_balancer ? list : apr_pstrcat(pool, list, ", status", NULL);
}

/* "status": {"draining": true} */
static int status_read(apr_pool_t *pool, json_t *status, rp_api_wish_t *out, rp_field_error_t *error)
{
    const char *key;
    json_t *v;

    if (!json_is_object(status)) {
        return wrong(pool, error, "status", "it is an object such as {\"draining\": true}", names_of(pool, 0, 1));
    }
    json_object_foreach(status, key, v) {
        const rp_field_row_t *row = rp_field_by_json(0, key);

        if (row == NULL || row->flag == 0) {
            const char *legal = names_of(pool, 0, 1);
            return wrong(pool, error, apr_pstrcat(pool, "status.", key, NULL),
                         apr_psprintf(pool, "there is no such flag to set; there are %s", legal), legal);
        }
        if (!change_add(pool, row, apr_pstrcat(pool, "status.", key, NULL), v, out, error)) {
            return 0;
        }
    }
    return 1;
}

static int text_read(apr_pool_t *pool, const char *key, const json_t *v, apr_size_t max, const char **out,
                     rp_field_error_t *error)
{
    const char *s = json_string_value(v);
    const char *p;

    for (p = s; p != NULL && *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            s = NULL;
            break;
        }
    }
    if (s == NULL || strlen(s) > max) {
        const char *legal =
            apr_psprintf(pool, "a text of at most %" APR_SIZE_T_FMT " bytes without control characters", max);
        return wrong(pool, error, apr_pstrdup(pool, key), apr_psprintf(pool, "%s is not %s", shown(pool, v), legal),
                     legal);
    }
    *out = apr_pstrdup(pool, s);
    return 1;
}

static int drain_read(apr_pool_t *pool, const char *key, const json_t *v, rp_api_wish_t *out, rp_field_error_t *error)
{
    if (strcmp(key, "deadline_s") == 0) {
        const char *legal = apr_psprintf(pool, "a whole number from 0 to %d", RP_API_DRAIN_MAX);

        if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > RP_API_DRAIN_MAX) {
            return wrong(pool, error, "deadline_s", apr_psprintf(pool, "%s is not %s", shown(pool, v), legal), legal);
        }
        out->deadline_s = (int)json_integer_value(v);
        return 1;
    }
    if (strcmp(key, "then") == 0) {
        const char *s = json_string_value(v), *legal = "one of stopped, disabled, removed";

        if (s == NULL || (strcmp(s, "stopped") != 0 && strcmp(s, "disabled") != 0 && strcmp(s, "removed") != 0)) {
            return wrong(pool, error, "then", apr_psprintf(pool, "%s is not %s", shown(pool, v), legal), legal);
        }
        out->then = apr_pstrdup(pool, s);
        return 1;
    }
    return wrong(pool, error, apr_pstrdup(pool, key), "there is no such field; there are deadline_s, then, reason",
                 "deadline_s, then, reason");
}

static int key_read(apr_pool_t *pool, rp_api_body_e kind, const char *key, json_t *v, rp_api_wish_t *out,
                    rp_field_error_t *error)
{
    int of_balancer = kind == RP_BODY_BALANCER;
    const rp_field_row_t *row = rp_field_by_json(of_balancer, key);

    if (strcmp(key, "reason") == 0) {
        return text_read(pool, key, v, 80, &out->reason, error);
    }
    if (kind == RP_BODY_DRAIN) {
        return drain_read(pool, key, v, out, error);
    }
    if (kind == RP_BODY_NEW_MEMBER && strcmp(key, "url") == 0) {
        return text_read(pool, key, v, 383, &out->url, error);
    }
    if (!of_balancer && strcmp(key, "status") == 0) {
        return status_read(pool, v, out, error);
    }
    if (row == NULL || row->flag != 0) {
        const char *legal = names_of(pool, of_balancer, 0);
        return wrong(pool, error, apr_pstrndup(pool, key, 60),
                     apr_psprintf(pool, "there is no such field to set; there are %s", legal), legal);
    }
    return change_add(pool, row, key, v, out, error);
}

int rp_json_wish(apr_pool_t *pool, rp_api_body_e kind, const char *body, apr_size_t n, rp_api_wish_t *out,
                 rp_field_error_t *error)
{
    json_error_t where;
    json_t *root = NULL, *v;
    const char *key;
    int good = 1;

    memset(out, 0, sizeof(*out));
    memset(error, 0, sizeof(*error));
    out->changes = apr_array_make(pool, 4, sizeof(rp_change_t));
    out->deadline_s = -1;
    out->then = "stopped";
    if (n > 0) {
        root = json_loadb(body, n, JSON_REJECT_DUPLICATES, &where);
    }
    else if (kind == RP_BODY_DRAIN) {
        return 1; /* all of it has defaults */
    }
    if (root == NULL) {
        return wrong(pool, error, NULL,
                     n == 0 ? "the body is empty; send a JSON object"
                            : apr_psprintf(pool, "the body is no JSON: %s (line %d, column %d)", where.text, where.line,
                                           where.column),
                     NULL);
    }
    if (!json_is_object(root)) {
        good = wrong(pool, error, NULL, "the body is not a JSON object", NULL);
    }
    else {
        json_object_foreach(root, key, v) {
            good = good && key_read(pool, kind, key, v, out, error);
        }
    }
    if (good && kind == RP_BODY_NEW_MEMBER && out->url == NULL) {
        good = wrong(pool, error, "url", "it is missing; write for example \"url\": \"http://192.0.2.1:8080\"", NULL);
    }
    if (good && kind <= RP_BODY_MEMBER && out->changes->nelts == 0) {
        good = wrong(
            pool, error, NULL,
            apr_psprintf(pool, "the body sets nothing; there are %s", names_of(pool, kind == RP_BODY_BALANCER, 0)),
            NULL);
    }
    json_decref(root);
    return good;
}
