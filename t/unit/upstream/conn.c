/* SPDX-License-Identifier: Apache-2.0 */
/* Plain connections on real sockets: connect, read, write, half-close, check before reuse, reset.
 */
#include "upstream_unit.h"

#include <netinet/tcp.h>
#include <signal.h>

#include "upstream/clock.h"
#include "upstream/conn.h"

static rig_t rig;
static rp_conn_t *conn;
static int peer;

static void setup(void)
{
    pool_setup();
    rig_setup(&rig);
    conn = rp_conn_create(rig.ep, rig.w);
    ck_assert_ptr_nonnull(conn);
    peer = -1;
}

static void teardown(void)
{
    rp_conn_destroy(conn);
    if (peer >= 0) {
        close(peer);
    }
    rig_teardown(&rig);
    pool_teardown();
}

static void connected(void) { connect_conn(conn, rig.listener, 7 * SEC, &peer); }

static apr_sockaddr_t *literal(const char *ip, int port)
{
    apr_sockaddr_t *sa = NULL;

    ck_assert_int_eq(apr_sockaddr_info_get(&sa, ip, APR_UNSPEC, (apr_port_t)port, 0, pool),
                     APR_SUCCESS);
    return sa;
}

START_TEST(conn_connect_ready_with_address_and_options)
{
    struct sockaddr_in sin;
    socklen_t len = sizeof(sin);
    int on = 0;
    socklen_t on_len = sizeof(on);

    connected();
    ck_assert_int_eq(conn->state, RP_CONN_READY);
    ck_assert_str_eq(conn->addr_str, apr_psprintf(pool, "127.0.0.1:%d", rig.port));
    ck_assert_int_eq(getpeername(peer, (struct sockaddr *)&sin, &len), 0);
    ck_assert_int_eq(conn->local_port, ntohs(sin.sin_port));
    ck_assert_int_eq(getsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, &on_len), 0);
    ck_assert_int_ne(on, 0);
    ck_assert_int_eq(getsockopt(conn->fd, SOL_SOCKET, SO_KEEPALIVE, &on, &on_len), 0);
    ck_assert_int_eq(on, 0);
    ck_assert_int_eq(conn->opened_us, 7 * SEC);
    ck_assert_uint_eq(rig.w->stat->opened, 1);
}
END_TEST

START_TEST(conn_keepalive_and_receivebuffersize)
{
    int value = 0;
    socklen_t len = sizeof(value);

    rig.w->params.keepalive = RP_ON;
    rig.w->params.receivebuffersize = 4096;
    connected();
    ck_assert_int_eq(getsockopt(conn->fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len), 0);
    ck_assert_int_ne(value, 0);
    ck_assert_int_eq(getsockopt(conn->fd, SOL_SOCKET, SO_RCVBUF, &value, &len), 0);
    ck_assert_int_eq(value, 8192); /* the system doubles it */
}
END_TEST

START_TEST(conn_source_address_bound)
{
    struct sockaddr_in sin;
    socklen_t len = sizeof(sin);

    rig.ep->source_addr = literal("127.0.0.77", 0);
    connected();
    ck_assert_int_eq(getpeername(peer, (struct sockaddr *)&sin, &len), 0);
    ck_assert_int_eq((int)ntohl(sin.sin_addr.s_addr), 0x7f00004d);
}
END_TEST

START_TEST(conn_source_address_impossible_connects_all_the_same)
{
    rig.ep->source_addr = literal("192.0.2.1", 0);
    connected();
    ck_assert_int_eq(conn->state, RP_CONN_READY);
}
END_TEST

START_TEST(conn_refused_says_so_and_can_try_again)
{
    int port, closed = tcp_listen(&port, 1);
    apr_status_t rv;

    close(closed);
    rv = rp_conn_connect_start(conn, literal("127.0.0.1", port), 1);
    if (APR_STATUS_IS_EINPROGRESS(rv)) {
        ck_assert_int_eq(wait_fd(conn->fd, POLLOUT), 1);
        rv = rp_conn_connect_finish(conn);
    }
    ck_assert(APR_STATUS_IS_ECONNREFUSED(rv));
    rp_conn_reset(conn);
    ck_assert_int_eq(conn->state, RP_CONN_NEW);
    ck_assert_int_eq(rp_conn_fd(conn), -1);
    ck_assert_uint_eq(rig.w->stat->opened, 0);
    connected(); /* the next address */
    ck_assert_int_eq(conn->state, RP_CONN_READY);
}
END_TEST

