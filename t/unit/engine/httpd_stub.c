/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd_stub.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <apr_portable.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_core.h>

#define FILTERS 8

module AP_MODULE_DECLARE_DATA rproxy_module;
stub_counts_t stub_counts;
void (*stub_on_helper)(rp_owned_t *o);

static ap_filter_rec_t recs[FILTERS], core_in_rec, core_out_rec;
static int nrecs;
static server_rec server;

typedef struct stub_conn_t {
    conn_rec c;
    conn_state_t cs;
    int fd;
} stub_conn_t;

/* ---- filters ---- */

static ap_filter_rec_t *new_rec(const char *name)
{
    recs[nrecs].name = name;
    return &recs[nrecs++];
}

ap_filter_rec_t *ap_register_input_filter(const char *name, ap_in_filter_func f, ap_init_filter_func init, ap_filter_type type)
{
    ap_filter_rec_t *rec = new_rec(name);

    (void)init;
    (void)type;
    rec->filter_func.in_func = f;
    return rec;
}

ap_filter_rec_t *ap_register_output_filter(const char *name, ap_out_filter_func f, ap_init_filter_func init, ap_filter_type type)
{
    ap_filter_rec_t *rec = new_rec(name);

    (void)init;
    (void)type;
    rec->filter_func.out_func = f;
    return rec;
}

static ap_filter_t *add(ap_filter_t **list, ap_filter_rec_t *rec, void *ctx, conn_rec *c)
{
    ap_filter_t *f = apr_pcalloc(c->pool, sizeof(*f));

    f->frec = rec;
    f->ctx = ctx;
    f->c = c;
    f->next = *list;
    *list = f;
    return f;
}

ap_filter_t *ap_add_input_filter_handle(ap_filter_rec_t *f, void *ctx, request_rec *r, conn_rec *c)
{
    (void)r;
    return add(&c->input_filters, f, ctx, c);
}

/* Of the gate, which no test here comes through. */
void ap_remove_input_filter(ap_filter_t *f) { (void)f; }

apr_socket_t *ap_get_conn_socket(conn_rec *c)
{
    (void)c;
    return NULL;
}

ap_filter_t *ap_add_output_filter_handle(ap_filter_rec_t *f, void *ctx, request_rec *r, conn_rec *c)
{
    (void)r;
    return add(&c->output_filters, f, ctx, c);
}

apr_status_t ap_get_brigade(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode, apr_read_type_e block, apr_off_t readbytes)
{
    return f->frec->filter_func.in_func(f, bb, mode, block, readbytes);
}

static void wait_fd(int fd, short events)
{
    struct pollfd pfd = {.fd = fd, .events = events};

    (void)poll(&pfd, 1, 10000);
}

static apr_status_t core_in(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode, apr_read_type_e block, apr_off_t readbytes)
{
    int fd = *(int *)f->ctx;
    char buf[4096];
    ssize_t n;

    (void)mode;
    if (block == APR_BLOCK_READ) {
        wait_fd(fd, POLLIN);
    }
    n = recv(fd, buf, readbytes < (apr_off_t)sizeof(buf) ? (size_t)readbytes : sizeof(buf), MSG_DONTWAIT);
    if (n > 0) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_heap_create(buf, (apr_size_t)n, NULL, f->c->bucket_alloc));
        return APR_SUCCESS;
    }
    return n == 0 ? APR_EOF : errno;
}

