/* SPDX-License-Identifier: Apache-2.0 */
#include "config/passline.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

int rp_keyvalue_split(apr_pool_t *pool, const char *word, rp_keyvalue_t *out)
{
    const char *eq = strchr(word, '=');

    if (eq == NULL || eq == word) {
        return 0;
    }
    out->key = apr_pstrmemdup(pool, word, (apr_size_t)(eq - word));
    out->value = eq + 1;
    return 1;
}

/* 1 when a word is a target: "!" or something with a scheme, before any '='. */
static int is_target(const char *word)
{
    const char *scheme = strstr(word, ":/");
    const char *eq = strchr(word, '=');

    if (strcmp(word, "!") == 0 || strncasecmp(word, "unix:", 5) == 0) {
        return 1;
    }
    return scheme && (!eq || scheme < eq);
}

/* Path and target; the number of words used, or -1 with *err set. */
static int take_target(apr_pool_t *pool, const char *name, int in_location, int argc,
                       const char *const *argv, rp_passline_t *out, const char **err)
{
    int i = 0;

    if (!out->regex && argc > 0 && strcmp(argv[0], "~") == 0) {
        out->regex = 1;
        i++;
    }
    if (in_location) {
        if (argc < 1) {
            *err = apr_pstrcat(pool, name, " needs a URL or \"!\"", NULL);
            return -1;
        }
        if (i > 0 || (argc > 1 && !is_target(argv[0]) && is_target(argv[1]))) {
            *err = apr_psprintf(pool,
                                "%s can not have a path (\"%s\") inside a Location, which gives "
                                "the path: leave it out, or move the line out of the Location",
                                name, argv[i > 0 && argc > 1 ? 1 : 0]);
            return -1;
        }
        out->url = argv[0];
        return 1;
    }
    if (argc - i < 2) {
        *err = apr_psprintf(pool,
                            "%s needs a path and a URL (or \"!\"): the path may be left out only "
                            "inside a Location",
                            name);
        return -1;
    }
    out->path = argv[i];
    out->url = argv[i + 1];
    return i + 2;
}

/* One word behind the target. */
static const char *take_word(apr_pool_t *pool, const char *name, int is_match, const char *word,
                             rp_passline_t *out)
{
    rp_keyvalue_t kv;

    if (strcasecmp(word, "nocanon") == 0) {
        out->nocanon = 1;
    }
    else if (strcasecmp(word, "interpolate") == 0) {
        out->interpolate = 1;
    }
    else if (strcasecmp(word, "noquery") == 0) {
        out->noquery = 1;
    }
    else if (!rp_keyvalue_split(pool, word, &kv)) {
        return apr_psprintf(pool,
                            "Invalid %s parameter \"%s\": parameters are key=value, or one of "
                            "nocanon, interpolate and noquery",
                            name, word);
    }
    else if (strcasecmp(kv.key, "mapping") == 0) {
        if (is_match) {
            return apr_pstrcat(pool, name, ": mapping= is for ProxyPass only", NULL);
        }
        if (strcasecmp(kv.value, "encoded") == 0) {
            out->mapping = RP_MAP_ENCODED;
        }
        else if (strcasecmp(kv.value, "servlet") == 0) {
            out->mapping = RP_MAP_SERVLET;
        }
        else {
            return apr_psprintf(pool, "%s: mapping \"%s\" is not one of encoded, servlet", name,
                                kv.value);
        }
    }
    else {
        APR_ARRAY_PUSH(out->params, rp_keyvalue_t) = kv;
    }
    return NULL;
}

const char *rp_passline_parse(apr_pool_t *pool, const char *name, int in_location, int is_match,
                              int argc, const char *const *argv, rp_passline_t *out)
{
    const char *err = NULL;
    int used;

    memset(out, 0, sizeof(*out));
    out->regex = is_match;
    out->params = apr_array_make(pool, 4, sizeof(rp_keyvalue_t));
    used = take_target(pool, name, in_location, argc, argv, out, &err);
    for (int i = used; err == NULL && i < argc; i++) {
        err = take_word(pool, name, is_match, argv[i], out);
    }
    if (err) {
        return err;
    }
    if (*out->url == '\0' || (out->path && *out->path == '\0')) {
        return apr_psprintf(pool, "%s: the %s is empty", name, *out->url ? "path" : "URL");
    }
    if (out->regex && out->mapping != RP_MAP_DECODED) {
        return apr_pstrcat(pool, name, ": mapping= does not go with a regular expression", NULL);
    }
    out->exempt = strcmp(out->url, "!") == 0;
    if (out->exempt && out->params->nelts > 0) {
        return apr_psprintf(pool, "%s: \"!\" has no backend, so it takes no parameters (\"%s\")",
                            name, APR_ARRAY_IDX(out->params, 0, rp_keyvalue_t).key);
    }
    return NULL;
}
