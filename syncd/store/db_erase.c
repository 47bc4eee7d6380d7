/* What is taken out leaves no bytes in the file. The engine's secure_delete overwrites what it
 * frees, but not what it only moves: when a page of a tree is split, copies of rows stay in the
 * unused middle of the page that they came from, and nobody overwrites these when the rows
 * themselves go.
 *
 * So the pages of laptops' files are cleaned on their way to the disk: a file system for the engine
 * that passes everything to the default one, and writes each page of a tree with zeros where the
 * page says that nothing is. Source: https://www.sqlite.org/fileformat2.html, "B-tree Pages".
 */
#include "syncd/store/db_private.h"

#include <stdlib.h>
#include <string.h>

enum {
    PAGE_BYTES = 4096,
    FILE_HEADER = 100,      /* before the header of the first page's tree */
    PAGES_MAX = 0x02000000, /* below that a list of pages cannot look like a tree's page */
    HEAD_LEAF = 8,
    HEAD_INNER = 12 /* bytes of a tree's header */
};

struct erasing_file {
    sqlite3_file base;
    bool is_book; /* not its log or a file of the moment */
    sqlite3_file *below;
};

static sqlite3_file *below(sqlite3_file *file) {
    return ((struct erasing_file *)file)->below;
}

/* ------------------------------------------------------------------ pages */

static size_t read_two(const uint8_t *at) {
    return (size_t)at[0] << 8 | at[1];
}

/* The unused middle of a tree's page lies between its list of cells and the first cell. */
static bool find_gap(const uint8_t *page, size_t head, size_t *out_from, size_t *out_to) {
    uint8_t kind = page[head];
    bool leaf = kind == 10 || kind == 13, inner = kind == 2 || kind == 5;
    if (!leaf && !inner) return false;
    size_t from = head + (leaf ? HEAD_LEAF : HEAD_INNER) + 2 * read_two(page + head + 3);
    size_t to = read_two(page + head + 5);
    if (from > to || to > PAGE_BYTES) return false;
    *out_from = from;
    *out_to = to;
    return true;
}

static bool is_clean(const uint8_t *from, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if (from[i]) return false;
    return true;
}

static int write_page(struct erasing_file *file, const uint8_t *page, sqlite3_int64 at) {
    uint8_t copy[PAGE_BYTES];
    size_t from, to;
    const void *out = page;
    if (find_gap(page, at == 0 ? FILE_HEADER : 0, &from, &to) &&
        !is_clean(page + from, to - from)) {
        memcpy(copy, page, PAGE_BYTES);
        memset(copy + from, 0, to - from);
        out = copy;
    }
    return file->below->pMethods->xWrite(file->below, out, PAGE_BYTES, at);
}

static int file_write(sqlite3_file *file, const void *data, int bytes, sqlite3_int64 at) {
    struct erasing_file *f = (struct erasing_file *)file;
    bool is_page =
        f->is_book && bytes == PAGE_BYTES && at % PAGE_BYTES == 0 && at / PAGE_BYTES < PAGES_MAX;
    if (is_page) return write_page(f, data, at);
    return f->below->pMethods->xWrite(f->below, data, bytes, at);
}

/* ------------------------------------------------------------------ what is passed on */

