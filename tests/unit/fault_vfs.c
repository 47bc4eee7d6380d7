/* Wraps the default VFS: everything passes through, but what changes the disk is counted and may fail. */
#include "tests/unit/fault_vfs.h"

#include <malloc.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>

struct file {
    sqlite3_file base;
    bool is_wal;
    sqlite3_file *real;
};

static sqlite3_vfs *real_vfs;
static sqlite3_vfs our_vfs;
static atomic_size_t left;                                 /* calls until the fault, that one counted; 0: not armed */
static atomic_bool fired;
static enum fault_disk kind;
static bool lasting;
static _Atomic int64_t writes, syncs, truncates, bytes, wal_bytes;

void fault_vfs_arm(size_t n, enum fault_disk armed_kind, bool armed_lasting) {
    fired = false;
    kind = armed_kind;
    lasting = armed_lasting;
    left = n;
}

void fault_vfs_disarm(void) {
    left = 0;
}

bool fault_vfs_fired(void) {
    return fired;
}

void fault_vfs_counts(struct fault_vfs_counts *out) {
    *out = (struct fault_vfs_counts){writes, syncs, truncates, bytes, wal_bytes};
}

void fault_vfs_counts_reset(void) {
    writes = syncs = truncates = bytes = wal_bytes = 0;
}

static bool fails_now(void) {
    size_t before = left;
    if (before == 0) return false;
    if (before == 1 && lasting) {
        fired = true;
        return true;
    }
    left = before - 1;
    if (before != 1) return false;
    fired = true;
    return true;
}

static int code_of(int broken) {
    return kind == FAULT_DISK_FULL ? SQLITE_FULL : broken;
}

static sqlite3_file *real_of(sqlite3_file *f) {
    return ((struct file *)f)->real;
}

/* ------------------------------------------------------------------ files */

static int file_close(sqlite3_file *f) {
    return real_of(f)->pMethods->xClose(real_of(f));
}

static int file_read(sqlite3_file *f, void *out, int amount, sqlite3_int64 offset) {
    return real_of(f)->pMethods->xRead(real_of(f), out, amount, offset);
}

static int file_write(sqlite3_file *f, const void *data, int amount, sqlite3_int64 offset) {
    if (fails_now()) return code_of(SQLITE_IOERR_WRITE);
    writes++;
    bytes += amount;
    if (((struct file *)f)->is_wal) wal_bytes += amount;
    return real_of(f)->pMethods->xWrite(real_of(f), data, amount, offset);
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size) {
    if (fails_now()) return code_of(SQLITE_IOERR_TRUNCATE);
    truncates++;
    return real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int file_sync(sqlite3_file *f, int flags) {
    if (fails_now()) return code_of(SQLITE_IOERR_FSYNC);
    syncs++;
    return real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int file_size(sqlite3_file *f, sqlite3_int64 *out) {
    return real_of(f)->pMethods->xFileSize(real_of(f), out);
}

static int file_lock(sqlite3_file *f, int level) {
    return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int file_unlock(sqlite3_file *f, int level) {
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int file_check_lock(sqlite3_file *f, int *out) {
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int file_control(sqlite3_file *f, int op, void *argument) {
    return real_of(f)->pMethods->xFileControl(real_of(f), op, argument);
}

static int file_sector(sqlite3_file *f) {
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int file_traits(sqlite3_file *f) {
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int file_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out) {
    return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}

static int file_shm_lock(sqlite3_file *f, int offset, int n, int flags) {
    return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void file_shm_barrier(sqlite3_file *f) {
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int file_shm_unmap(sqlite3_file *f, int remove) {
    return real_of(f)->pMethods->xShmUnmap(real_of(f), remove);
}

static const sqlite3_io_methods METHODS = {
    .iVersion = 2, .xClose = file_close, .xRead = file_read, .xWrite = file_write, .xTruncate = file_truncate,
    .xSync = file_sync, .xFileSize = file_size, .xLock = file_lock, .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock, .xFileControl = file_control, .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_traits, .xShmMap = file_shm_map, .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier, .xShmUnmap = file_shm_unmap};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out_flags) {
    struct file *file = (struct file *)f;
    (void)vfs;
    file->real = (sqlite3_file *)(file + 1);
    file->is_wal = flags & SQLITE_OPEN_WAL;
    int code = real_vfs->xOpen(real_vfs, name, file->real, flags, out_flags);
    file->base.pMethods = file->real->pMethods ? &METHODS : NULL;
    return code;
}

void fault_vfs_install(void) {
    if (real_vfs) return;
    real_vfs = sqlite3_vfs_find(NULL);
    our_vfs = *real_vfs;
    our_vfs.zName = "fault";
    our_vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
    our_vfs.xOpen = vfs_open;
    sqlite3_vfs_register(&our_vfs, 1);
}

/* ------------------------------------------------------------------ memory */

static void *take(int size) {
    return malloc((size_t)size);
}

static void *resize(void *old, int size) {
    return realloc(old, (size_t)size);
}

static int size_of(void *data) {
    return (int)malloc_usable_size(data);
}

static int round_up(int size) {
    return (size + 7) & ~7;
}

static int start(void *ctx) {
    (void)ctx;
    return SQLITE_OK;
}

static void stop(void *ctx) {
    (void)ctx;
}

void fault_vfs_own_memory(void) {
    static const sqlite3_mem_methods OURS = {take, free, resize, size_of, round_up, start, stop, NULL};
    if (real_vfs) return;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &OURS);
    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);         /* so that every allocation is one that may fail */
}
