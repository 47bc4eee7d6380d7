/* Deleting for good, as far as a program can: the bytes are written over before the file goes. What
 * the disk keeps of its own accord (flash that writes elsewhere, snapshots, backups) stays.
 */
#include "syncd/platform/platform_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ERASE_BLOCK = 64 * 1024, ERASE_FDS = 16, ERASE_PATH = 4096 };

static int write_over(int fd, off_t bytes) {
    static const char zeros[ERASE_BLOCK];
    for (off_t at = 0; at < bytes;) {
        size_t part = bytes - at < ERASE_BLOCK ? (size_t)(bytes - at) : ERASE_BLOCK;
        ssize_t put = pwrite(fd, zeros, part, at);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return errno ? errno : EIO;
        at += put;
    }
    return fsync(fd) == 0 ? 0 : errno;
}

/* A file with another name elsewhere, or that cannot be written to, is only unlinked. */
static int erase_file(const char *path) {
    struct stat st;
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1)
        (void)write_over(fd, st.st_size);
    if (fd >= 0) close(fd);
    return unlink(path) == 0 || errno == ENOENT ? 0 : errno;
}

static int erase_entry(const char *path, const struct stat *st, int kind, struct FTW *where) {
    (void)st;
    (void)where;
    if (kind == FTW_DP || kind == FTW_D || kind == FTW_DNR)
        return rmdir(path) == 0 || errno == ENOENT ? 0 : errno;
    return erase_file(path);
}

enum status platform_erase_file(const char *path, struct err *err) {
    int number = erase_file(path);
    return number == 0 ? ST_OK : platform_errno(number, path, err);
}

/* The one that is replaced has no name any more when its bytes are written over. */
enum status platform_replace_erased(const char *path, struct slice content, struct err *err) {
    struct stat st;
    int before = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    enum status status = platform_write_file_private(path, content, err);
    if (before >= 0) {
        if (status == ST_OK && fstat(before, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0)
            (void)write_over(before, st.st_size);
        close(before);
    }
    return status;
}

static bool is_kept(const char *name, const char *const *keep, size_t count) {
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return true;
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, keep[i]) == 0) return true;
    return false;
}

/* One that cannot be removed does not save the others. */
enum status platform_erase_dir(const char *path, const char *const *keep, size_t keep_count,
                               struct err *err) {
    DIR *dir = opendir(path);
    enum status status = ST_OK;
    if (!dir) return platform_errno(errno, path, err);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char inner[ERASE_PATH];
        if (is_kept(entry->d_name, keep, keep_count)) continue;
        int n = snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (n <= 0 || n >= ERASE_PATH) continue;
        int number = nftw(inner, erase_entry, ERASE_FDS, FTW_DEPTH | FTW_PHYS);
        if (number < 0) number = errno;
        if (number != 0 && number != ENOENT) status = platform_errno(number, inner, err);
    }
    closedir(dir);
    return status;
}
