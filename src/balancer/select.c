/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/select.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#define ERROR_BLOCKS (RP_ST_IN_SHUTDOWN | RP_ST_DISABLED | RP_ST_STOPPED | RP_ST_HC_FAIL | RP_ST_FREE)

int rp_member_usable(const rp_member_view_t *m, apr_time_t now_us)
{
    if (!(m->status & RP_ST_INITIALIZED) || (m->status & ERROR_BLOCKS)) {
        return 0;
    }
    if (!(m->status & RP_ST_IN_ERROR) || (m->status & RP_ST_IGNORE_ERRORS)) {
        return 1;
    }
    return m->error_us == 0 || now_us > m->error_us + m->retry_us; /* 0: put there by the configuration, when is not known */
}

static int can_take(const rp_balancer_view_t *view, int i)
{
    return !view->members[i].tried && rp_member_usable(&view->members[i], view->now_us);
}

static void offer(rp_choice_t *out, int i)
{
    out->candidates[out->ncandidates++] = i;
}

/* The first n usable ones with this flag. */
static void offer_flagged(const rp_balancer_view_t *view, int lbset, unsigned flag, int n, rp_choice_t *out)
{
    int i;

    for (i = 0; i < view->n && n > 0; i++) {
        const rp_member_view_t *m = &view->members[i];
        unsigned kind = m->status & (RP_ST_HOT_SPARE | RP_ST_HOT_STANDBY);

        /* a member that is both counts as a spare */
        if (m->lbset == lbset && (kind & RP_ST_HOT_SPARE ? RP_ST_HOT_SPARE : kind) == flag
            && !(m->status & RP_ST_DRAIN) && can_take(view, i)) {
            offer(out, i);
            n--;
        }
    }
}

/* Who of one set may be chosen: members in order; a spare for each unusable one; standbys when nobody else is there. */
static void gather_set(const rp_balancer_view_t *view, int lbset, rp_choice_t *out)
{
    int i, unusable = 0;

    out->ncandidates = 0;
    for (i = 0; i < view->n; i++) {
        const rp_member_view_t *m = &view->members[i];

        if (m->lbset != lbset || (m->status & (RP_ST_HOT_SPARE | RP_ST_HOT_STANDBY))) {
            continue;
        }
        if ((m->status & RP_ST_DRAIN) || !can_take(view, i)) {
            unusable++;
        }
        else {
            offer(out, i);
        }
    }
    offer_flagged(view, lbset, RP_ST_HOT_SPARE, unusable, out);
    if (out->ncandidates == 0) {
        offer_flagged(view, lbset, RP_ST_HOT_STANDBY, view->n, out);
    }
}

/* The smallest set number above after, or -1. */
static int next_set(const rp_balancer_view_t *view, int after)
{
    int i, best = -1;

    for (i = 0; i < view->n; i++) {
        int set = view->members[i].lbset;
        if (set > after && (best < 0 || set < best)) {
            best = set;
        }
    }
    return best;
}

/* Only as much of it as the members of this balancer need. */
static void choice_init(rp_choice_t *out, int nmembers)
{
    out->member = -1;
    out->ncandidates = 0;
    memset(out->lbstatus_delta, 0, sizeof(out->lbstatus_delta[0]) * (apr_size_t)nmembers);
}

void rp_select(const rp_balancer_view_t *view, const rproxy_lbmethod_t *method, const rproxy_lbcontext_t *context,
               rp_choice_t *out)
{
    const rproxy_lbmember_t *offered[RP_MEMBERS_MAX];
    int set, i;

    choice_init(out, view->n);
    for (set = next_set(view, -1); set >= 0; set = next_set(view, set)) {
        gather_set(view, set, out);
        if (out->ncandidates > 0) {
            break;
        }
    }
    if (out->ncandidates == 0) {
        return;
    }
    for (i = 0; i < out->ncandidates; i++) {
        offered[i] = &view->members[out->candidates[i]].lb;
    }
    i = method->select(offered, out->ncandidates, context, out->lbstatus_delta);
    out->member = out->candidates[i >= 0 && i < out->ncandidates ? i : 0];
}

/* A member with that route: those that are no standby first. -1 none. *known: somebody has it, usable or not. */
static int route_member(const rp_balancer_view_t *view, const char *route, int *known)
{
    int standby, i, unusable = -1;

    for (standby = 0; standby < 2; standby++) {
        for (i = 0; i < view->n; i++) {
            const rp_member_view_t *m = &view->members[i];

            if (m->route == NULL || strcmp(m->route, route) != 0 || !!(m->status & RP_ST_HOT_STANDBY) != standby) {
                continue;
            }
            if (can_take(view, i)) {
                return i;
            }
            unusable = unusable < 0 ? i : unusable;
        }
    }
    *known = unusable;
    return -1;
}