/* A listener whose queue is full answers nothing: the connect stays under way. */
START_TEST(conn_finish_too_early_is_in_progress)
{
    int port, full = tcp_listen(&port, 0), fd[4], i;
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (i = 0; i < 4; i++) {
        fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fd[i], (struct sockaddr *)&sin, sizeof(sin));
    }
    ck_assert_int_eq(rp_conn_connect_start(conn, literal("127.0.0.1", port), 1), APR_EINPROGRESS);
    ck_assert_int_eq(conn->state, RP_CONN_CONNECTING);
    ck_assert_int_eq(rp_conn_connect_finish(conn), APR_EINPROGRESS);
    ck_assert_int_eq(conn->state, RP_CONN_CONNECTING);
    for (i = 0; i < 4; i++) {
        close(fd[i]);
    }
    close(full);
}
END_TEST

START_TEST(conn_finish_in_wrong_state_is_refused)
{
    ck_assert_int_eq(rp_conn_connect_finish(conn), APR_EINVAL);
}
END_TEST

START_TEST(conn_unix_socket)
{
    const char *path = apr_psprintf(pool, "/tmp/rp-unit-%d.sock", (int)getpid());
    int listener = unix_listen(path);
    apr_sockaddr_t *sa = NULL;

    ck_assert_int_eq(apr_sockaddr_info_get(&sa, path, APR_UNIX, 0, 0, pool), APR_SUCCESS);
    ck_assert_int_eq(rp_conn_connect_start(conn, sa, 1), APR_SUCCESS);
    ck_assert_int_eq(conn->state, RP_CONN_READY);
    ck_assert_str_eq(conn->addr_str, apr_psprintf(pool, "unix:%s", path));
    ck_assert_int_eq(conn->local_port, 0);
    peer = accept_one(listener);
    close(listener);
    unlink(path);
}
END_TEST

/* Nobody accepts: a further connect finds the queue full, which nothing would ever announce the end
 * of. */
