/* Files and folders. What must survive a power cut is written beside its place, synced, renamed
 * over it, and the folder synced too: on POSIX only that makes a replacement atomic and durable. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform_private.h"

static void close_fd(int *fd) {
    if (*fd >= 0) close(*fd);
}

/* The system says it in English; these are the reasons that people meet. */
static const char *reason_zh(int number, const char *otherwise) {
    switch (number) {
    case ENOENT: return "文件或文件夹不存在";
    case ENOTDIR: return "路径中有一段不是文件夹";
    case EISDIR: return "这是文件夹，不是文件";
    case EACCES:
    case EPERM: return "没有权限";
    case EROFS: return "此处只能读取";
    case ENOSPC:
    case EDQUOT: return "磁盘已满";
    case EEXIST: return "已存在";
    case ENOTEMPTY: return "文件夹不为空";
    }
    return otherwise;
}

enum status platform_errno(int number, const char *path, struct err *err) {
    enum status status = ST_DISK;
    if (number == ENOENT || number == ENOTDIR)
        status = ST_NOT_FOUND;
    else if (number == EACCES || number == EPERM || number == EROFS)
        status = ST_DENIED;
    else if (number == EMFILE || number == ENFILE)
        status = ST_BUSY;
    else if (number == ENOMEM)
        status = ST_NO_MEMORY;
    else if (number == ENAMETOOLONG || number == EINVAL || number == EISDIR)
        status = ST_INVALID;
    else if (number == EEXIST || number == ENOTEMPTY)
        status = ST_CONFLICT;
    char text[128];
    const char *reason = strerror_r(number, text, sizeof text);
    return err_set(err, status, "%s: %s%.0s", "%s：%.0s%s", path, reason,
                   reason_zh(number, reason));
}

enum status platform_read_file(const char *path, size_t bytes_max, struct arena *mem,
                               struct slice *out, struct err *err) {
    SCOPED(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return platform_errno(errno, path, err);
    struct stat info;
    if (fstat(fd, &info) != 0) return platform_errno(errno, path, err);
    if (S_ISDIR(info.st_mode)) return platform_errno(EISDIR, path, err);
    /* Files of /proc say that they are empty, so the size is only a first guess. */
    struct buf content = buf_new(bytes_max);
    uint8_t chunk[16384];
    ssize_t got;
    while ((got = read(fd, chunk, sizeof chunk)) != 0) {
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) break;
        buf_put(&content, chunk, (size_t)got);
        if (content.failed) break;
    }
    int number = errno;
    struct slice copy = {NULL, 0};
    bool too_large = content.failed;
    if (got == 0) copy = arena_copy(mem, buf_slice(&content));
    buf_free(&content);
    if (too_large)
        return err_set(err, ST_TOO_LARGE, "%s is larger than %zu bytes", "%s 超过 %zu 字节", path,
                       bytes_max);
    if (got < 0) return platform_errno(number, path, err);
    if (copy.data == NULL) return err_no_memory(err);
    *out = copy;
    return ST_OK;
}

static enum status sync_parent(const char *path, struct err *err) {
    char parent[4096];
    size_t len = strlen(path);
    if (len >= sizeof parent) return platform_errno(ENAMETOOLONG, path, err);
    memcpy(parent, path, len + 1);
    char *slash = strrchr(parent, '/');
    if (slash == NULL)
        memcpy(parent, ".", 2);
    else if (slash == parent)
        parent[1] = 0;
    else
        *slash = 0;
    SCOPED(close_fd) int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Some file systems cannot sync a folder; they answer EINVAL and order renames themselves. */
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL)) return platform_errno(errno, parent, err);
    return ST_OK;
}

static int write_all(int fd, struct slice content) {
    for (size_t done = 0; done < content.len;) {
        ssize_t put = write(fd, content.data + done, content.len - done);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return errno;
        done += (size_t)put;
    }
    return fsync(fd) == 0 ? 0 : errno;
}

enum status platform_write_file_private(const char *path, struct slice content, struct err *err) {
    char beside[4096];
    int len = snprintf(beside, sizeof beside, "%s.XXXXXX", path);
    if (len < 0 || (size_t)len >= sizeof beside) return platform_errno(ENAMETOOLONG, path, err);
    int fd = mkostemp(beside, O_CLOEXEC); /* with mode 0600 */
    if (fd < 0) return platform_errno(errno, path, err);
    int number = write_all(fd, content);
    if (close(fd) != 0 && number == 0) number = errno;
    if (number == 0 && rename(beside, path) != 0) number = errno;
    if (number != 0) {
        unlink(beside);
        return platform_errno(number, path, err);
    }
    return sync_parent(path, err);
}

