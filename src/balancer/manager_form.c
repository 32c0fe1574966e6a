/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/manager_form.h"

#include <apr_strings.h>
#include <apr_uri.h>
#include <string.h>
#include <strings.h>

static void read_field(apr_pool_t *pool, const rp_field_row_t *row, const char *text, const rp_show_value_t *now,
                       rp_form_t *out)
{
    rp_change_t change = {row, {0, NULL}};
    rp_field_error_t error = {0};
    int is_text = row->kind == RP_FIELD_TEXT || row->kind == RP_FIELD_WORD;

    if (!is_text && *text == '\0') {
        return;
    }
    if (!rp_field_parse(pool, row, text, &change.value, &error)) {
        APR_ARRAY_PUSH(out->wrong, const char *) =
            apr_pstrcat(pool, row->label, " is as it was: ", error.message, NULL);
        return;
    }
    if (!now->known || !rp_field_equal(row, &now->value, &change.value)) {
        APR_ARRAY_PUSH(out->changes, rp_change_t) = change;
    }
}

rp_form_t rp_form_read(apr_pool_t *pool, const apr_table_t *params, const rp_show_balancer_t *b,
                       const rp_show_member_t *m)
{
    rp_form_t out = {apr_array_make(pool, 4, sizeof(rp_change_t)), apr_array_make(pool, 2, sizeof(const char *))};
    int i;

    for (i = 0; i < RP_FIELD_COUNT; i++) {
        const rp_field_row_t *row = rp_field_row((rp_field_e)i);
        const char *text = row->of_balancer == (m == NULL) ? apr_table_get(params, row->form) : NULL;

        if (text != NULL) {
            read_field(pool, row, text, m != NULL ? &m->fields[i] : &b->fields[i], &out);
        }
    }
    return out;
}

apr_array_header_t *rp_form_drops(apr_pool_t *pool, const rp_form_t *form, const rp_show_member_t *m)
{
    apr_array_header_t *out = NULL;
    int i;

    for (i = 0; m != NULL && i < form->changes->nelts; i++) {
        const rp_change_t *c = &APR_ARRAY_IDX(form->changes, i, rp_change_t);

        if (c->row->drops && c->value.number != 0) {
            out = out != NULL ? out : apr_array_make(pool, 2, sizeof(const char *));
            APR_ARRAY_PUSH(out, const char *) = apr_psprintf(pool, "%s: %s On. %s Under way to it now: %u.", m->url,
                                                             c->row->label, c->row->help, m->busy);
        }
    }
    return out;
}

/* Without the brackets of an IPv6 address. */
static const char *bare(apr_pool_t *pool, const char *host)
{
    apr_size_t n = strlen(host);

    return n > 2 && host[0] == '[' && host[n - 1] == ']' ? apr_pstrmemdup(pool, host + 1, n - 2) : host;
}

int rp_form_referer_ok(apr_pool_t *pool, const char *referer, const char *host)
{
    apr_uri_t uri;

    if (referer == NULL || host == NULL || apr_uri_parse(pool, referer, &uri) != APR_SUCCESS || uri.hostname == NULL) {
        return 0;
    }
    return strcasecmp(bare(pool, uri.hostname), bare(pool, host)) == 0;
}

int rp_form_nonce_ok(const char *given, const char *nonce)
{
    apr_size_t n = strlen(nonce), i;
    unsigned differ = 0;

    if (given == NULL || n == 0 || strlen(given) != n) {
        return 0;
    }
    for (i = 0; i < n; i++) {
        differ |= (unsigned char)given[i] ^ (unsigned char)nonce[i];
    }
    return differ == 0;
}
