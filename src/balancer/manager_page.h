/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file manager_page.h
 * The balancer manager as HTML and as XML, from a view. Pure: libc and APR.
 */
#ifndef RP_BALANCER_MANAGER_PAGE_H
#define RP_BALANCER_MANAGER_PAGE_H

#include "balancer/api_view.h"
#include "balancer/manager_text.h"

/** A line above everything else. */
typedef struct rp_page_note_t {
    int bad;                          /**< 1: something was not done */
    const char *text;
} rp_page_note_t;

/** What a page is about, besides the view. Strings live as long as the page is made. */
typedef struct rp_page_t {
    const char *self;                 /**< path of the manager */
    const rp_show_balancer_t *balancer; /**< chosen for editing, or NULL */
    const rp_show_member_t *member;   /**< of it, or NULL */
    apr_array_header_t *notes;        /**< of rp_page_note_t */
    int refresh_s;                    /**< load again after this time, 0: no */
    const char *const *methods;       /**< names for lbmethod, NULL behind the last */
    apr_array_header_t *ask;          /**< of const char *: what happens if it is done; or NULL: nothing to confirm */
    const apr_table_t *posted;        /**< with ask: the parameters to send again */
} rp_page_t;

/** The whole page. */
const char *rp_page_html(apr_pool_t *pool, const rp_show_t *show, const rp_page_t *page);

/** The tables of exchanges under way and of events, for this page and others. */
void rp_page_flights(rp_text_t *t, const rp_show_t *show);

/** The forms for the chosen balancer or member. */
void rp_page_forms(rp_text_t *t, const rp_page_t *page);

/** Chart of a member's last samples, as inline SVG with a text for those who do not see it. */
void rp_page_chart(rp_text_t *t, const rp_show_member_t *m, apr_interval_time_t every_us);

/** The document for ?xml=1. */
const char *rp_page_xml(apr_pool_t *pool, const rp_show_t *show);

#endif
