/* SPDX-License-Identifier: Apache-2.0 */
/* The manager's forms: what a member or balancer is set to, one labelled control each; and the question before what
 * drops traffic. */
#include <apr_strings.h>
#include <string.h>

#include "balancer/manager_page.h"

static void hidden(rp_text_t *t, const char *name, const char *value)
{
    rp_text_add(t, "<input type=\"hidden\" name=\"");
    rp_text_esc(t, name);
    rp_text_add(t, "\" value=\"");
    rp_text_esc(t, value);
    rp_text_add(t, "\">\n");
}

/* The start of a form. ask=1: people are asked before traffic is dropped; etag: nobody else changed it since. Scripts
 * send neither. */
static void form_begin(rp_text_t *t, const rp_page_t *page, const char *label)
{
    rp_text_addf(t, "<form method=\"post\" enctype=\"application/x-www-form-urlencoded\" aria-label=\"%s\" action=\"",
                 label);
    rp_text_esc(t, page->self);
    rp_text_add(t, "\">\n");
    hidden(t, "b", page->balancer->name);
    if (page->member != NULL) {
        hidden(t, "w", page->member->url);
    }
    hidden(t, "nonce", page->balancer->nonce);
    hidden(t, "etag", page->member != NULL ? page->member->etag : page->balancer->etag);
    hidden(t, "ask", "1");
}

static void option(rp_text_t *t, const char *word, const char *now)
{
    rp_text_add(t, "<option value=\"");
    rp_text_esc(t, word);
    rp_text_add(t, strcmp(word, now) == 0 ? "\" selected>" : "\">");
    rp_text_esc(t, *word ? word : "(none)");
    rp_text_add(t, "</option>");
}

/* words: NULL behind the last, or NULL: only what it is now. */
static void select_control(rp_text_t *t, const rp_field_row_t *row, const char *now, const char *const *words)
{
    int i, seen = 0;

    rp_text_addf(t, "<select id=\"%s\" name=\"%s\" aria-describedby=\"%s_d\">", row->form, row->form, row->form);
    for (i = 0; words != NULL && words[i] != NULL; i++) {
        option(t, words[i], now);
        seen |= strcmp(words[i], now) == 0;
    }
    if (!seen) {
        option(t, now, now);
    }
    rp_text_add(t, "</select>");
}

static void input_control(rp_text_t *t, const rp_field_row_t *row, const char *now)
{
    int is_text = row->kind == RP_FIELD_TEXT || row->kind == RP_FIELD_WORD;

    rp_text_addf(t, "<input id=\"%s\" name=\"%s\" aria-describedby=\"%s_d\" ", row->form, row->form, row->form);
    if (is_text) {
        rp_text_addf(t, "type=\"text\" maxlength=\"%d\"", (int)row->max);
    }
    else if (row->kind == RP_FIELD_DECIMAL_X100) {
        rp_text_addf(t, "type=\"number\" step=\"0.01\" min=\"%d\" max=\"%d\"", (int)(row->min / 100),
                     (int)(row->max / 100));
    }
    else {
        rp_text_addf(t, "type=\"number\" min=\"%d\" max=\"%d\"", (int)row->min, (int)row->max);
    }
    rp_text_add(t, " value=\"");
    rp_text_esc(t, now);
    rp_text_add(t, "\">");
}

static void switch_control(rp_text_t *t, const rp_field_row_t *row, int on)
{
    int i;

    rp_text_addf(t, "<span role=\"radiogroup\" aria-labelledby=\"%s_l\" aria-describedby=\"%s_d\">", row->form,
                 row->form);
    for (i = 1; i >= 0; i--) {
        rp_text_addf(t, "<label><input type=\"radio\" name=\"%s\" id=\"%s_%d\" value=\"%d\"%s> %s</label> ", row->form,
                     row->form, i, i, on == i ? " checked" : "", i ? "On" : "Off");
    }
    rp_text_add(t, "</span>");
}

static void field(rp_text_t *t, const rp_page_t *page, const rp_show_value_t *fields, rp_field_e id)
{
    const rp_field_row_t *row = rp_field_row(id);
    const rp_show_value_t *v = &fields[id];
    const char *now = v->known ? rp_field_str(t->pool, row, &v->value) : "";

    if (!v->known) {
        return;
    }
    if (id == RP_FIELD_STICKYSESSION && *now == '\0') {
        now = "-";
    }
    if (row->kind == RP_FIELD_SWITCH) {
        rp_text_addf(t, "<div class=\"field\"><span id=\"%s_l\">%s%s%c%s</span>", row->form, row->label,
                     row->letter ? " (" : "", row->letter ? row->letter : ' ', row->letter ? ")" : "");
        switch_control(t, row, v->value.number != 0);
    }
    else {
        rp_text_addf(t, "<div class=\"field\"><label for=\"%s\">%s</label>", row->form, row->label);
        if (row->kind == RP_FIELD_WORD && id != RP_FIELD_HCEXPR) {
            select_control(t, row, now, id == RP_FIELD_LBMETHOD ? page->methods : row->words);
        }
        else {
            input_control(t, row, now);
        }
    }
    rp_text_addf(t, "<span class=\"small\" id=\"%s_d\">%s From: %s.</span></div>\n", row->form, row->help,
                 rp_show_origin_str(v->origin));
}