enum status platform_touch(const char *path, struct err *err) {
    SCOPED(close_fd) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || pwrite(fd, "\n", 1, 0) != 1) return platform_errno(errno, path, err);
    return ST_OK;
}

enum status platform_make_file(const char *path, bool exclusive, struct err *err) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | (exclusive ? O_EXCL : 0), 0600);
    if (fd < 0 && errno == EEXIST)
        return err_set(err, ST_CONFLICT, "%s is there already", "%s 已存在", path);
    if (fd < 0) return platform_errno(errno, path, err);
    close(fd);
    return ST_OK;
}

bool platform_is_dir(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

enum status platform_make_dir(const char *path, struct err *err) {
    char part[4096];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof part) return platform_errno(ENAMETOOLONG, path, err);
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != 0) continue;
        char kept = part[i];
        part[i] = 0;
        if (mkdir(part, 0700) != 0) {
            int number = errno; /* a parent may exist although we may not write above it */
            if (!platform_is_dir(part)) return platform_errno(number, part, err);
        }
        part[i] = kept;
    }
    return ST_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum status names_read(DIR *dir, const char *path, size_t names_max, struct arena *mem,
                              const char **names, size_t *count, struct err *err) {
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL) return errno == 0 ? ST_OK : platform_errno(errno, path, err);
        if (entry->d_name[0] == '.') continue;
        if (*count == names_max)
            return err_set(err, ST_TOO_LARGE, "%s holds more than %zu files",
                           "%s 中的文件超过 %zu 个", path, names_max);
        names[*count] = arena_string(mem, slice_from(entry->d_name));
        if (names[*count] == NULL) return err_no_memory(err);
        (*count)++;
    }
}

enum status platform_list_dir(const char *path, size_t names_max, struct arena *mem,
                              const char *const **out_names, size_t *out_count, struct err *err) {
    size_t count = 0;
    DIR *dir = opendir(path);
    if (dir == NULL) return platform_errno(errno, path, err);
    const char **names = ARENA_ARRAY(mem, names_max, const char *);
    enum status status = names ? names_read(dir, path, names_max, mem, names, &count, err)
                               : err_no_memory(err);
    closedir(dir);
    if (status != ST_OK) return status;
    qsort(names, count, sizeof names[0], by_name);
    *out_names = names;
    *out_count = count;
    return ST_OK;
}

enum status platform_absolute_path(const char *path, struct arena *mem, const char **out_path,
                                   struct err *err) {
    char here[4096];
    if (path[0] != '/' && getcwd(here, sizeof here) == NULL) return platform_errno(errno, ".", err);
    const char *whole = path[0] == '/' ? arena_string(mem, slice_from(path))
                                       : arena_printf(mem, "%s/%s", here, path);
    if (whole == NULL) return err_no_memory(err);
    *out_path = whole;
    return ST_OK;
}

bool platform_exists(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0;
}

enum status platform_rename(const char *from, const char *to, struct err *err) {
    if (rename(from, to) != 0) return platform_errno(errno, from, err);
    return sync_parent(to, err);
}

enum status platform_remove(const char *path, struct err *err) {
    if (remove(path) != 0) return platform_errno(errno, path, err);
    return ST_OK;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *at) {
    (void)info;
    (void)type;
    (void)at;
    return remove(path) == 0 || errno == ENOENT ? 0 : errno;
}

enum status platform_remove_tree(const char *path, struct err *err) {
    int number = nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    if (number != 0) return platform_errno(number < 0 ? errno : number, path, err);
    return ST_OK;
}

enum status platform_temp_dir(struct arena *mem, const char **out_path, struct err *err) {
    const char *above = getenv("TMPDIR");
    char *path = arena_printf(mem, "%s/roadbook-XXXXXX", above != NULL && *above ? above : "/tmp");
    if (path == NULL) return err_no_memory(err);
    if (mkdtemp(path) == NULL) return platform_errno(errno, path, err);
    *out_path = path;
    return ST_OK;
}

enum status platform_lock_try(const char *path, struct platform_lock *out, struct err *err) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return platform_errno(errno, path, err);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int number = errno;
        close(fd);
        if (number != EWOULDBLOCK) return platform_errno(number, path, err);
        return err_set(err, ST_BUSY, "%s is in use by another process", "%s 正被另一个进程使用",
                       path);
    }
    out->fd = fd;
    return ST_OK;
}

void platform_unlock(struct platform_lock *lock) {
    if (lock->fd >= 0) close(lock->fd); /* the lock goes with its descriptor */
    lock->fd = -1;
}
