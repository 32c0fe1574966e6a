/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file table.h
 * The metrics as rows of one table (families.def), and the records that their values are read from.
 */
#ifndef RP_METRICS_TABLE_H
#define RP_METRICS_TABLE_H

#include <apr_pools.h>

#include "upstream/stat.h"

/** One record. */
typedef struct rp_process_record_t {
    const char *version;
    apr_uint64_t children;
    rp_child_stat_t stat;    /**< sum over the children */
} rp_process_record_t;

/** Who a record is of. Each is escaped (rp_label_escape), "" where it does not apply. */
typedef struct rp_metric_labels_t {
    const char *server;      /**< "host:port" of the virtual host that defines it */
    const char *balancer;    /**< name without "balancer://" */
    const char *worker;      /**< URL */
} rp_metric_labels_t;

/** One for each worker. */
typedef struct rp_worker_record_t {
    rp_metric_labels_t labels;
    int known;               /**< 1: a balancer told of it: member is filled */
    int nobody;              /**< it stands for requests that no worker got */
    rp_worker_stat_t stat;   /**< sum over the children */
    apr_uint64_t idle, used; /**< connections */
    apr_uint64_t max;        /**< 0: no limit */
    struct {
        apr_uint32_t status;      /**< rp_status_flag_e bits */
        apr_uint32_t usable;      /**< 0 or 1 */
        apr_uint32_t weight_x100, lbset;
        apr_uint64_t elected, errors, checks, checks_failed;
    } member;
} rp_worker_record_t;

typedef enum rp_metric_type_e { RP_METRIC_COUNTER = 0, RP_METRIC_GAUGE, RP_METRIC_HISTOGRAM, RP_METRIC_INFO } rp_metric_type_e;

/** Which records have a metric. */
typedef enum rp_metric_scope_e {
    RP_METRIC_PROCESS = 0, /**< the one of the server */
    RP_METRIC_ANSWER,      /**< those of all workers, and of nobody */
    RP_METRIC_WORKER,      /**< those of all workers */
    RP_METRIC_MEMBER,      /**< those of workers that are members of a balancer */
    RP_METRIC_KNOWN        /**< those of members that it told of: their configuration is still there */
} rp_metric_scope_e;

/** How the member of a row is read. */
typedef enum rp_metric_read_e {
    RP_READ_U32 = 0,
    RP_READ_U64,
    RP_READ_U64_SET,   /**< no line while it is 0 */
    RP_READ_HUNDREDTHS,/**< apr_uint32_t, 100 times the value */
    RP_READ_BITS,      /**< apr_uint32_t, a line for each bit that has a name: 0 or 1 */
    RP_READ_ARRAY,     /**< of apr_uint64_t, a line for each place that has a name */
    RP_READ_HISTOGRAM, /**< rp_histogram_t */
    RP_READ_TEXT       /**< const char *: the value of the label; the line says 1 */
} rp_metric_read_e;

/** What the places of an array are called. */
typedef struct rp_metric_values_t {
    int n;
    const char *(*name)(int i); /**< NULL: place i is not shown (RP_READ_BITS alone) */
    int (*always)(int i); /**< 1: there is a line for place i although it is 0; NULL: for each */
} rp_metric_values_t;

typedef struct rp_metric_t {
    const char *name;     /**< "rproxy_requests" */
    rp_metric_type_e type;
    rp_metric_scope_e scope;
    const char *unit;     /**< "seconds", "bytes" or "" */
    rp_metric_read_e how;
    apr_size_t offset;    /**< in the record of its scope */
    const char *label;    /**< or "" */
    const rp_metric_values_t *values;
    const char *help;
} rp_metric_t;

/** The rows. Const, any thread. */
const rp_metric_t *rp_metric_rows(int *n);
/** "counter". */
const char *rp_metric_type_str(rp_metric_type_e type);
/** What a type adds to the name: "_total", "_info" or "". */
const char *rp_metric_suffix(rp_metric_type_e type);

#endif