/* Sessions shift the others' share: every usable member earns its weight, the session's one pays. */
static void charge_sticky(const rp_balancer_view_t *view, int chosen, rp_choice_t *out)
{
    int i, total = 0, place = 0;

    out->ncandidates = 0;
    for (i = 0; i < view->n; i++) {
        if (!rp_member_usable(&view->members[i], view->now_us)) {
            continue;
        }
        place = i == chosen ? out->ncandidates : place;
        out->lbstatus_delta[out->ncandidates] = view->members[i].lb.weight_x100;
        total += view->members[i].lb.weight_x100;
        offer(out, i);
    }
    out->lbstatus_delta[place] -= total;
    out->member = chosen;
}

rp_route_result_e rp_select_route(const rp_balancer_view_t *view, const char *route, rp_choice_t *out, int *redirected)
{
    int hops, known = -1;

    choice_init(out, view->n);
    *redirected = 0;
    for (hops = 0; hops <= view->n; hops++) {
        int at = -1;
        int member = route_member(view, route, &at);

        if (member >= 0) {
            *redirected = hops > 0;
            charge_sticky(view, member, out);
            return RP_ROUTE_FOUND;
        }
        if (at < 0) {
            break;
        }
        known = known < 0 ? at : known;
        if (view->members[at].redirect == NULL || view->members[at].redirect[0] == '\0') {
            break;
        }
        route = view->members[at].redirect;
    }
    return known >= 0 ? RP_ROUTE_UNUSABLE : RP_ROUTE_NONE;
}

int rp_all_in_error(const rp_balancer_view_t *view)
{
    int i;

    for (i = 0; i < view->n; i++) {
        if (view->members[i].tried) {
            continue;
        }
        if (!(view->members[i].status & RP_ST_IN_ERROR) || rp_member_usable(&view->members[i], view->now_us)) {
            return 0;
        }
    }
    return view->n > 0;
}

static const struct {
    unsigned flag;
    char letter;
} letters[] = {{RP_ST_INITIALIZED, 'O'}, {RP_ST_IGNORE_ERRORS, 'I'}, {RP_ST_DRAIN, 'N'},       {RP_ST_GENERIC, 'G'},
               {RP_ST_IN_SHUTDOWN, 'U'}, {RP_ST_DISABLED, 'D'},      {RP_ST_STOPPED, 'S'},     {RP_ST_IN_ERROR, 'E'},
               {RP_ST_HOT_STANDBY, 'H'}, {RP_ST_FREE, 'F'},          {RP_ST_HC_FAIL, 'C'},     {RP_ST_HOT_SPARE, 'R'}};

char rp_flag_letter(unsigned flag)
{
    apr_size_t i;

    for (i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
        if (letters[i].flag == flag) {
            return letters[i].letter;
        }
    }
    return '?';
}

unsigned rp_flag_of(char letter)
{
    apr_size_t i;

    for (i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
        if (letters[i].letter == apr_toupper(letter)) {
            return letters[i].flag;
        }
    }
    return 0;
}

void rp_status_text(unsigned status, char *out, apr_size_t size)
{
    static const struct {
        unsigned flag;
        const char *word;
    } words[] = {{RP_ST_INITIALIZED, "Init "}, {RP_ST_IGNORE_ERRORS, "Ign "}, {RP_ST_DRAIN, "Drn "},  {RP_ST_GENERIC, "Gen "},
                 {RP_ST_IN_SHUTDOWN, "Shut "}, {RP_ST_DISABLED, "Dis "},      {RP_ST_STOPPED, "Stop "}, {RP_ST_IN_ERROR, "Err "},
                 {RP_ST_HOT_STANDBY, "Stby "}, {RP_ST_HOT_SPARE, "Spar "},    {RP_ST_FREE, "Free "},   {RP_ST_HC_FAIL, "HcFl "}};
    char *p = out, *end = out + size;
    apr_size_t i;

    *p = '\0';
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (status & words[i].flag) {
            p = apr_cpystrn(p, words[i].word, (apr_size_t)(end - p));
        }
    }
    if ((status & RP_ST_INITIALIZED) && !(status & (ERROR_BLOCKS | RP_ST_IN_ERROR))) {
        p = apr_cpystrn(p, "Ok ", (apr_size_t)(end - p));
    }
    if (p == out) {
        (void)apr_cpystrn(p, "??? ", (apr_size_t)(end - p));
    }
}