static apr_status_t core_out(ap_filter_t *f, apr_bucket_brigade *bb)
{
    int fd = *(int *)f->ctx;

    while (bb != NULL && !APR_BRIGADE_EMPTY(bb)) {
        apr_bucket *b = APR_BRIGADE_FIRST(bb);
        const char *p;
        apr_size_t n, sent = 0;

        if (apr_bucket_read(b, &p, &n, APR_BLOCK_READ) != APR_SUCCESS) {
            n = 0;
        }
        while (sent < n) {
            ssize_t w = send(fd, p + sent, n - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

            if (w < 0 && errno != EAGAIN) {
                return errno;
            }
            sent += w > 0 ? (apr_size_t)w : 0;
            if (w < 0) {
                wait_fd(fd, POLLOUT);
            }
        }
        apr_bucket_delete(b);
    }
    return APR_SUCCESS;
}

/* ---- a request ---- */

/* One line without its end; NULL: there is none. */
static const char *read_line(conn_rec *c, apr_pool_t *p, apr_bucket_brigade *bb)
{
    char *line;
    apr_size_t n;

    if (ap_get_brigade(c->input_filters, bb, AP_MODE_GETLINE, APR_BLOCK_READ, 0) != APR_SUCCESS
        || apr_brigade_pflatten(bb, &line, &n, p) != APR_SUCCESS || n < 2) {
        return NULL;
    }
    apr_brigade_cleanup(bb);
    return apr_pstrmemdup(p, line, n - 2);
}

request_rec *ap_read_request(conn_rec *c)
{
    apr_bucket_brigade *bb = apr_brigade_create(c->pool, c->bucket_alloc);
    apr_pool_t *p = NULL;
    const char *line;
    request_rec *r;

    if (apr_pool_create(&p, c->pool) != APR_SUCCESS) {
        return NULL;
    }
    line = read_line(c, p, bb);
    if (line == NULL || strchr(line, ' ') == NULL) {
        return NULL;
    }
    r = apr_pcalloc(p, sizeof(*r));
    r->pool = p;
    r->connection = c;
    r->server = &server;
    r->status = HTTP_OK;
    r->headers_in = apr_table_make(p, 4);
    r->uri = apr_pstrdup(p, strchr(line, ' ') + 1);
    r->uri[strcspn(r->uri, " ")] = '\0';
    r->handler = r->uri;
    while ((line = read_line(c, p, bb)) != NULL && *line != '\0') {
        if (!strncmp(line, "Content-Length: ", 16)) {
            apr_table_setn(r->headers_in, "Content-Length", line + 16);
        }
    }
    c->keepalive = AP_CONN_KEEPALIVE;
    return r;
}

/* Reads the body, waiting for it, and answers with its length and sum. */
int ap_run_handler(request_rec *r)
{
    conn_rec *c = r->connection;
    rp_owned_t *o = ap_get_module_config(c->conn_config, &rproxy_module);
    const char *length = apr_table_get(r->headers_in, "Content-Length");
    apr_int64_t left = length ? apr_atoi64(length) : 0;
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, c->bucket_alloc);
    unsigned sum = 0;

    if (!o->on_loop && stub_on_helper != NULL) {
        stub_on_helper(o);
    }
    (void)__atomic_add_fetch(o->on_loop ? &stub_counts.on_loop : &stub_counts.on_helper, 1, __ATOMIC_RELAXED);
    while (left > 0) {
        char *p;
        apr_size_t n, i;

        if (ap_get_brigade(c->input_filters, bb, AP_MODE_READBYTES, APR_BLOCK_READ, left) != APR_SUCCESS
            || apr_brigade_pflatten(bb, &p, &n, r->pool) != APR_SUCCESS) {
            c->keepalive = AP_CONN_CLOSE;
            return OK;
        }
        apr_brigade_cleanup(bb);
        for (i = 0; i < n; i++) {
            sum += (unsigned char)p[i];
        }
        left -= (apr_int64_t)n;
    }
    (void)apr_brigade_printf(bb, NULL, NULL, "%s %s %u\n", r->uri, length ? length : "0", sum);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(c->bucket_alloc));
    (void)c->output_filters->frec->filter_func.out_func(c->output_filters, bb);
    return OK;
}

void ap_process_request_after_handler(request_rec *r)
{
    r->connection->cs->state = CONN_STATE_WRITE_COMPLETION;
    apr_pool_destroy(r->pool);
}

void ap_process_async_request(request_rec *r)
{
    rp_owned_t *o = ap_get_module_config(r->connection->conn_config, &rproxy_module);

    if (!strcmp(r->uri, "/file")) {
        o->handoff = RP_HANDOFF_HANDLER;
        o->handler = r->handler;
        r->connection->cs->state = CONN_STATE_SUSPENDED;
        return;
    }
    (void)ap_run_handler(r);
    ap_process_request_after_handler(r);
}

void ap_die(int type, request_rec *r)
{
    (void)type;
    (void)r;
}

int ap_index_of_response(int status) { return status; }

char *ap_response_code_string(request_rec *r, int index)
{
    (void)r;
    (void)index;
    return NULL;
}

int ap_prep_lingering_close(conn_rec *c)
{
    (void)c;
    return 0;
}

int ap_shutdown_conn(conn_rec *c, int flush)
{
    (void)c;
    (void)flush;
    return OK;
}

