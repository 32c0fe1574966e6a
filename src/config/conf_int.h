/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file conf_int.h
 * What the files of src/config share while a configuration is read. Everything here runs on the one
 * thread that reads the configuration, allocates from the configuration pool, and answers NULL or a
 * sentence for the administrator.
 */
#ifndef RP_CONFIG_CONF_INT_H
#define RP_CONFIG_CONF_INT_H

#include "config/conf.h"

/** A name that mod_rproxy knows and does nothing with yet, or never will. */
typedef enum rp_notice_e {
    RP_NOTICE_LATER = 0, /**< has no effect yet */
    RP_NOTICE_FORWARD,   /**< belongs to a forward proxy: no effect here, ever */
    RP_NOTICE_COUNT
} rp_notice_e;

/** A message that waits for the log to be open. */
typedef struct rp_message_t {
    int level;        /**< APLOG_* */
    const char *text; /**< with its tag */
} rp_message_t;

/**
 * A look-up of a balancer or another sister feature that can be judged only when the whole
 * configuration was read.
 */
typedef struct rp_need_t {
    const char *what;       /**< "ProxyPass to balancer://c" */
    const char *defined_at;
} rp_need_t;

/** Things gathered while one configuration is read; gone with its pool. */
typedef struct rp_reading_t {
    apr_pool_t *pool;
    apr_array_header_t *messages;       /**< of rp_message_t */
    apr_array_header_t *noticed[RP_NOTICE_COUNT]; /**< of const char *: names, one notice a kind */
    apr_array_header_t *balancer_needs; /**< of rp_need_t */
    apr_array_header_t *workers;        /**< of rp_worker_t *: all of them */
    apr_array_header_t *confs;          /**< of rp_server_conf_t *: as created, not merged */
} rp_reading_t;

/** The gatherer that belongs to a configuration pool; made at the first call. */
rp_reading_t *rp_reading(apr_pool_t *pconf);

/** "file:line" of the directive being read; from cmd->pool. */
const char *rp_at(const cmd_parms *cmd);

/**
 * Remember a message; it is logged once, when the configuration was read (conf_check.c). The text
 * is copied.
 */
void rp_message_add(cmd_parms *cmd, int level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/** Remember a name for the one notice about things without effect. */
void rp_notice_name(apr_pool_t *pconf, rp_notice_e kind, const char *name);
void rp_notice_add(cmd_parms *cmd, rp_notice_e kind, const char *name);

/** The ProxyRemote line that applies to a destination, or NULL (see rp_remote_applies). */
const rp_remote_t *rp_remote_of(apr_pool_t *pool, const rp_server_conf_t *conf, const char *url,
                                const char *host);
/** A ProxyRemote line for a message. */
const char *rp_remote_str(apr_pool_t *pool, const rp_remote_t *remote);

#endif
