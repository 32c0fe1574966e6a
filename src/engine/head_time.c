/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/head_time.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <strings.h>

#define DIRECTIVE "RequestReadTimeout"
#define SECONDS_MOST 1000000 /* more is as good as for ever */

/** What a client may take its time for. */
typedef enum stage_e { STAGE_HEADER, STAGE_HANDSHAKE, STAGES } stage_e;

static const char *const keys[STAGES] = {"header=", "handshake="};
static const rp_head_time_t defaults[STAGES] = {{apr_time_from_sec(20), apr_time_from_sec(40), APR_USEC_PER_SEC / 500}, {0, 0, 0}};

/** Of the configuration read last: server_rec * to rp_head_time_t. */
static apr_hash_t *by_server[STAGES];

apr_interval_time_t rp_head_time_for(const rp_head_time_t *ht, apr_size_t bytes)
{
    apr_interval_time_t us = ht->first_us + (apr_interval_time_t)bytes * ht->byte_us;

    return ht->most_us > 0 && us > ht->most_us ? ht->most_us : us;
}

/* ---- a line: mod_reqtimeout has accepted it ---- */

static apr_int64_t number(const char *text, char **end)
{
    apr_int64_t n = apr_strtoi64(text, end, 10);

    return n < 0 ? 0 : n > SECONDS_MOST ? SECONDS_MOST : n;
}

/* "20", "20,MinRate=500", "20-40,MinRate=500" */
static void parse_value(const char *value, rp_head_time_t *out)
{
    static const char min_rate[] = ",minrate=";
    char *end;
    apr_int64_t rate = 0;

    out->first_us = apr_time_from_sec(number(value, &end));
    out->most_us = out->byte_us = 0;
    if (*end == '-') {
        out->most_us = apr_time_from_sec(number(end + 1, &end));
    }
    if (!strncasecmp(end, min_rate, sizeof(min_rate) - 1)) {
        rate = number(end + sizeof(min_rate) - 1, &end);
    }
    if (rate > 0) {
        out->byte_us = APR_USEC_PER_SEC / rate;
    }
}

int rp_head_time_parse(const char *args, const char *key, rp_head_time_t *out)
{
    apr_size_t len = strlen(key);
    int found = 0;

    while (*args != '\0') {
        args += strspn(args, " \t\"'");
        if (!strncasecmp(args, key, len)) {
            parse_value(args + len, out);
            found = 1;
        }
        args += strcspn(args, " \t");
    }
    return found;
}

/* ---- servers ---- */

#define KEY_LEN ((apr_ssize_t)sizeof(void *)) /* the address of a server */

static rp_head_time_t *written_for(stage_e stage, const server_rec *s) { return apr_hash_get(by_server[stage], &s, KEY_LEN); }

static void set(apr_pool_t *p, stage_e stage, const server_rec *s, rp_head_time_t *ht)
{
    apr_hash_set(by_server[stage], apr_pmemdup(p, &s, (apr_size_t)KEY_LEN), KEY_LEN, ht);
}

/* ---- the tree ---- */

/* The server of a <VirtualHost>: it knows its line. NULL: none. */
static server_rec *server_at(server_rec *s, const ap_directive_t *node)
{
    for (s = s->next; s != NULL; s = s->next) {
        if (s->defn_name != NULL && s->defn_line_number == (unsigned)node->line_num && !strcmp(s->defn_name, node->filename)) {
            return s;
        }
    }
    return NULL;
}

static void note(apr_pool_t *p, const server_rec *s, const char *args)
{
    stage_e stage;

    for (stage = 0; stage < STAGES; stage++) {
        rp_head_time_t *ht = written_for(stage, s);
        rp_head_time_t said;

        if (!rp_head_time_parse(args, keys[stage], &said)) {
            continue;
        }
        if (ht == NULL) {
            ht = apr_palloc(p, sizeof(*ht));
            set(p, stage, s, ht);
        }
        *ht = said;
    }
}

static void walk(apr_pool_t *p, server_rec *main_server, server_rec *s, const ap_directive_t *node)
{
    for (; node != NULL; node = node->next) {
        if (!strcasecmp(node->directive, DIRECTIVE)) {
            note(p, s, node->args);
        }
        else if (!strcasecmp(node->directive, "<VirtualHost")) {
            server_rec *vhost = server_at(main_server, node);

            walk(p, main_server, vhost != NULL ? vhost : s, node->first_child);
        }
        else if (node->first_child != NULL) {
            walk(p, main_server, s, node->first_child);
        }
    }
}

/* Virtual hosts inherit what the main server says. */
static void inherit(apr_pool_t *p, stage_e stage, const server_rec *main_server)
{
    rp_head_time_t *ht = written_for(stage, main_server);
    const server_rec *s;

    for (s = main_server; s != NULL && ht != NULL; s = s->next) {
        if (written_for(stage, s) == NULL) {
            set(p, stage, s, ht);
        }
    }
}

void rp_head_time_read(apr_pool_t *p, server_rec *main_server, const ap_directive_t *tree)
{
    stage_e stage;

    for (stage = 0; stage < STAGES; stage++) {
        by_server[stage] = apr_hash_make(p);
    }
    walk(p, main_server, main_server, tree);
    for (stage = 0; stage < STAGES; stage++) {
        inherit(p, stage, main_server);
    }
}

static const rp_head_time_t *of(stage_e stage, const server_rec *s)
{
    const rp_head_time_t *ht = by_server[stage] != NULL ? written_for(stage, s) : NULL;

    return ht != NULL ? ht : &defaults[stage];
}

const rp_head_time_t *rp_head_time_of(const server_rec *s) { return of(STAGE_HEADER, s); }

const rp_head_time_t *rp_head_time_handshake(const server_rec *s) { return of(STAGE_HANDSHAKE, s); }
