/* Noticing that a folder's content changed: by the kernel's notices where it has them, else by
 * looking at sizes and times. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/inotify.h>
#endif

#include "platform_private.h"

struct platform_watch {
    char *path;
    int fd;        /* of the notices; -1 when we look ourselves */
    uint64_t seen; /* the folder's content as a number, when we look */
};

static uint64_t mix(uint64_t hash, uint64_t value) {
    return (hash ^ value) * 1099511628211u;
}

static uint64_t entry_mark(int folder, const char *name) {
    struct stat info;
    uint64_t mark = 14695981039346656037u;
    for (const char *at = name; *at; at++) mark = mix(mark, (uint8_t)*at);
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return mark;
    mark = mix(mark, (uint64_t)info.st_size);
    mark = mix(mark, (uint64_t)info.st_ino);
    mark = mix(mark, (uint64_t)info.st_mtim.tv_sec);
    return mix(mark, (uint64_t)info.st_mtim.tv_nsec);
}

/* A sum over the entries, so that the order in which the system lists them does not matter. */
static uint64_t folder_mark(const char *path) {
    DIR *folder = opendir(path);
    if (folder == NULL) return 0;
    uint64_t sum = 1;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        sum += entry_mark(dirfd(folder), entry->d_name);
    }
    closedir(folder);
    return sum;
}

static int notices_open(const char *path) {
#ifdef __linux__
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0) return -1;
    uint32_t events = IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
    if (inotify_add_watch(fd, path, events) >= 0) return fd;
    close(fd);
#else
    (void)path;
#endif
    return -1;
}

enum status platform_watch_open(const char *path, bool polling, struct platform_watch **out,
                                struct err *err) {
    struct stat info;
    if (stat(path, &info) != 0) return platform_errno(errno, path, err);
    if (!S_ISDIR(info.st_mode)) return platform_errno(ENOTDIR, path, err);
    struct platform_watch *watch = calloc(1, sizeof *watch);
    char *copy = strdup(path);
    if (watch == NULL || copy == NULL) {
        free(watch);
        free(copy);
        return err_no_memory(err);
    }
    watch->path = copy;
    watch->fd = polling ? -1 : notices_open(path);
    if (watch->fd < 0) watch->seen = folder_mark(path);
    *out = watch;
    return ST_OK;
}

int platform_watch_fd(const struct platform_watch *watch) {
    return watch->fd;
}

bool platform_watch_drain(struct platform_watch *watch) {
    if (watch->fd < 0) {
        uint64_t now = folder_mark(watch->path);
        bool changed = now != watch->seen;
        watch->seen = now;
        return changed;
    }
    uint8_t events[4096];
    bool changed = false;
    while (read(watch->fd, events, sizeof events) > 0) changed = true;
    return changed;
}

void platform_watch_close(struct platform_watch *watch) {
    if (watch == NULL) return;
    if (watch->fd >= 0) close(watch->fd);
    free(watch->path);
    free(watch);
}
