/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file layout.h
 * What lies in the shared segment of the balancers, and how it is read and written without a lock on the reader's side. Pure: libc and
 * APR's types; it works on any memory that is zeroed and aligned, so tests and tools use it without httpd.
 *
 *     header | balancer slots | member slots | events | rows of gauges, one for each child
 *
 * Three kinds of data, three rules:
 *   settings (strings and numbers that belong together): two copies and a version. One writer at a time (the caller sees to it); readers
 *     copy the current one and look at the version again. A writer that dies on the way leaves the current copy as it was.
 *   counters, flags, credits: single atomics, any number of writers.
 *   gauges: what is under way, one row for each child, so that a dead child's share is known; the sum over the rows is the number.
 */
#ifndef RP_BALANCER_LAYOUT_H
#define RP_BALANCER_LAYOUT_H

#include <apr.h>
#include <apr_errno.h>
#include <apr_time.h>

#include "wire/slice.h"

#define RP_SHM_MAGIC 0x52505842u
#define RP_SHM_LAYOUT 4u        /**< raise with every change of the structs below */
#define RP_SHM_URL_SIZE 384     /**< name of a member with its NUL */
#define RP_SHM_WORD_SIZE 64     /**< route, redirect, stickysession, hcuri, result of a check; with NUL */
#define RP_SHM_HOST_SIZE 256    /**< hchost (RP_HCHOST_MAX) with its NUL */
#define RP_SHM_NAME_SIZE 96     /**< "balancer://name" with NUL */
#define RP_SHM_REASON_SIZE 96   /**< "actor: why", cut to this, with NUL */
#define RP_SHM_EVENT_SIZE 224   /**< text of an event, cut to this, with NUL */
#define RP_SHM_EVENTS 128       /**< how many events are remembered */
#define RP_SHM_BUCKETS 16       /**< of a histogram; the last one has no upper end */
#define RP_SHM_CODES_SIZE 64    /**< bits for the status codes 100 to 599 */

/** Settings of a member that may be changed at run time: bits of `runtime`, indices of `configured`. */
typedef enum rp_member_field_e {
    RP_MF_WEIGHT = 0, RP_MF_LBSET, RP_MF_ROUTE, RP_MF_REDIRECT,
    RP_MF_HCMETHOD, RP_MF_HCURI, RP_MF_HCEXPR, RP_MF_HCINTERVAL, RP_MF_HCPASSES, RP_MF_HCFAILS,
    RP_MF_HCTIMEOUT, RP_MF_HCHOST,
    RP_MF_COUNT
} rp_member_field_e;

/** The same of a balancer. */
typedef enum rp_balancer_field_e {
    RP_BF_LBMETHOD = 0, RP_BF_STICKYSESSION, RP_BF_STICKYSEP, RP_BF_SCOLONPATHDELIM, RP_BF_NOFAILOVER, RP_BF_TIMEOUT,
    RP_BF_MAXATTEMPTS, RP_BF_FAILONSTATUS, RP_BF_FAILONTIMEOUT, RP_BF_FORCERECOVERY,
    RP_BF_COUNT
} rp_balancer_field_e;

/** Who says what a setting is. */
typedef enum rp_origin_e { RP_ORIGIN_CONFIGURATION = 0, RP_ORIGIN_RUNTIME } rp_origin_e;

typedef enum rp_slot_state_e {
    RP_SLOT_FREE = 0,
    RP_SLOT_USED,
    RP_SLOT_LEAVING /**< removed: gets no request; free for another member as soon as nothing is under way to it */
} rp_slot_state_e;

/** What becomes of a member at the end of its draining. */
typedef enum rp_drain_then_e { RP_DRAIN_STOPPED = 0, RP_DRAIN_DISABLED, RP_DRAIN_REMOVED } rp_drain_then_e;

