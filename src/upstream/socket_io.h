/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file socket_io.h
 * recv() and send() as calls that no thread is cancelled in. libc's are cancellation points: in a process with threads each of them marks
 * and unmarks the thread by two locked operations, which is 2 % of what a small request costs. Nobody cancels threads here
 * (pthread_cancel(3)). Results and errno as with recv(2) and send(2).
 */
#ifndef RP_UPSTREAM_SOCKET_IO_H
#define RP_UPSTREAM_SOCKET_IO_H

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(SYS_recvfrom) && defined(SYS_sendto) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define RP_SOCKET_IO_DIRECT 1
#else
#define RP_SOCKET_IO_DIRECT 0 /* 32-bit x86 has one call for all of them; sanitizers watch libc's */
#endif

static inline ssize_t rp_socket_recv(int fd, void *buf, size_t size, int flags)
{
#if RP_SOCKET_IO_DIRECT
    return syscall(SYS_recvfrom, fd, buf, size, flags, NULL, NULL);
#else
    return recv(fd, buf, size, flags);
#endif
}

static inline ssize_t rp_socket_send(int fd, const void *buf, size_t size, int flags)
{
#if RP_SOCKET_IO_DIRECT
    return syscall(SYS_sendto, fd, buf, size, flags, NULL, 0);
#else
    return send(fd, buf, size, flags);
#endif
}

#endif
