/* Parts of large files: what stands there, reading a passage, growing a file piece by piece so that
 * what was said to be there is there after a power cut. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "platform_private.h"

static void close_fd(int *fd) {
    if (*fd >= 0) close(*fd);
}

enum status platform_file_info(const char *path, struct platform_file_info *out, struct err *err) {
    struct stat info;
    if (lstat(path, &info) != 0) return platform_errno(errno, path, err);
    if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
        return err_set(err, ST_INVALID, "%s is no plain file", "%s 不是普通文件", path);
    *out = (struct platform_file_info){.bytes = info.st_size,
                                       .written_ms = (int64_t)info.st_mtim.tv_sec * 1000 +
                                                     info.st_mtim.tv_nsec / 1000000,
                                       .is_dir = S_ISDIR(info.st_mode)};
    return ST_OK;
}

enum status platform_read_at(const char *path, int64_t offset, void *out, size_t bytes,
                             size_t *out_got, struct err *err) {
    SCOPED(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return platform_errno(errno, path, err);
    size_t done = 0;
    while (done < bytes) {
        ssize_t got = pread(fd, (char *)out + done, bytes - done, (off_t)offset + (off_t)done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return platform_errno(errno, path, err);
        if (got == 0) break;
        done += (size_t)got;
    }
    *out_got = done;
    return ST_OK;
}

/* 0, or the errno. */
static int write_at(int fd, int64_t offset, struct slice content) {
    for (size_t done = 0; done < content.len;) {
        ssize_t put =
            pwrite(fd, content.data + done, content.len - done, (off_t)offset + (off_t)done);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return errno;
        done += (size_t)put;
    }
    return fdatasync(fd) == 0 ? 0 : errno;
}

enum status platform_append(const char *path, int64_t offset, struct slice content,
                            struct err *err) {
    SCOPED(close_fd) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat info;
    if (fd < 0) return platform_errno(errno, path, err);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return err_set(err, ST_BUSY, "%s is just being written", "%s 正在写入", path);
    if (fstat(fd, &info) != 0) return platform_errno(errno, path, err);
    if (info.st_size != offset)
        return err_set(err, ST_CONFLICT, "%s has another length", "%s 长度不符", path);
    int number = write_at(fd, offset, content);
    if (number == 0) return ST_OK;
    if (ftruncate(fd, (off_t)offset) != 0) number = errno; /* what is half written is not there */
    return platform_errno(number, path, err);
}

enum status platform_disk_free(const char *path, int64_t *out_bytes, struct err *err) {
    struct statvfs info;
    if (statvfs(path, &info) != 0) return platform_errno(errno, path, err);
    *out_bytes = (int64_t)info.f_bavail * (int64_t)info.f_frsize;
    return ST_OK;
}
