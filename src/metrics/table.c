/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/table.h"

#include <stddef.h>

#include "exchange/failure.h"
#include "upstream/endpoint.h"

static const char *class_name(int i)
{
    static const char *const names[RP_STAT_CLASSES] = {"1xx", "2xx", "3xx", "4xx", "5xx"};

    return names[i];
}

/* As rp_lane_e and its words in logs, which the engine knows: request/metrics.c holds them together. */
static const char *lane_name(int i)
{
    static const char *const names[RP_STAT_LANES] = {"blocking", "inline", "handoff"};

    return names[i];
}

static const char *reason_name(int i) { return rp_failure((rp_reason_e)i)->name; }
static const char *refusal_name(int i) { return rp_refuse_str((rp_refuse_e)i); }

/* Of rp_status_flag_e, what an administrator or a check can change. */
static const char *flag_name(int i)
{
    switch (1u << i) {
    case RP_ST_DRAIN: return "drain";
    case RP_ST_DISABLED: return "disabled";
    case RP_ST_STOPPED: return "stopped";
    case RP_ST_IN_ERROR: return "in_error";
    case RP_ST_IGNORE_ERRORS: return "ignore_errors";
    case RP_ST_HC_FAIL: return "check_failed";
    case RP_ST_HOT_STANDBY: return "hot_standby";
    case RP_ST_HOT_SPARE: return "hot_spare";
    default: return NULL;
    }
}

/* Most of the many reasons never happen: a line for each would be most of the page. */
static int only_good(int i) { return i == RP_FAIL_NONE; }
static int only_raced(int i) { return i == RP_FAIL_CLOSED_BEFORE_HEAD || i == RP_FAIL_RESET_BEFORE_HEAD; }
static int may_failover(int i) { return rp_failure((rp_reason_e)i)->failover; }
static int never(int i) { return i < 0; }

static const rp_metric_values_t classes = {RP_STAT_CLASSES, class_name, NULL};
static const rp_metric_values_t lanes = {RP_STAT_LANES, lane_name, NULL};
static const rp_metric_values_t reasons = {RP_FAIL_COUNT, reason_name, only_good};
static const rp_metric_values_t resend_reasons = {RP_FAIL_COUNT, reason_name, only_raced};
static const rp_metric_values_t failover_reasons = {RP_FAIL_COUNT, reason_name, may_failover};
static const rp_metric_values_t flags = {32, flag_name, NULL};
static const rp_metric_values_t refusals = {RP_REFUSE_COUNT, refusal_name, never};

#define RECORD_PROCESS rp_process_record_t
#define RECORD_ANSWER rp_worker_record_t
#define RECORD_WORKER rp_worker_record_t
#define RECORD_MEMBER rp_worker_record_t
#define RECORD_KNOWN rp_worker_record_t

static const rp_metric_t rows[] = {
#define M(name, type, scope, unit, how, member, label, values, help)                                                           \
    {name, RP_METRIC_##type, RP_METRIC_##scope, unit, RP_READ_##how, offsetof(RECORD_##scope, member), label, values, help},
#include "metrics/families.def"
#undef M
};

const rp_metric_t *rp_metric_rows(int *n)
{
    *n = (int)(sizeof(rows) / sizeof(rows[0]));
    return rows;
}

const char *rp_metric_type_str(rp_metric_type_e type)
{
    switch (type) {
    case RP_METRIC_COUNTER: return "counter";
    case RP_METRIC_GAUGE: return "gauge";
    case RP_METRIC_HISTOGRAM: return "histogram";
    case RP_METRIC_INFO: break;
    }
    return "info";
}

const char *rp_metric_suffix(rp_metric_type_e type)
{
    return type == RP_METRIC_COUNTER ? "_total" : type == RP_METRIC_INFO ? "_info" : "";
}
