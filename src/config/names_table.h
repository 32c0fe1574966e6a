/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file names_table.h
 * Names of httpd's own proxy modules: which of them this project's modules answer to, and which can
 * not run beside them. Pure.
 */
#ifndef RP_CONFIG_NAMES_TABLE_H
#define RP_CONFIG_NAMES_TABLE_H

/**
 * Answers whether something is there: a module by its file name, or a load balancing method by its
 * name.
 */
typedef int rp_present_fn(void *baton, const char *name);

typedef struct rp_name_t {
    const char *file;    /**< "mod_proxy_http.c" */
    const char *symbol;  /**< "proxy_http_module" */
    const char *module;  /**< file name of our module that does its work, or NULL: nobody does */
    const char *method;  /**< not NULL: only while this load balancing method is there */
} rp_name_t;

/** All names of the family; ended by a row with a NULL file. */
extern const rp_name_t rp_names[];

/**
 * Which of our modules answers to a name, by file or symbol.
 * @param module_there  is the module loaded?
 * @param method_there  is the load balancing method provided?
 * @return file name of our module, or NULL
 */
const char *rp_name_answer(const char *name, rp_present_fn *module_there,
                           rp_present_fn *method_there, void *baton);

/** 1 when a module of this file name can not be loaded beside ours. */
int rp_name_clashes(const char *file);

#endif