static int file_close(sqlite3_file *file) {
    struct erasing_file *f = (struct erasing_file *)file;
    int code = f->below->pMethods->xClose(f->below);
    free(f->below);
    f->below = NULL;
    return code;
}
static int file_read(sqlite3_file *file, void *out, int bytes, sqlite3_int64 at) {
    return below(file)->pMethods->xRead(below(file), out, bytes, at);
}
static int file_truncate(sqlite3_file *file, sqlite3_int64 size) {
    return below(file)->pMethods->xTruncate(below(file), size);
}
static int file_sync(sqlite3_file *file, int flags) {
    return below(file)->pMethods->xSync(below(file), flags);
}
static int file_size(sqlite3_file *file, sqlite3_int64 *out) {
    return below(file)->pMethods->xFileSize(below(file), out);
}
static int file_lock(sqlite3_file *file, int lock) {
    return below(file)->pMethods->xLock(below(file), lock);
}
static int file_unlock(sqlite3_file *file, int lock) {
    return below(file)->pMethods->xUnlock(below(file), lock);
}
static int file_reserved(sqlite3_file *file, int *out) {
    return below(file)->pMethods->xCheckReservedLock(below(file), out);
}
static int file_control(sqlite3_file *file, int what, void *arg) {
    return below(file)->pMethods->xFileControl(below(file), what, arg);
}
static int file_sector(sqlite3_file *file) {
    return below(file)->pMethods->xSectorSize(below(file));
}
static int file_device(sqlite3_file *file) {
    return below(file)->pMethods->xDeviceCharacteristics(below(file));
}
static int file_shm_map(sqlite3_file *file, int page, int bytes, int extend, void volatile **out) {
    return below(file)->pMethods->xShmMap(below(file), page, bytes, extend, out);
}
static int file_shm_lock(sqlite3_file *file, int at, int count, int flags) {
    return below(file)->pMethods->xShmLock(below(file), at, count, flags);
}
static void file_shm_barrier(sqlite3_file *file) {
    below(file)->pMethods->xShmBarrier(below(file));
}
static int file_shm_unmap(sqlite3_file *file, int remove) {
    return below(file)->pMethods->xShmUnmap(below(file), remove);
}

/* Version 2: mapped files are not used. */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_device,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* ------------------------------------------------------------------ the file system */

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                    int *out_flags) {
    struct erasing_file *f = (struct erasing_file *)file;
    sqlite3_vfs *under = sqlite3_vfs_find(NULL);
    (void)vfs;
    *f = (struct erasing_file){.is_book = flags & SQLITE_OPEN_MAIN_DB};
    f->below = calloc(1, (size_t)under->szOsFile);
    if (!f->below) return SQLITE_NOMEM;
    int code = under->xOpen(under, name, f->below, flags, out_flags);
    if (f->below->pMethods) {
        f->base.pMethods = &methods; /* also when it failed: it is closed then */
        return code;
    }
    free(f->below);
    f->below = NULL;
    return code;
}
static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync) {
    sqlite3_vfs *under = sqlite3_vfs_find(NULL);
    (void)vfs;
    return under->xDelete(under, name, sync);
}
static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out) {
    sqlite3_vfs *under = sqlite3_vfs_find(NULL);
    (void)vfs;
    return under->xAccess(under, name, flags, out);
}
static int vfs_full_name(sqlite3_vfs *vfs, const char *name, int bytes, char *out) {
    sqlite3_vfs *under = sqlite3_vfs_find(NULL);
    (void)vfs;
    return under->xFullPathname(under, name, bytes, out);
}
static int vfs_random(sqlite3_vfs *vfs, int bytes, char *out) {
    sqlite3_vfs *under = sqlite3_vfs_find(NULL);
    (void)vfs;
    return under->xRandomness(under, bytes, out);
}
static int vfs_sleep(sqlite3_vfs *vfs, int us) {
    sqlite3_vfs *under = sqlite3_vfs_find(NULL);
    (void)vfs;
    return under->xSleep(under, us);
}
static int vfs_time(sqlite3_vfs *vfs, double *out) {
    sqlite3_vfs *under = sqlite3_vfs_find(NULL);
    (void)vfs;
    return under->xCurrentTime(under, out);
}
static int vfs_last_error(sqlite3_vfs *vfs, int bytes, char *out) {
    sqlite3_vfs *under = sqlite3_vfs_find(NULL);
    (void)vfs;
    return under->xGetLastError(under, bytes, out);
}

#define VFS_NAME "roadbook-erasing"

/* The engine keeps the list of its file systems for the whole process and takes no copy, so this
 * one is never freed. Two threads that come here first both register theirs; the later stands. */
enum status db_erase_vfs(const char **out_name, struct err *err) {
    *out_name = VFS_NAME;
    if (sqlite3_vfs_find(VFS_NAME)) return ST_OK;
    sqlite3_vfs *under = sqlite3_vfs_find(NULL), *vfs = calloc(1, sizeof *vfs);
    if (!vfs || !under) return err_no_memory(err);
    *vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = (int)sizeof(struct erasing_file),
        .mxPathname = under->mxPathname,
        .zName = VFS_NAME,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_name,
        .xRandomness = vfs_random,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_last_error,
    };
    int code = sqlite3_vfs_register(vfs, 0);
    return code == SQLITE_OK ? ST_OK : err_no_memory(err);
}
