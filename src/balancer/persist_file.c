/* SPDX-License-Identifier: Apache-2.0 */
/* The state file on the disk. */
#include <apr_errno.h>
#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h> /* rename */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "balancer/persist.h"

static apr_status_t write_all(int fd, const char *text, apr_size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno != EINTR) {
            return errno;
        }
        if (n > 0) {
            text += n;
            len -= (apr_size_t)n;
        }
    }
    return fsync(fd) == 0 ? APR_SUCCESS : errno;
}

static apr_status_t sync_folder(apr_pool_t *pool, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *folder = slash == NULL   ? "."
                         : slash == path ? "/"
                                         : apr_pstrmemdup(pool, path, (apr_size_t)(slash - path));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    apr_status_t rv = APR_SUCCESS;

    if (fd < 0) {
        return errno;
    }
    /* some file systems can not; the rename itself is done then */
    if (fsync(fd) != 0 && errno != EINVAL && errno != EROFS) {
        rv = errno;
    }
    close(fd);
    return rv;
}

apr_status_t rp_persist_write(apr_pool_t *pool, const char *path, const char *text, apr_size_t len)
{
    const char *beside = apr_pstrcat(pool, path, ".new", NULL);
    apr_status_t rv;
    int fd;

    if (unlink(beside) != 0 && errno != ENOENT) { /* of a write that was cut off */
        return errno;
    }
    fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return errno;
    }
    rv = write_all(fd, text, len);
    if (close(fd) != 0 && rv == APR_SUCCESS) {
        rv = errno;
    }
    if (rv == APR_SUCCESS && rename(beside, path) != 0) {
        rv = errno;
    }
    if (rv != APR_SUCCESS) {
        (void)unlink(beside);
        return rv;
    }
    return sync_folder(pool, path);
}

static apr_status_t read_all(int fd, char *to, apr_size_t len)
{
    while (len > 0) {
        ssize_t n = read(fd, to, len);

        if (n == 0) {
            return APR_EOF;
        }
        if (n < 0 && errno != EINTR) {
            return errno;
        }
        if (n > 0) {
            to += n;
            len -= (apr_size_t)n;
        }
    }
    return APR_SUCCESS;
}

apr_status_t rp_persist_read(apr_pool_t *pool, const char *path, const char **text, apr_size_t *len)
{
    /* a FIFO of that name must not stop the server */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    apr_status_t rv = APR_SUCCESS;
    struct stat st;
    char *buf;

    *text = NULL;
    *len = 0;
    if (fd < 0) {
        return errno == ELOOP ? APR_EACCES : errno;
    }
    if (fstat(fd, &st) != 0) {
        rv = errno;
    }
    else if (!S_ISREG(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH))) {
        rv = APR_EACCES;
    }
    else if (st.st_size > RP_PERSIST_BYTES_MAX) {
        rv = APR_ENOSPC;
    }
    if (rv == APR_SUCCESS) {
        buf = apr_palloc(pool, (apr_size_t)st.st_size + 1);
        rv = read_all(fd, buf, (apr_size_t)st.st_size);
        *text = buf;
        *len = (apr_size_t)st.st_size;
    }
    close(fd);
    return rv;
}
