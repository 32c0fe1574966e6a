/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file directives.h
 * The directives as rows: where each is allowed, what kind of value it takes, its range, default
 * and help. The command table, the checks, the error sentences and the table in the manual all come
 * from directives.def.
 */
#ifndef RP_CONFIG_DIRECTIVES_H
#define RP_CONFIG_DIRECTIVES_H

#include "config/conf_int.h"

/** How the value of a directive is read. */
typedef enum rp_kind_e {
    RP_KIND_OWN = 0,  /**< a function of its own reads it */
    RP_KIND_SWITCH,   /**< On|Off into an rp_switch_e */
    RP_KIND_NUMBER,   /**< whole number into an int, min to max */
    RP_KIND_SIZE,     /**< whole number of bytes into an apr_int64_t, min to max, or 0 */
    RP_KIND_TIME,     /**< seconds, or with a unit, into an apr_interval_time_t */
    RP_KIND_WORD,     /**< one of the words, its number into an int */
    RP_KIND_TEXT,     /**< into a const char *; httpd itself refuses an empty one */
    RP_KIND_NAMES     /**< one name an argument, pushed to an array of const char * */
} rp_kind_e;

/** Which structure the member of a row is in. */
typedef enum rp_scope_e { RP_SCOPE_NONE = 0, RP_SCOPE_SERVER, RP_SCOPE_DIR } rp_scope_e;

typedef struct rp_word_t {
    const char *word;
    int value;
} rp_word_t;

/** A row. */
typedef struct rp_directive_t {
    const char *name;
    rp_kind_e kind;
    rp_scope_e scope;
    apr_size_t offset;       /**< of the member, in the structure that scope names */
    apr_int64_t min, max;
    const rp_word_t *words;  /**< RP_KIND_WORD: ended by a row with a NULL word */
    int forbidden;           /**< NOT_IN_* besides what the override says */
    rp_notice_e notice;      /**< what the one notice at startup says; RP_NOTICE_COUNT: nothing */
} rp_directive_t;

/** What every directive of ours does first: is it allowed here; note it when it has no effect. */
const char *rp_directive_check(cmd_parms *cmd);

/* Setters of the kinds. mconfig is the rp_dir_conf_t in effect. */
const char *rp_set_switch(cmd_parms *cmd, void *mconfig, int on);
const char *rp_set_value(cmd_parms *cmd, void *mconfig, const char *arg);

/* Directives with a syntax of their own. */
const char *rp_set_pass(cmd_parms *cmd, void *mconfig, const char *args);
const char *rp_set_pass_match(cmd_parms *cmd, void *mconfig, const char *args);
const char *rp_section_proxy(cmd_parms *cmd, void *mconfig, const char *args);
const char *rp_section_proxy_match(cmd_parms *cmd, void *mconfig, const char *args);
const char *rp_set_proxy_set(cmd_parms *cmd, void *mconfig, const char *args);
const char *rp_set_member(cmd_parms *cmd, void *mconfig, const char *args);
const char *rp_set_error_override(cmd_parms *cmd, void *mconfig, int argc, char *const argv[]);
const char *rp_set_source_address(cmd_parms *cmd, void *mconfig, const char *arg);
const char *rp_set_hc_expr(cmd_parms *cmd, void *mconfig, const char *args);
const char *rp_set_hc_template(cmd_parms *cmd, void *mconfig, const char *args);
const char *rp_set_requests(cmd_parms *cmd, void *mconfig, int on);
const char *rp_set_remote(cmd_parms *cmd, void *mconfig, const char *match, const char *url,
                          const char *creds);
const char *rp_set_remote_match(cmd_parms *cmd, void *mconfig, const char *match, const char *url,
                                const char *creds);
const char *rp_set_noproxy(cmd_parms *cmd, void *mconfig, const char *arg);
const char *rp_set_forward_only(cmd_parms *cmd, void *mconfig, const char *arg);
const char *rp_set_forward_only_flag(cmd_parms *cmd, void *mconfig, int on);
const char *rp_set_sister(cmd_parms *cmd, void *mconfig, const char *args);

#endif