/** Settings of a member. A multiple of 8 bytes without holes. Strings end with NUL; "" is none. */
typedef struct rp_member_settings_t {
    apr_uint32_t state;              /**< rp_slot_state_e */
    apr_uint32_t incarnation;        /**< `lease` of the slot while this member has it */
    apr_uint32_t added;              /**< 1: added at run time, not in the configuration */
    apr_uint32_t runtime;            /**< bit rp_member_field_e: said at run time */
    apr_int32_t weight_x100;         /**< loadfactor times 100 */
    apr_int32_t lbset;
    apr_int32_t hcpasses, hcfails;
    apr_int64_t hcinterval_us;
    char url[RP_SHM_URL_SIZE];       /**< name of the worker */
    char route[RP_SHM_WORD_SIZE], redirect[RP_SHM_WORD_SIZE];
    char hcuri[RP_SHM_WORD_SIZE];
    char hcmethod[16], hcexpr[16];
    apr_int64_t changed_at;          /**< apr_time_now() of the last change at run time; 0: none */
    char changed_why[RP_SHM_REASON_SIZE];
    apr_int64_t drain_until;         /**< apr_time_now() at which draining ends; 0: it has no end */
    apr_uint32_t drain_then;         /**< rp_drain_then_e */
    apr_uint32_t reserved;
    apr_int64_t hctimeout_us;        /**< 0: by hcinterval, see rp_health_timeout */
    char hchost[RP_SHM_HOST_SIZE];
    apr_uint64_t room[9];
} rp_member_settings_t;
_Static_assert(sizeof(rp_member_settings_t) == 1104, "layout of the shared segment");

/** Settings of a balancer, in the same way. */
typedef struct rp_balancer_settings_t {
    apr_uint32_t runtime;            /**< bit rp_balancer_field_e: said at run time */
    apr_int32_t stickysep;           /**< one byte; 0: the whole value is the route */
    apr_int32_t scolonpathdelim, nofailover, failontimeout, forcerecovery; /**< 0, 1 */
    apr_int32_t maxattempts;         /**< -1: members less one */
    apr_int32_t reserved;
    apr_int64_t timeout_us;          /**< wait for a member; 0: do not */
    char lbmethod[16];
    char stickysession[RP_SHM_WORD_SIZE];
    unsigned char failonstatus[RP_SHM_CODES_SIZE]; /**< bit code - 100 */
    apr_int64_t changed_at;          /**< as above */
    char changed_why[RP_SHM_REASON_SIZE];
    apr_uint64_t room[16];
} rp_balancer_settings_t;
_Static_assert(sizeof(rp_balancer_settings_t) == 416, "layout of the shared segment");

/** What a health check found last. */
typedef struct rp_health_settings_t {
    apr_int64_t checked_at;          /**< apr_time_now() of the last check; 0: none yet */
    apr_int64_t took_us;
    apr_uint32_t passes, fails;      /**< in a row */
    apr_uint32_t status;             /**< of the response, 0: none */
    apr_uint32_t reserved;
    char result[RP_SHM_WORD_SIZE];
    apr_uint64_t room[8];
} rp_health_settings_t;
_Static_assert(sizeof(rp_health_settings_t) == 160, "layout of the shared segment");

/** Times in buckets; atomics. Bucket i counts what took at most rp_shm_bucket_us(i) and more than the one before. */
typedef struct rp_shm_histogram_t {
    apr_uint64_t count[RP_SHM_BUCKETS];
    apr_uint64_t sum_us;
} rp_shm_histogram_t;

typedef enum rp_times_e { RP_TIMES_CONNECT = 0, RP_TIMES_FIRST_BYTE, RP_TIMES_TOTAL, RP_TIMES_COUNT } rp_times_e;

/** Why a member is in error; atomic, since requests say it. */
typedef enum rp_error_why_e {
    RP_WHY_NONE = 0, RP_WHY_UNREACHABLE, RP_WHY_TIMEOUT, RP_WHY_CLOSED, RP_WHY_STATUS /**< error_status says which */,
    RP_WHY_CONFIGURED
} rp_error_why_e;

/** One member. */
typedef struct rp_shm_member_t {
    /* requests change these */
    apr_uint32_t status;             /**< rp_status_flag_e bits */
    apr_uint32_t status_runtime;     /**< bits that were switched at run time */
    apr_int32_t lbstatus;            /**< credit of the methods, without the balancer's rounds: see rp_shm_credit */
    apr_uint32_t retries;            /**< errors since the last success */
    apr_int64_t error_us;            /**< monotonic time of the last error; 0: it was configured */
    apr_uint32_t error_why, error_status;
    apr_uint32_t latency_us;         /**< moving average of the time to the first byte */
    apr_uint32_t lease;              /**< odd: a member has the slot (its `incarnation`); even: free, or free once nothing is under way */
    apr_int64_t usable_since_us;     /**< monotonic; 0: all the time */
    apr_int64_t state_changed_at;    /**< apr_time_now() of the last change of E or C */
    apr_uint64_t elected, sent, received, failed;
    apr_uint64_t responses[5];       /**< by class of status, 1xx to 5xx: of final responses */
    apr_uint64_t connect_errors, timeouts, closes;
    apr_uint64_t errors_set;         /**< how often it went into error */
    apr_uint64_t checks, checks_failed;
    apr_uint64_t checks_changed;     /**< how often checks took it out or brought it back */
    rp_shm_histogram_t times[RP_TIMES_COUNT];
    apr_uint64_t counter_room[7];
    /* settings */
    apr_uint32_t version, health_version;
    apr_uint32_t configured[16];     /**< hash of what the configuration says of each field; 15: of its status */
    apr_uint32_t configured_status;  /**< rp_status_flag_e bits of the configuration */
    apr_uint32_t balancer;           /**< index of its balancer's slot */
    rp_member_settings_t settings[2];
    rp_health_settings_t health[2];
    apr_uint64_t room[25];
} rp_shm_member_t;
_Static_assert(sizeof(rp_shm_member_t) % 64 == 0, "layout of the shared segment");

