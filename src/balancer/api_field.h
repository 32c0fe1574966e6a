/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file api_field.h
 * What can be changed of a balancer or a member while the server runs: one row each, from which the JSON API, the form
 * of the manager, their error texts and the manual come. Pure: libc and APR.
 */
#ifndef RP_BALANCER_API_FIELD_H
#define RP_BALANCER_API_FIELD_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "upstream/params.h"

/** Rows, in the order in which they are shown. */
typedef enum rp_field_e {
    RP_FIELD_LOADFACTOR = 0, RP_FIELD_LBSET, RP_FIELD_ROUTE, RP_FIELD_REDIRECT,
    RP_FIELD_IGNORE_ERRORS, RP_FIELD_DRAINING, RP_FIELD_DISABLED, RP_FIELD_STOPPED,
    RP_FIELD_HOT_STANDBY, RP_FIELD_HOT_SPARE, RP_FIELD_HC_FAILED,
    RP_FIELD_HCMETHOD, RP_FIELD_HCEXPR, RP_FIELD_HCINTERVAL, RP_FIELD_HCTIMEOUT, RP_FIELD_HCPASSES,
    RP_FIELD_HCFAILS, RP_FIELD_HCURI, RP_FIELD_HCHOST,
    RP_FIELD_LBMETHOD, RP_FIELD_TIMEOUT, RP_FIELD_MAXATTEMPTS, RP_FIELD_NOFAILOVER, RP_FIELD_STICKYSESSION,
    RP_FIELD_COUNT
} rp_field_e;

typedef enum rp_field_kind_e {
    RP_FIELD_NUMBER,       /**< whole number */
    RP_FIELD_DECIMAL_X100, /**< number with up to two decimals, kept times 100 */
    RP_FIELD_SWITCH,       /**< 0 or 1 */
    RP_FIELD_TEXT,         /**< text without control characters; "" is none */
    RP_FIELD_WORD          /**< one of `words`, or what the server knows by that name */
} rp_field_kind_e;

typedef struct rp_field_row_t {
    rp_field_e id;
    int of_balancer;       /**< 0: of a member */
    const char *json;      /**< name in JSON, with its unit; a flag stands in the object "status" */
    const char *form;      /**< parameter of the manager's form */
    rp_field_kind_e kind;
    apr_int64_t min, max;  /**< of the number; of a text: bytes */
    unsigned flag;         /**< rp_status_flag_e bit, or 0: no flag */
    char letter;           /**< of the flag, as status= has it */
    int drops;             /**< setting it to 1 can end what clients have under way: ask first */
    int health;            /**< a setting of health checks */
    const char *const *words; /**< RP_FIELD_WORD: the legal ones, NULL behind the last; NULL: checked by the server */
    const char *label;     /**< for people */
    const char *help;      /**< one sentence */
} rp_field_row_t;

typedef struct rp_field_value_t {
    apr_int64_t number;
    const char *text;      /**< RP_FIELD_TEXT and _WORD */
} rp_field_value_t;

/** A wish: this field gets this value. */
typedef struct rp_change_t {
    const rp_field_row_t *row;
    rp_field_value_t value;
} rp_change_t;

/** What is wrong with a wish. */
typedef struct rp_field_error_t {
    const char *field;     /**< as the asker wrote it, or NULL: not about one */
    const char *message;   /**< the thing, the value, what is legal */
    const char *legal;     /**< what is legal, or NULL */
} rp_field_error_t;

const rp_field_row_t *rp_field_row(rp_field_e id);
/** The row with this name in JSON or in the form, or NULL. */
const rp_field_row_t *rp_field_by_json(int of_balancer, const char *name);
const rp_field_row_t *rp_field_by_form(int of_balancer, const char *name);

/** What a row accepts: "a number from 1 to 100". From pool. */
const char *rp_field_legal(apr_pool_t *pool, const rp_field_row_t *row);
/** A value as it is written in a form. From pool; "" for an empty text and for a number that is not set (less than
 * min). */
const char *rp_field_str(apr_pool_t *pool, const rp_field_row_t *row, const rp_field_value_t *value);
/** 1: the same value. */
int rp_field_equal(const rp_field_row_t *row, const rp_field_value_t *a, const rp_field_value_t *b);

/** Read a value as a form has it. 0: *error says what is wrong (field: the form's name). Strings are copied to pool. */
int rp_field_parse(apr_pool_t *pool, const rp_field_row_t *row, const char *text, rp_field_value_t *out,
                   rp_field_error_t *error);
/** Is a value legal? name: for the error. shown: the value as the asker wrote it. */
int rp_field_check(apr_pool_t *pool, const rp_field_row_t *row, const char *name, const rp_field_value_t *value,
                   const char *shown, rp_field_error_t *error);

/** One word for what a member with these rp_status_flag_e bits does: "usable", "draining", "disabled"... Static. */
const char *rp_state_word(unsigned status);

#endif