START_TEST(conn_unix_socket_full_is_refused)
{
    const char *path = apr_psprintf(pool, "/tmp/rp-unit-full-%d.sock", (int)getpid());
    int listener = unix_listen(path), fd[64], n = 0;
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    apr_sockaddr_t *sa = NULL;

    apr_cpystrn(sun.sun_path, path, sizeof(sun.sun_path));
    do {
        fd[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    } while (connect(fd[n++], (struct sockaddr *)&sun, sizeof(sun)) == 0 && n < 64);
    ck_assert_int_eq(apr_sockaddr_info_get(&sa, path, APR_UNIX, 0, 0, pool), APR_SUCCESS);
    ck_assert(APR_STATUS_IS_ECONNREFUSED(rp_conn_connect_start(conn, sa, 1)));
    ck_assert_int_eq(conn->state, RP_CONN_NEW);
    while (n > 0) {
        close(fd[--n]);
    }
    close(listener);
    unlink(path);
}
END_TEST

START_TEST(conn_recv_nothing_data_end)
{
    char buf[16];
    apr_size_t n = sizeof(buf);

    connected();
    ck_assert(APR_STATUS_IS_EAGAIN(conn->ops->recv(conn, buf, &n)));
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(write(peer, "hello", 5), 5);
    ck_assert_int_eq(wait_fd(conn->fd, POLLIN), 1);
    n = sizeof(buf);
    ck_assert_int_eq(conn->ops->recv(conn, buf, &n), APR_SUCCESS);
    ck_assert_uint_eq(n, 5);
    ck_assert_int_eq(conn->ops->buffered(conn), 0);
    ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
    ck_assert_int_eq(wait_fd(conn->fd, POLLIN), 1);
    n = sizeof(buf);
    ck_assert_int_eq(conn->ops->recv(conn, buf, &n), APR_EOF);
}
END_TEST

START_TEST(conn_recv_reset)
{
    char buf[16];
    apr_size_t n = sizeof(buf);
    struct linger hard = {1, 0};

    connected();
    ck_assert_int_eq(setsockopt(peer, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
    close(peer);
    peer = -1;
    ck_assert_int_eq(wait_fd(conn->fd, POLLIN), 1);
    ck_assert(APR_STATUS_IS_ECONNRESET(conn->ops->recv(conn, buf, &n)));
}
END_TEST

START_TEST(conn_reuse_check_reset)
{
    struct linger hard = {1, 0};

    connected();
    ck_assert_int_eq(setsockopt(peer, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
    close(peer);
    peer = -1;
    ck_assert_int_eq(wait_fd(conn->fd, POLLIN), 1);
    ck_assert_int_eq(rp_conn_reuse_check(conn), RP_REFUSE_PEER_CLOSED);
}
END_TEST

/* The read that may wait does so once, up to its time; the next one does not. */
START_TEST(conn_wait_in_read_once)
{
    char buf[4];
    apr_size_t n = sizeof(buf);
    apr_time_t start;

    connected();
    ck_assert_int_eq(rp_conn_wait_in_read(conn, 0), 0); /* would be for ever */
    ck_assert_int_eq(rp_conn_wait_in_read(conn, 60000), 1);
    start = rp_clock_now_us();
    ck_assert(APR_STATUS_IS_EAGAIN(conn->ops->recv(conn, buf, &n)));
    ck_assert_int_ge(rp_clock_now_us() - start, 50000);
    ck_assert_int_eq(rp_conn_wait_in_read(conn, 20 * SEC), 1); /* another time */
    ck_assert_int_eq(write(peer, "ok", 2), 2);
    n = sizeof(buf);
    ck_assert_int_eq(conn->ops->recv(conn, buf, &n), APR_SUCCESS);
    ck_assert_uint_eq(n, 2);
    start = rp_clock_now_us();
    n = sizeof(buf);
    ck_assert(APR_STATUS_IS_EAGAIN(conn->ops->recv(conn, buf, &n)));
    ck_assert_int_lt(rp_clock_now_us() - start, 10 * SEC);
    ck_assert_int_eq(rp_conn_reuse_check(conn), RP_REFUSE_NONE); /* does not wait either */
}
END_TEST

/* A reset connection connects without waiting again. */
START_TEST(conn_wait_in_read_forgotten_by_reset)
{
    connected();
    ck_assert_int_eq(rp_conn_wait_in_read(conn, SEC), 1);
    rp_conn_reset(conn);
    ck_assert_int_eq(rp_conn_wait_in_read(conn, SEC), 0); /* nothing to read from */
    close(peer);
    connected();
    ck_assert_int_eq(conn->read_wait_us, 0);
    ck_assert_int_eq(conn->wait_in_read, 0);
}
END_TEST

/* Writing never waits, whatever reading may do. */
START_TEST(conn_wait_in_read_not_in_write)
{
    static char chunk[65536];
    struct iovec vec = {chunk, sizeof(chunk)};
    apr_size_t sent = 0;
    apr_status_t rv;

    connected();
    ck_assert_int_eq(rp_conn_wait_in_read(conn, SEC), 1);
    do {
        rv = conn->ops->sendv(conn, &vec, 1, &sent);
    } while (rv == APR_SUCCESS);
    ck_assert(APR_STATUS_IS_EAGAIN(rv));
}
END_TEST

START_TEST(conn_sendv_short_then_eagain_then_more)
{
    static char chunk[65536];
    struct iovec vec[2] = {{chunk, sizeof(chunk)}, {chunk, sizeof(chunk)}};
    apr_size_t sent = 0, total = 0;
    apr_status_t rv;

    connected();
    do {
        rv = conn->ops->sendv(conn, vec, 2, &sent);
        total += sent;
    } while (rv == APR_SUCCESS);
    ck_assert(APR_STATUS_IS_EAGAIN(rv));
    ck_assert_uint_eq(sent, 0);
    ck_assert_int_eq(conn->ops->flush(conn), APR_SUCCESS);
    while (total > 0) {
        ssize_t n = read(peer, chunk, sizeof(chunk));
        ck_assert_int_gt((int)n, 0);
        total -= (apr_size_t)n;
    }
    ck_assert_int_eq(conn->ops->sendv(conn, vec, 1, &sent), APR_SUCCESS);
    ck_assert_uint_gt(sent, 0);
}
END_TEST

/* More pieces than one system call takes: short, not refused. */
START_TEST(conn_sendv_many_pieces)
{
    static struct iovec vec[2000];
    apr_size_t sent = 0;
    int i;

    connected();
    for (i = 0; i < 2000; i++) {
        vec[i].iov_base = "x";
        vec[i].iov_len = 1;
    }
    ck_assert_int_eq(conn->ops->sendv(conn, vec, 2000, &sent), APR_SUCCESS);
    ck_assert_uint_eq(sent, 1024);
}
END_TEST

START_TEST(conn_send_to_dead_peer_no_signal)
{
    struct iovec vec = {"x", 1};
    apr_size_t sent = 0;

    connected();
    ck_assert(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    close(peer);
    peer = -1;
    ck_assert_int_eq(conn->ops->sendv(conn, &vec, 1, &sent), APR_SUCCESS); /* answered by a reset */
    ck_assert_int_eq(wait_fd(conn->fd, POLLHUP), 1);
    ck_assert(APR_STATUS_IS_EPIPE(conn->ops->sendv(conn, &vec, 1, &sent)));
    ck_assert_uint_eq(sent, 0);
}
END_TEST

START_TEST(conn_shutdown_write_half_close)
{
    char buf[4];
    apr_size_t n = sizeof(buf);

    connected();
    ck_assert_int_eq(conn->ops->shutdown_write(conn), APR_SUCCESS);
    ck_assert_int_eq(read(peer, buf, sizeof(buf)), 0);
    ck_assert_int_eq(write(peer, "ok", 2), 2);
    ck_assert_int_eq(wait_fd(conn->fd, POLLIN), 1);
    ck_assert_int_eq(conn->ops->recv(conn, buf, &n), APR_SUCCESS);
    ck_assert_uint_eq(n, 2);
}
END_TEST

START_TEST(conn_reuse_check_quiet_bytes_closed)
{
    char buf[4];
    apr_size_t n = sizeof(buf);

    connected();
    ck_assert_int_eq(rp_conn_reuse_check(conn), RP_REFUSE_NONE);
    ck_assert_int_eq(write(peer, "?", 1), 1);
    ck_assert_int_eq(wait_fd(conn->fd, POLLIN), 1);
    ck_assert_int_eq(rp_conn_reuse_check(conn), RP_REFUSE_EXTRA_BYTES);
    ck_assert_int_eq(conn->ops->recv(conn, buf, &n), APR_SUCCESS); /* it only looked */
    ck_assert_uint_eq(n, 1);
    close(peer);
    peer = -1;
    ck_assert_int_eq(wait_fd(conn->fd, POLLIN), 1);
    ck_assert_int_eq(rp_conn_reuse_check(conn), RP_REFUSE_PEER_CLOSED);
    rp_conn_reset(conn);
    ck_assert_int_eq(rp_conn_reuse_check(conn), RP_REFUSE_PEER_CLOSED);
}
END_TEST

START_TEST(conn_close_gives_descriptor_back)
{
    int fd;

    connected();
    fd = conn->fd;
    conn->ops->close(conn);
    ck_assert_int_eq(conn->state, RP_CONN_CLOSED);
    ck_assert_int_eq(rp_conn_fd(conn), -1);
    ck_assert_int_eq((int)write(fd, "x", 1), -1);
    ck_assert_int_eq(errno, EBADF);
    conn->ops->close(conn); /* twice is harmless */
    rp_conn_destroy(NULL);
}
END_TEST

START_TEST(conn_state_names)
{
    int i;

    for (i = RP_CONN_NEW; i <= RP_CONN_CLOSED; i++) {
        ck_assert_str_ne(rp_conn_state_str((rp_conn_state_e)i), "unknown");
    }
    ck_assert_str_eq(rp_conn_state_str((rp_conn_state_e)99), "unknown");
    ck_assert_int_eq(rp_conn_fd(NULL), -1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("conn");
    TCase *tc = tcase_create("conn");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, conn_connect_ready_with_address_and_options);
    tcase_add_test(tc, conn_keepalive_and_receivebuffersize);
    tcase_add_test(tc, conn_source_address_bound);
    tcase_add_test(tc, conn_source_address_impossible_connects_all_the_same);
    tcase_add_test(tc, conn_refused_says_so_and_can_try_again);
    tcase_add_test(tc, conn_finish_too_early_is_in_progress);
    tcase_add_test(tc, conn_finish_in_wrong_state_is_refused);
    tcase_add_test(tc, conn_unix_socket);
    tcase_add_test(tc, conn_unix_socket_full_is_refused);
    tcase_add_test(tc, conn_recv_nothing_data_end);
    tcase_add_test(tc, conn_recv_reset);
    tcase_add_test(tc, conn_reuse_check_reset);
    tcase_add_test(tc, conn_wait_in_read_once);
    tcase_add_test(tc, conn_wait_in_read_forgotten_by_reset);
    tcase_add_test(tc, conn_wait_in_read_not_in_write);
    tcase_add_test(tc, conn_sendv_short_then_eagain_then_more);
    tcase_add_test(tc, conn_sendv_many_pieces);
    tcase_add_test(tc, conn_send_to_dead_peer_no_signal);
    tcase_add_test(tc, conn_shutdown_write_half_close);
    tcase_add_test(tc, conn_reuse_check_quiet_bytes_closed);
    tcase_add_test(tc, conn_close_gives_descriptor_back);
    tcase_add_test(tc, conn_state_names);
    suite_add_tcase(s, tc);
    return suite_main(s);
}
