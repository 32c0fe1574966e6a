/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file hosts.h
 * Hosts, domains and networks as ProxyBlock and NoProxy name them. Libc and APR only; two functions ask the resolver.
 */
#ifndef RP_CONFIG_HOSTS_H
#define RP_CONFIG_HOSTS_H

#include <apr_network_io.h>
#include <apr_tables.h>

#include "wire/slice.h"

/** 1 when text is meant as an address or a network: digits, dots and '/' alone, or a ':' in it. */
int rp_net_looks(const char *text);

/**
 * Read an address or network: `192.0.2.1`, `192.168`, `192.168.112/21`, `2001:db8::/32`.
 * @param net in pool
 * @return APR_SUCCESS, or APR_EINVAL
 */
apr_status_t rp_net_parse(apr_pool_t *pool, const char *text, apr_ipsubnet_t **net) RP_WARN_UNUSED;

/**
 * NoProxy: is host one of names? A name is a host name, a domain (`.example.com`), an address or a network. A host that is a name itself is
 * in a network when one of its addresses is: for this the resolver is asked, which blocks.
 * @param names of const char *, all of them checked by rp_net_parse where they look like networks
 */
int rp_host_exempt(apr_pool_t *pool, const apr_array_header_t *names, const char *host);

/**
 * ProxyBlock: the word of names that stands in host, or `*`; NULL when none does.
 * @param names of const char *
 */
const char *rp_host_blocked(const apr_array_header_t *names, const char *host);

/** An address that a word of ProxyBlock stands for. */
typedef struct rp_blocked_addr_t {
    const char *word;
    apr_sockaddr_t *addr;
} rp_blocked_addr_t;

/**
 * Ask the resolver for the addresses of all words but `*`; words that are no names are left out. Blocks.
 * @return of rp_blocked_addr_t, in pool
 */
apr_array_header_t *rp_blocked_addrs(apr_pool_t *pool, const apr_array_header_t *names);

/** The word whose address addr is (ports do not matter), or NULL. */
const char *rp_addr_blocked(const apr_array_header_t *blocked, const apr_sockaddr_t *addr);

#endif