/* A group of the fields first..last that are known; nothing when none is. */
static void group(rp_text_t *t, const rp_page_t *page, const rp_show_value_t *fields, const char *legend,
                  rp_field_e first, rp_field_e last)
{
    int i, any = 0;

    for (i = first; i <= (int)last; i++) {
        any |= fields[i].known;
    }
    if (!any) {
        return;
    }
    rp_text_addf(t, "<fieldset><legend>%s</legend>\n", legend);
    for (i = first; i <= (int)last; i++) {
        field(t, page, fields, (rp_field_e)i);
    }
    rp_text_add(t, "</fieldset>\n");
}

static void member_forms(rp_text_t *t, const rp_page_t *page)
{
    const rp_show_member_t *m = page->member;

    rp_text_add(t, "<h3>Edit worker settings for ");
    rp_text_esc(t, m->url);
    rp_text_add(t, "</h3>\n");
    form_begin(t, page, "Worker settings");
    group(t, page, m->fields, "Share and sessions", RP_FIELD_LOADFACTOR, RP_FIELD_REDIRECT);
    group(t, page, m->fields, "State", RP_FIELD_IGNORE_ERRORS, RP_FIELD_HC_FAILED);
    group(t, page, m->fields, "Health check", RP_FIELD_HCMETHOD, RP_FIELD_HCHOST);
    rp_text_add(t, "<button type=\"submit\">Submit</button></form>\n");
    if (m->added) {
        form_begin(t, page, "Remove worker");
        hidden(t, "w_remove", "1");
        rp_text_add(t, "<button type=\"submit\" class=\"danger\">Remove this worker</button>\n<span class=\"small\">It "
                       "was added at run "
                       "time. Requests under way to it go on.</span></form>\n");
    }
}

static void balancer_forms(rp_text_t *t, const rp_page_t *page)
{
    const rp_show_balancer_t *b = page->balancer;

    rp_text_add(t, "<h3>Edit balancer settings for ");
    rp_text_esc(t, b->full_name);
    rp_text_add(t, "</h3>\n");
    form_begin(t, page, "Balancer settings");
    group(t, page, b->fields, "Settings", RP_FIELD_LBMETHOD, RP_FIELD_STICKYSESSION);
    rp_text_add(t, "<button type=\"submit\">Submit</button></form>\n");
    if (b->nused >= b->nslots) {
        rp_text_add(
            t, "<p>There is no place for a further worker: <code>growth=</code> of this balancer makes room.</p>\n");
        return;
    }
    form_begin(t, page, "Add worker");
    rp_text_addf(
        t,
        "<fieldset><legend>Add New Worker</legend>\n<div class=\"field\"><label for=\"b_nwrkr\">URL</label><input "
        "id=\"b_nwrkr\" "
        "name=\"b_nwrkr\" type=\"text\" size=\"32\" maxlength=\"383\" aria-describedby=\"b_nwrkr_d\"><span "
        "class=\"small\" "
        "id=\"b_nwrkr_d\">For example http://192.0.2.1:8080. It begins disabled. Places left: %d.</span></div>\n"
        "<label><input type=\"checkbox\" name=\"b_wyes\" id=\"b_wyes\" value=\"1\"> Are you sure?</label></fieldset>\n"
        "<button type=\"submit\">Add worker</button></form>\n",
        b->nslots - b->nused);
}

static int add_hidden(void *data, const char *name, const char *value)
{
    hidden(data, name, value);
    return 1;
}

static void question(rp_text_t *t, const rp_page_t *page)
{
    int i;

    rp_text_add(
        t, "<form method=\"post\" enctype=\"application/x-www-form-urlencoded\" aria-labelledby=\"ask\" action=\"");
    rp_text_esc(t, page->self);
    rp_text_add(t, "\">\n<h2 id=\"ask\">This drops traffic. Do it?</h2>\n<ul>\n");
    for (i = 0; i < page->ask->nelts; i++) {
        rp_text_add(t, "<li>");
        rp_text_esc(t, APR_ARRAY_IDX(page->ask, i, const char *));
        rp_text_add(t, "</li>\n");
    }
    rp_text_add(t, "</ul>\n");
    (void)apr_table_do(add_hidden, t, page->posted, NULL);
    rp_text_add(t,
                "<button type=\"submit\" name=\"confirm\" value=\"1\" class=\"danger\">Yes, do it</button> <a href=\"");
    rp_text_esc(t, page->self);
    rp_text_add(t, "\">No, back to the overview</a></form>\n");
}

void rp_page_forms(rp_text_t *t, const rp_page_t *page)
{
    if (page->ask != NULL) {
        question(t, page);
    }
    else if (*page->balancer->nonce == '\0') {
        rp_text_add(t, "<p class=\"note wrong\" role=\"alert\">The nonce of this balancer is None: nothing of it can "
                       "be changed here.</p>\n");
    }
    else if (page->member != NULL) {
        member_forms(t, page);
    }
    else {
        balancer_forms(t, page);
    }
}