/** One balancer. */
typedef struct rp_shm_balancer_t {
    char name[RP_SHM_NAME_SIZE];     /**< const */
    char nonce[40];                  /**< const in a generation; "" : no change is allowed by it */
    apr_uint32_t first, nslots;      /**< its member slots */
    apr_uint32_t nconfigured;        /**< those of the configuration come first */
    apr_uint32_t version;
    apr_uint64_t changes;            /**< goes up when anything of it or of its members was set */
    apr_uint32_t configured[16];     /**< as above */
    apr_uint64_t forced_recoveries, unanswered; /**< unanswered: requests that found no member */
    apr_uint64_t states;             /**< goes up when a member goes into error or comes back */
    apr_uint32_t rounds;             /**< choices in which every member earned its weight: see rp_shm_credit */
    apr_uint32_t reserved;
    apr_uint64_t counter_room[6];
    rp_balancer_settings_t settings[2];
    apr_uint64_t room[10];
} rp_shm_balancer_t;
_Static_assert(sizeof(rp_shm_balancer_t) % 64 == 0, "layout of the shared segment");

/** Something that happened. Written by whoever saw it, without a lock; a reader skips what is not whole. */
typedef struct rp_shm_event_t {
    apr_uint64_t number;             /**< 1, 2, ...; 0: being written */
    apr_int64_t at;                  /**< apr_time_now() */
    apr_uint32_t balancer;           /**< index of its slot */
    apr_int32_t member;              /**< index of its slot, or -1 */
    apr_uint64_t check;              /**< hash of the rest */
    char text[RP_SHM_EVENT_SIZE];
} rp_shm_event_t;
_Static_assert(sizeof(rp_shm_event_t) == 256, "layout of the shared segment");

typedef struct rp_shm_header_t {
    apr_uint32_t magic, layout;
    apr_uint32_t header_size, balancer_size, member_size, event_size;
    apr_uint32_t nbalancers, nmembers, nevents, nrows;
    apr_uint64_t row_size;
    apr_uint64_t total_size;
    apr_uint64_t generation;
    apr_int64_t created_at;          /**< apr_time_now() */
    apr_uint32_t check;              /**< hash of everything above */
    apr_uint32_t rows_used;          /**< rows from this one on were never claimed; atomic */
    apr_uint64_t events;             /**< how many there were; atomic */
    apr_uint64_t room[5];
} rp_shm_header_t;
_Static_assert(sizeof(rp_shm_header_t) == 128, "layout of the shared segment");

/** What one child has under way. */
typedef struct rp_shm_row_t {
    apr_uint32_t pid;                /**< 0: free; atomic */
    apr_uint32_t reserved;
    apr_uint32_t busy[];             /**< by member slot */
} rp_shm_row_t;

/** Where everything is in a segment. */
typedef struct rp_shm_map_t {
    rp_shm_header_t *header;
    rp_shm_balancer_t *balancers;
    rp_shm_member_t *members;
    rp_shm_event_t *events;
    char *rows;
} rp_shm_map_t;

typedef enum rp_shm_err_e {
    RP_SHM_OK = 0, RP_SHM_SHORT, RP_SHM_FOREIGN, RP_SHM_OTHER_LAYOUT, RP_SHM_OTHER_SIZES, RP_SHM_TORN
} rp_shm_err_e;

/** Fragment of a sentence: "is torn: its checksum is wrong". */
const char *rp_shm_err_str(rp_shm_err_e err);

