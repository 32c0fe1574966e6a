/* SPDX-License-Identifier: Apache-2.0 */
/* Which lane a request takes: what is known not to block runs on the loop, all else on a helper. */
#include "engine/owned_int.h"

#include <string.h>
#include <strings.h>

/* Filters that neither wait nor read from disks, networks or other processes. */
static const char *const harmless[] = {
    "BYTERANGE", "CONTENT_LENGTH", "HTTP_HEADER", "HTTP_OUTERROR", "HTTP_IN", "CHUNK", "DEFLATE", "INFLATE", "BROTLI_COMPRESS",
    "MOD_EXPIRES", "FIXUP_HEADERS_OUT", "FIXUP_HEADERS_ERR", "OLD_WRITE", "SUBSTITUTE", "REQTIMEOUT", "LOG_INPUT_OUTPUT", "SSL/TLS FILTER",
    "SSL/TLS COALESCING FILTER", "RPROXY_IN", "RPROXY_NET_IN", "RPROXY_OUT", "CORE", "CORE_IN", "REQUEST_BODY", "KEPT_BODY", "DUMPIO_IN", "DUMPIO_OUT",
    "BUFFER", "REMOTEIP_INPUT", NULL};

#define BY_TYPE "BYTYPE:" /* AddOutputFilterByType puts in a filter of this name and that of the one that it may call; unregistered */
#define NAMES (sizeof(harmless) / sizeof(harmless[0]))
#define PLACES 256 /* a power of two, several times what is in it, so that a look-up meets a free place soon */

_Static_assert(4 * NAMES <= PLACES, "at most half of the places are taken");

/* Those that are registered, each at the place of its address or behind it, so that requests compare addresses; const once a child runs. */
static const ap_filter_rec_t *known[PLACES];
/* Names of registered output filters: what may stand behind BY_TYPE. The registry of httpd walks a tree for each letter. */
static const char *by_type[NAMES];

static unsigned place_of(const ap_filter_rec_t *filter)
{
    apr_uintptr_t at = (apr_uintptr_t)filter;

    return (unsigned)(at >> 4 ^ at >> 12) % PLACES;
}

static void know(const ap_filter_rec_t *filter)
{
    unsigned at = place_of(filter);

    if (filter == NULL) {
        return;
    }
    while (known[at] != NULL && known[at] != filter) {
        at = (at + 1) % PLACES;
    }
    known[at] = filter;
}

void rp_lane_child_init(void)
{
    int i, n = 0;

    memset(known, 0, sizeof(known));
    memset(by_type, 0, sizeof(by_type));
    for (i = 0; harmless[i] != NULL; i++) {
        const ap_filter_rec_t *out = ap_get_output_filter_handle(harmless[i]);

        know(out);
        know(ap_get_input_filter_handle(harmless[i]));
        if (out != NULL) {
            by_type[n++] = harmless[i];
        }
    }
}

static int is_known(const ap_filter_rec_t *filter)
{
    unsigned at;

    for (at = place_of(filter); known[at] != NULL; at = (at + 1) % PLACES) {
        if (known[at] == filter) {
            return 1;
        }
    }
    return 0;
}

static int is_harmless_name(const char *name)
{
    int i;

    for (i = 0; by_type[i] != NULL; i++) {
        if ((*name | 0x20) == (*by_type[i] | 0x20) && !strcasecmp(name, by_type[i])) {
            return 1;
        }
    }
    return 0;
}

static int is_harmless(const ap_filter_rec_t *filter)
{
    if (is_known(filter)) {
        return 1;
    }
    return !strncasecmp(filter->name, BY_TYPE, sizeof(BY_TYPE) - 1) && is_harmless_name(filter->name + sizeof(BY_TYPE) - 1);
}

static int all_harmless(const ap_filter_t *f)
{
    for (; f != NULL; f = f->next) {
        if (!is_harmless(f->frec)) {
            return 0;
        }
    }
    return 1;
}

int rp_lane_inline_ok(const request_rec *r, rp_lane_e chosen)
{
    if (chosen == RP_LANE_HANDOFF || chosen == RP_LANE_BLOCKING) {
        return 0;
    }
    if (chosen == RP_LANE_INLINE) {
        return 1;
    }
    /* a filter on the request's body may give nothing for bytes that it took, which a descriptor can not announce */
    return r->input_filters == r->proto_input_filters && all_harmless(r->output_filters) && all_harmless(r->input_filters);
}
