/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file api_view.h
 * What the API and the manager show: plain values that were copied from everywhere at one moment, so that what is
 * written from them needs neither httpd nor shared memory. All strings live as long as the view.
 */
#ifndef RP_BALANCER_API_VIEW_H
#define RP_BALANCER_API_VIEW_H

#include <apr_time.h>

#include "balancer/api_field.h"

#define RP_SHOW_SAMPLES 60      /**< points of a chart */
#define RP_SHOW_BUCKETS 16      /**< of a histogram */
#define RP_SHOW_ETAG_SIZE 20

/** Who says what a value is. */
typedef enum rp_show_origin_e {
    RP_SHOW_CONFIGURATION = 0, /**< the configuration, or its default */
    RP_SHOW_RUNTIME            /**< a change at run time, also one that was kept over a restart */
} rp_show_origin_e;

typedef struct rp_show_value_t {
    int known;                 /**< 0: this field is not there */
    rp_field_value_t value;
    rp_show_origin_e origin;
} rp_show_value_t;

/** What happened in one interval. */
typedef struct rp_show_sample_t {
    apr_uint32_t requests, errors;
} rp_show_sample_t;

typedef struct rp_show_histogram_t {
    apr_uint64_t count[RP_SHOW_BUCKETS];
    apr_interval_time_t upper_us[RP_SHOW_BUCKETS]; /**< 0: no upper end */
    apr_uint64_t sum_us;
} rp_show_histogram_t;

typedef struct rp_show_member_t {
    const char *id, *url, *scheme, *host, *uds; /**< uds: path of the socket, or NULL */
    int port;
    rp_show_value_t fields[RP_FIELD_COUNT];
    unsigned status;              /**< rp_status_flag_e bits */
    const char *status_text;      /**< "Init Ok ", as mod_status has it */
    const char *error_why;        /**< sentence, or NULL */
    apr_interval_time_t error_age_us; /**< since it went into error; -1: it is not */
    int added;                    /**< at run time */
    int leaving;                  /**< removed, with requests under way */
    apr_uint32_t busy, retries;
    int lbstatus;
    apr_uint64_t elected, sent, received, failed, timeouts, closes, connect_errors, errors_set;
    apr_uint64_t responses[5];
    apr_uint32_t latency_us;      /**< moving average to the first byte; 0: unknown */
    rp_show_histogram_t first_byte, total;
    apr_uint64_t checks, checks_failed;
    apr_uint32_t check_passes, check_fails, check_status;
    apr_time_t checked_at;        /**< 0: never */
    const char *check_result;     /**< or "" */
    apr_time_t changed_at;        /**< last change at run time, 0: none */
    const char *changed_why;
    apr_interval_time_t drain_left_us; /**< until the deadline of its drain; -1: it has none */
    rp_show_sample_t samples[RP_SHOW_SAMPLES]; /**< oldest first */
    int nsamples;
    const rp_worker_params_t *params; /**< or NULL */
    char etag[RP_SHOW_ETAG_SIZE];
} rp_show_member_t;

typedef struct rp_show_balancer_t {
    const char *name;             /**< without "balancer://" */
    const char *full_name;        /**< with it */
    const char *nonce;            /**< "": nothing may be changed */
    const char *defined_at;
    rp_show_value_t fields[RP_FIELD_COUNT];
    int scolonpathdelim;
    apr_array_header_t *paths;    /**< of const char *: those of the virtual host that lead to it, as written */
    int usable;                   /**< members that a request without a session could go to now */
    int nslots, nused;            /**< places for members */
    rp_show_member_t *members;
    int nmembers;
    apr_uint64_t unanswered, forced_recoveries;
    apr_time_t changed_at;
    const char *changed_why;
    char etag[RP_SHOW_ETAG_SIZE];
} rp_show_balancer_t;

typedef struct rp_show_event_t {
    apr_uint64_t number;
    apr_time_t at;
    const char *balancer;         /**< without "balancer://" */
    const char *member;           /**< URL, or NULL */
    const char *text;
} rp_show_event_t;

/** One exchange under way. */
typedef struct rp_show_flight_t {
    apr_interval_time_t age_us;
    int pid;
    const char *vhost, *request;
    const char *balancer;         /**< without "balancer://", or NULL */
    const char *worker;           /**< URL of the member or worker, or NULL: none yet */
    const char *step;
} rp_show_flight_t;

typedef struct rp_show_t {
    const char *vhost;            /**< name of the virtual host that answers */
    const char *software, *built;
    apr_time_t now;
    int persist;                  /**< rp_switch_e */
    int inherited;                /**< BalancerInherit */
    apr_interval_time_t sample_every_us;
    rp_show_balancer_t *balancers;
    int nbalancers;
    rp_show_event_t *events;      /**< newest first */
    int nevents;
    rp_show_flight_t *flights;    /**< oldest first */
    int nflights;
    int flights_lost;             /**< under way, but there was no room to note them */
} rp_show_t;

/** Fill the etags from the settings: two views with the same settings have the same ones, whatever was counted
 * meanwhile. */
void rp_show_etags(apr_pool_t *pool, rp_show_balancer_t *b);

/** "configuration" or "run time". Static. */
const char *rp_show_origin_str(rp_show_origin_e origin);

/** 1: some field of the balancer (member NULL) or of the member is not what the configuration says. */
int rp_show_overridden(const rp_show_value_t *fields);

#endif