/** Bytes that a segment needs. */
apr_size_t rp_shm_size(apr_uint32_t nbalancers, apr_uint32_t nmembers, apr_uint32_t nrows);

/** Make an empty segment in size bytes at mem (8-aligned), whatever was there. size: rp_shm_size. */
void rp_shm_format(void *mem, apr_size_t size, apr_uint32_t nbalancers, apr_uint32_t nmembers, apr_uint32_t nrows,
                   apr_uint64_t generation, apr_time_t now, rp_shm_map_t *out);

/** Judge size bytes at mem that may hold anything: reads nothing behind them. RP_SHM_OK fills out. */
rp_shm_err_e rp_shm_check(void *mem, apr_size_t size, rp_shm_map_t *out);

/* ---- settings ---- */

/** A copy of what holds now. APR_SUCCESS; APR_EAGAIN: others wrote all the time (use what was read before). Any thread, never waits. */
apr_status_t rp_shm_member_read(const rp_shm_member_t *m, rp_member_settings_t *out) RP_WARN_UNUSED;
apr_status_t rp_shm_balancer_read(const rp_shm_balancer_t *b, rp_balancer_settings_t *out) RP_WARN_UNUSED;
apr_status_t rp_shm_health_read(const rp_shm_member_t *m, rp_health_settings_t *out) RP_WARN_UNUSED;

/** Publish. One writer at a time: under rp_shared_lock (settings), or as the only checker of the member (health). */
void rp_shm_member_write(rp_shm_member_t *m, const rp_member_settings_t *settings);
void rp_shm_balancer_write(rp_shm_balancer_t *b, const rp_balancer_settings_t *settings);
void rp_shm_health_write(rp_shm_member_t *m, const rp_health_settings_t *health);

/** Hash of a text or of bytes (FNV-1a): for `configured`. */
apr_uint32_t rp_shm_hash(const void *bytes, apr_size_t n);

/* ---- credits of methods ---- */

/**
 * The credit of a member. While all members of a balancer are well, each choice pays every one of them its weight: that is written down once,
 * as a round of the balancer, instead of in each member. Arithmetic modulo 2^32: rounds may wrap around.
 */
apr_int32_t rp_shm_credit(const rp_shm_balancer_t *b, const rp_shm_member_t *m, apr_int32_t weight_x100);

/** Make its credit 0. */
void rp_shm_credit_clear(const rp_shm_balancer_t *b, rp_shm_member_t *m, apr_int32_t weight_x100);

/* ---- status codes ---- */

/** The codes (100 to 599) of a list such as "500,503 504" as bits; what is no code is left out. */
void rp_shm_codes_set(unsigned char *bits, const char *list);
int rp_shm_codes_has(const unsigned char *bits, int code);

/* ---- times ---- */

/** Upper end of bucket i in microseconds, 0 <= i < RP_SHM_BUCKETS - 1. */
apr_interval_time_t rp_shm_bucket_us(int i);
void rp_shm_observe(rp_shm_histogram_t *h, apr_interval_time_t us);

/* ---- events ---- */

/** Write an event down; text is cut. Any thread of any child. */
void rp_shm_event_add(const rp_shm_map_t *map, apr_time_t now, apr_uint32_t balancer, apr_int32_t member, const char *text);

/** The event of this number (1 to header->events), if it is still there and whole. @return 1: out has it */
int rp_shm_event_read(const rp_shm_map_t *map, apr_uint64_t number, rp_shm_event_t *out);

/* ---- gauges ---- */

rp_shm_row_t *rp_shm_row(const rp_shm_map_t *map, apr_uint32_t i);

/** Claim a free row for a process, or NULL. The last row is nobody's own: rp_shm_row_spare. */
rp_shm_row_t *rp_shm_row_claim(const rp_shm_map_t *map, apr_uint32_t pid);

/** The row of those that got none: what they leave behind stays. */
rp_shm_row_t *rp_shm_row_spare(const rp_shm_map_t *map);

/** The process is gone: its row is free again, and what it had under way is not any more. @return 1: it had one */
int rp_shm_row_release(const rp_shm_map_t *map, apr_uint32_t pid);

/** Requests under way to a member, all children. */
apr_uint32_t rp_shm_busy(const rp_shm_map_t *map, apr_uint32_t member);
/** The same of n members from first on, into out (8-aligned): the sums of many for less than each alone. */
void rp_shm_busy_all(const rp_shm_map_t *map, apr_uint32_t first, apr_uint32_t n, apr_uint32_t *out);

#endif