/* ---- the rest ---- */

apr_status_t ap_thread_create(apr_thread_t **thread, apr_threadattr_t *attr, apr_thread_start_t fn, void *data, apr_pool_t *p)
{
    return apr_thread_create(thread, attr, fn, data, p);
}

void ap_log_cerror_(const char *file, int line, int index, int level, apr_status_t status, const conn_rec *c, const char *fmt, ...)
{
    (void)file, (void)line, (void)index, (void)level, (void)status, (void)c, (void)fmt;
}

void ap_log_rerror_(const char *file, int line, int index, int level, apr_status_t status, const request_rec *r, const char *fmt, ...)
{
    (void)file, (void)line, (void)index, (void)level, (void)status, (void)r, (void)fmt;
}

void ap_log_error_(const char *file, int line, int index, int level, apr_status_t status, const server_rec *s, const char *fmt, ...)
{
    (void)file, (void)line, (void)index, (void)level, (void)status, (void)s, (void)fmt;
}

static int needs_helper(request_rec *r) { return !strcmp(r->uri, "/whole"); }

static void slow_call(request_rec *r, apr_interval_time_t us)
{
    (void)r;
    (void)us;
}

const rp_engine_conf_t *rp_engine_conf(void)
{
    static const rp_engine_conf_t conf = {.needs_helper = needs_helper, .slow_call = slow_call};

    return &conf;
}

void rp_engine_hold(int n) { (void)n; }

void rp_scoreboard_open(rp_engine_loop_t *el, const conn_rec *c)
{
    (void)el;
    (void)c;
}

/* ---- connections ---- */

void stub_httpd_init(void)
{
    nrecs = 0;
    core_in_rec.name = "CORE_IN";
    core_in_rec.filter_func.in_func = core_in;
    core_out_rec.name = "CORE";
    core_out_rec.filter_func.out_func = core_out;
    rp_owned_input_register();
    rp_owned_output_register();
    server.limit_req_line = server.limit_req_fieldsize = 8190;
    server.limit_req_fields = 100;
    server.timeout = apr_time_from_sec(10);
    server.keep_alive_timeout = apr_time_from_sec(10);
    server.keep_alive_timeout_set = 1;
}

static conn_rec *make_conn(int fd)
{
    apr_allocator_t *allocator = NULL;
    apr_pool_t *p = NULL;
    stub_conn_t *sc;

    if (apr_allocator_create(&allocator) != APR_SUCCESS || apr_pool_create_ex(&p, NULL, NULL, allocator) != APR_SUCCESS) {
        abort();
    }
    apr_allocator_owner_set(allocator, p);
    sc = apr_pcalloc(p, sizeof(*sc));
    sc->fd = fd;
    sc->c.pool = p;
    sc->c.bucket_alloc = apr_bucket_alloc_create(p);
    sc->c.conn_config = apr_pcalloc(p, sizeof(void *) * 16);
    sc->c.base_server = &server;
    sc->c.notes = apr_table_make(p, 1);
    sc->c.cs = &sc->cs;
    sc->c.sbh = &server; /* something */
    sc->cs.state = CONN_STATE_SUSPENDED;
    (void)add(&sc->c.input_filters, &core_in_rec, &sc->fd, &sc->c);
    (void)add(&sc->c.output_filters, &core_out_rec, &sc->fd, &sc->c);
    return &sc->c;
}

rp_owned_t *stub_connection(rp_engine_loop_t *el, int fd)
{
    conn_rec *c = make_conn(fd);
    rp_owned_t *o = apr_pcalloc(c->pool, sizeof(*o));

    o->c = c;
    o->el = el;
    o->fd = fd;
    rp_visit_begin();
    o->visit = rp_visit_current();
    if (apr_os_sock_put(&o->sock, &fd, c->pool) != APR_SUCCESS) {
        abort();
    }
    ap_set_module_config(c->conn_config, &rproxy_module, o);
    rp_owned_input_add(o);
    rp_owned_output_add(o);
    return o;
}

static void on_adopted(rp_post_t *post) { rp_owned_adopted(RP_OWNED_OF(post, post)); }

void stub_let_go(rp_owned_t *o)
{
    o->post.fn = on_adopted;
    rp_loop_post(o->el->loop, &o->post);
    __atomic_store_n(&o->c->sbh, NULL, __ATOMIC_RELEASE);
}
