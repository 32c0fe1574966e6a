/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file render.h
 * The page of metrics as text, out of records. Pure.
 */
#ifndef RP_METRICS_RENDER_H
#define RP_METRICS_RENDER_H

#include "metrics/table.h"

#define RP_LABEL_MAX 1024 /**< bytes of a label's value, before it is escaped */

/** What readers ask for by their Accept header. */
typedef enum rp_metrics_format_e {
    RP_METRICS_TEXT = 0,   /**< Prometheus text, version 0.0.4 */
    RP_METRICS_OPENMETRICS /**< OpenMetrics 1.0.0 */
} rp_metrics_format_e;

/** All values at one moment. */
typedef struct rp_metrics_page_t {
    const rp_process_record_t *process;
    rp_worker_record_t *workers;
    int nworkers;
} rp_metrics_page_t;

/** Where the text goes; called with pieces of any size, in order. */
typedef void rp_metrics_write_fn(void *ctx, const char *bytes, apr_size_t n);

void rp_metrics_render(const rp_metrics_page_t *page, rp_metrics_format_e format, rp_metrics_write_fn *write, void *ctx);

/** OpenMetrics when an Accept header (NULL: none) names it with a weight above 0. */
rp_metrics_format_e rp_metrics_format(const char *accept);
/** Content-Type. */
const char *rp_metrics_type(rp_metrics_format_e format);

/** A label's value as it stands between the quotes: '\', '"' and line feed escaped; bytes that are no text (control characters,
 * broken UTF-8) as \xNN in letters; cut at RP_LABEL_MAX. From pool. */
const char *rp_label_escape(apr_pool_t *pool, const char *value);

#endif
