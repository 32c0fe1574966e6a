/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that a proxy on a thread of httpd can cost: a handler that takes a connection from a stack, sends a constant request,
 * sleeps in recv() for the answer and gives the body to the output filters. No mapping, no checks, no parsing worth the name, no
 * error handling: for measurements only (bench/blocking-lane.pl --floor). What it costs is the kernel's and httpd's.
 *
 *   FloorPort N      the backend on 127.0.0.1; requests below /p/ go there
 */
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define IDLE_MAX 1024
#define ANSWER_MAX 8192
#define ANSWER_BODY 1024

static int backend_port;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int idle[IDLE_MAX];
static int nidle;

/* As long as the one that a proxy would write for the clients of the measurement. */
static const char request[] = "GET /1k HTTP/1.1\r\nHost: 127.0.0.1:12345\r\nUser-Agent: h2load nghttp2/1.52.0\r\n"
                              "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: 127.0.0.1:12345\r\n"
                              "X-Forwarded-Server: www.example.com\r\nConnection: Keep-Alive\r\n\r\n";

static int connect_backend(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((unsigned short)backend_port)};
    struct timeval tv = {60, 0};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

static int take(void)
{
    int fd = -1;

    (void)pthread_mutex_lock(&mutex);
    if (nidle > 0) {
        fd = idle[--nidle];
    }
    (void)pthread_mutex_unlock(&mutex);
    return fd >= 0 ? fd : connect_backend();
}

static void put(int fd)
{
    (void)pthread_mutex_lock(&mutex);
    idle[nidle++] = fd;
    (void)pthread_mutex_unlock(&mutex);
}

static int wanted(request_rec *r)
{
    if (strncmp(r->uri, "/p/", 3) != 0) {
        return DECLINED;
    }
    r->filename = (char *)"floor"; /* nothing looks for a file */
    return OK;
}

static int handler(request_rec *r)
{
    apr_bucket_alloc_t *ba = r->connection->bucket_alloc;
    apr_bucket_brigade *bb;
    char *buf = apr_palloc(r->pool, ANSWER_MAX);
    ssize_t n;
    int fd;

    if (strncmp(r->uri, "/p/", 3) != 0) {
        return DECLINED;
    }
    fd = take();
    if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0
        || (n = recv(fd, buf, ANSWER_MAX, 0)) < ANSWER_BODY) {
        return HTTP_BAD_GATEWAY;
    }
    put(fd);
    apr_table_setn(r->headers_out, "Content-Length", "1024");
    ap_set_content_type(r, "text/plain");
    bb = apr_brigade_create(r->pool, ba);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_pool_create(buf + n - ANSWER_BODY, ANSWER_BODY, r->pool, ba));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(ba));
    (void)ap_pass_brigade(r->output_filters, bb);
    return OK;
}

static const char *set_port(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)cmd;
    (void)dir;
    backend_port = (int)strtol(arg, NULL, 10);
    return NULL;
}

static void hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_translate_name(wanted, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_map_to_storage(wanted, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_type_checker(wanted, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_FIRST);
}

static const command_rec directives[] = {
    AP_INIT_TAKE1("FloorPort", set_port, NULL, RSRC_CONF, "port of the backend on 127.0.0.1"),
    {NULL},
};

AP_DECLARE_MODULE(floor) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, directives, hooks, AP_MODULE_FLAG_NONE,
};
