/* The file system is a list of files; a file is its bytes, the writes since its last sync with what
 * stood there before, its locks, and the shared memory of its log. What SQLite asks of a file
 * system: https://www.sqlite.org/vfs.html and sqlite3.h.
 */
#include "tests/sim/disk.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FILES_MAX = 512,
    PATH_MAX_BYTES = 512,
    SECTOR = 512,
    SHM_REGIONS = 64,
    SHM_LOCKS = 8,
    FOLDER_BYTES = 512
};

/* One change that is not synced yet: where, what stood there, what was put. */
struct change {
    int64_t at;
    size_t old_len, new_len; /* old: as far as the file went; the file's length before in size */
    size_t size;
    bool truncates; /* to at; old holds the tail */
    uint8_t *old, *new;
};

struct bytes {
    uint8_t *data;
    size_t len, room;
};

struct file {
    char path[PATH_MAX_BYTES];
    bool exists;
    struct bytes now;
    struct change *changes; /* since the last sync */
    size_t change_count, change_room;
    struct bytes copies[DISK_COPIES_MAX];
    bool copied[DISK_COPIES_MAX];
    int shared; /* handles with at least a shared lock */
    struct handle *reserved, *exclusive;
    void *shm[SHM_REGIONS];
    int shm_handles;
    int shm_shared[SHM_LOCKS];
    struct handle *shm_owner[SHM_LOCKS];
};

struct handle {
    sqlite3_file base;
    struct file *file;
    int lock;
    bool shm_open, removes;
    unsigned shm_shared, shm_exclusive; /* bits of the locks held */
};

static struct file *files[FILES_MAX];
static size_t file_count;
static sqlite3_vfs our_vfs;
static uint64_t random_state = 1;
static struct disk_counts counts;
static int64_t changes_made;
static struct {
    char folder[FOLDER_BYTES];
    size_t left; /* changes until the trouble, that one counted; 0: not armed */
    enum disk_trouble trouble;
    bool fired;
    char cut[FOLDER_BYTES]; /* the folder that is cut off; empty: none */
} fault;

static uint64_t draw(void) { /* splitmix64 (Steele, Lea, Flood 2014) */
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void *must(void *got) {
    if (!got) abort(); /* a simulator without memory has nothing to say */
    return got;
}

static bool is_below(const char *path, const char *folder) {
    size_t len = strlen(folder);
    return len && !strncmp(path, folder, len) && path[len] == '/';
}

/* ------------------------------------------------------------------ bytes */

static void bytes_size(struct bytes *b, size_t len) {
    if (len > b->room) {
        size_t room = b->room ? b->room : 8192;
        while (room < len) room *= 2;
        b->data = must(realloc(b->data, room));
        memset(b->data + b->room, 0, room - b->room);
        b->room = room;
    }
    if (len < b->len) memset(b->data + len, 0, b->len - len);
    b->len = len;
}

static void bytes_put(struct bytes *b, size_t at, const void *data, size_t len) {
    if (at + len > b->len) bytes_size(b, at + len);
    memcpy(b->data + at, data, len);
}

static void bytes_copy(const struct bytes *from, struct bytes *to) {
    bytes_size(to, 0);
    bytes_size(to, from->len);
    if (from->len) memcpy(to->data, from->data, from->len);
}

static uint8_t *part_of(const struct bytes *b, size_t at, size_t len) {
    uint8_t *out = must(malloc(len + 1));
    if (len) memcpy(out, b->data + at, len);
    return out;
}

/* ------------------------------------------------------------------ unsynced changes */

static void forget_changes(struct file *f) {
    for (size_t i = 0; i < f->change_count; i++) {
        free(f->changes[i].old);
        free(f->changes[i].new);
    }
    f->change_count = 0;
}

static struct change *new_change(struct file *f) {
    if (f->change_count == f->change_room) {
        f->change_room = f->change_room ? f->change_room * 2 : 16;
        f->changes = must(realloc(f->changes, f->change_room * sizeof *f->changes));
    }
    struct change *c = &f->changes[f->change_count++];
    *c = (struct change){.size = f->now.len};
    return c;
}

static void change_write(struct file *f, int64_t at, const void *data, size_t len) {
    struct change *c = new_change(f);
    size_t from = (size_t)at < f->now.len ? (size_t)at : f->now.len;
    size_t rest = f->now.len - from;
    c->at = at;
    c->old_len = rest < len ? rest : len;
    c->new_len = len;
    c->old = part_of(&f->now, from, c->old_len);
    struct bytes source = {(uint8_t *)data, len, len};
    c->new = part_of(&source, 0, len);
    bytes_put(&f->now, (size_t)at, data, len);
}

static void change_truncate(struct file *f, size_t size) {
    if (size >= f->now.len) return;
    struct change *c = new_change(f);
    c->truncates = true;
    c->at = (int64_t)size;
    c->old_len = f->now.len - size;
    c->old = part_of(&f->now, size, c->old_len);
    bytes_size(&f->now, size);
}

static void take_back(struct file *f, const struct change *c) {
    bytes_size(&f->now, c->size);
    if (c->old_len) bytes_put(&f->now, (size_t)c->at, c->old, c->old_len);
}

/* A disk writes sectors whole, in any order. */
static void redo_torn(struct file *f, const struct change *c) {
    for (size_t at = 0; at < c->new_len; at += SECTOR) {
        size_t len = c->new_len - at < SECTOR ? c->new_len - at : SECTOR;
        if (draw() % 2) bytes_put(&f->now, (size_t)c->at + at, c->new + at, len);
    }
    counts.torn++;
}

static void lose_some(struct file *f) {
    for (size_t i = f->change_count; i > 0; i--) take_back(f, &f->changes[i - 1]);
    for (size_t i = 0; i < f->change_count; i++) {
        const struct change *c = &f->changes[i];
        uint64_t fate = draw() % 3;
        if (fate == 0)
            counts.lost++;
        else if (c->truncates)
            bytes_size(&f->now, (size_t)c->at < f->now.len ? (size_t)c->at : f->now.len);
        else if (fate == 1)
            bytes_put(&f->now, (size_t)c->at, c->new, c->new_len);
        else
            redo_torn(f, c);
    }
}

/* ------------------------------------------------------------------ faults */

static bool is_cut(const struct file *f) {
    return is_below(f->path, fault.cut);
}

/* Before each change of the disk; the code to fail with, or SQLITE_OK. A full disk refuses what is
 * written; it syncs and removes. */
static int trouble_of(const struct file *f, int code) {
    if (is_cut(f)) return code;
    changes_made++;
    if (fault.trouble == DISK_FULL && code != SQLITE_IOERR_WRITE) return SQLITE_OK;
    if (!fault.left || !is_below(f->path, fault.folder) || --fault.left) return SQLITE_OK;
    fault.fired = true;
    if (fault.trouble == DISK_FULL) {
        counts.full++;
        return SQLITE_FULL;
    }
    snprintf(fault.cut, sizeof fault.cut, "%s", fault.folder);
    counts.cuts++;
    return code;
}

void disk_arm(const char *folder, size_t n, enum disk_trouble trouble) {
    snprintf(fault.folder, sizeof fault.folder, "%s", folder);
    fault.trouble = trouble;
    fault.left = trouble == DISK_WELL ? 0 : n;
    fault.fired = false;
}

bool disk_fired(void) {
    return fault.fired;
}

void disk_power_up(const char *folder, bool power) {
    if (!strcmp(folder, fault.cut)) fault.cut[0] = 0;
    for (size_t i = 0; i < file_count; i++) {
        if (!is_below(files[i]->path, folder)) continue;
        if (power) lose_some(files[i]);
        forget_changes(files[i]);
    }
}

void disk_copy(const char *folder, size_t copy) {
    for (size_t i = 0; i < file_count; i++) {
        struct file *f = files[i];
        f->copied[copy] = f->exists && is_below(f->path, folder);
        if (f->copied[copy]) bytes_copy(&f->now, &f->copies[copy]);
    }
}

bool disk_put_back(const char *folder, size_t copy) {
    bool any = false;
    for (size_t i = 0; i < file_count; i++) any |= files[i]->copied[copy];
    for (size_t i = 0; any && i < file_count; i++) {
        struct file *f = files[i];
        if (!is_below(f->path, folder)) continue;
        forget_changes(f);
        f->exists = f->copied[copy];
        bytes_size(&f->now, 0);
        if (f->exists) bytes_copy(&f->copies[copy], &f->now);
    }
    return any;
}

static struct file *find_file(const char *path);

static void rename_file(const char *from, const char *to, const char *suffix) {
    char source[PATH_MAX_BYTES], target[PATH_MAX_BYTES];
    snprintf(source, sizeof source, "%s%s", from, suffix);
    snprintf(target, sizeof target, "%s%s", to, suffix);
    struct file *f = find_file(source), *gone = find_file(target);
    if (gone) {
        forget_changes(gone);
        bytes_size(&gone->now, 0);
        gone->exists = false;
        snprintf(gone->path, sizeof gone->path, "%s", source);
    }
    if (f) snprintf(f->path, sizeof f->path, "%s", target);
}

void disk_rename(const char *from, const char *to) {
    rename_file(from, to, "");
    rename_file(from, to, "-wal");
    rename_file(from, to, "-journal");
}

void disk_counts(struct disk_counts *out) {
    *out = counts;
}

int64_t disk_changes(void) {
    return changes_made;
}

void disk_seed(uint64_t seed) {
    random_state = seed;
    sqlite3_randomness(0, NULL); /* its own generator begins anew */
}

/* ------------------------------------------------------------------ a file, as SQLite sees it */

static struct file *file_of(sqlite3_file *base) {
    return ((struct handle *)base)->file;
}

static int file_read(sqlite3_file *base, void *out, int amount, sqlite3_int64 at) {
    const struct file *f = file_of(base);
    if (is_cut(f)) return SQLITE_IOERR_READ;
    size_t rest = (size_t)at < f->now.len ? f->now.len - (size_t)at : 0;
    size_t len = rest < (size_t)amount ? rest : (size_t)amount;
    if (len) memcpy(out, f->now.data + at, len);
    if (len == (size_t)amount) return SQLITE_OK;
    memset((uint8_t *)out + len, 0, (size_t)amount - len);
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *data, int amount, sqlite3_int64 at) {
    struct file *f = file_of(base);
    int code = trouble_of(f, SQLITE_IOERR_WRITE);
    if (code != SQLITE_OK) {
        bool torn = code == SQLITE_IOERR_WRITE && draw() % 2; /* what was on its way when it died */
        if (torn) change_write(f, at, data, (size_t)amount);
        return code;
    }
    counts.writes++;
    change_write(f, at, data, (size_t)amount);
    return SQLITE_OK;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size) {
    struct file *f = file_of(base);
    int code = trouble_of(f, SQLITE_IOERR_TRUNCATE);
    if (code == SQLITE_OK) change_truncate(f, (size_t)size);
    return code;
}

static int file_sync(sqlite3_file *base, int flags) {
    struct file *f = file_of(base);
    (void)flags;
    int code = trouble_of(f, SQLITE_IOERR_FSYNC);
    if (code != SQLITE_OK) return code;
    counts.syncs++;
    forget_changes(f);
    return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *out) {
    *out = (sqlite3_int64)file_of(base)->now.len;
    return is_cut(file_of(base)) ? SQLITE_IOERR_FSTAT : SQLITE_OK;
}

static int file_unlock(sqlite3_file *base, int level) {
    struct handle *h = (struct handle *)base;
    struct file *f = h->file;
    if (h->lock <= level) return SQLITE_OK;
    if (f->exclusive == h) f->exclusive = NULL;
    if (f->reserved == h && level < SQLITE_LOCK_RESERVED) f->reserved = NULL;
    if (level == SQLITE_LOCK_NONE) f->shared--;
    h->lock = level;
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int level) {
    struct handle *h = (struct handle *)base;
    struct file *f = h->file;
    if (h->lock >= level) return SQLITE_OK;
    if (f->exclusive && f->exclusive != h) return SQLITE_BUSY;
    if (level == SQLITE_LOCK_SHARED) {
        f->shared++;
    } else {
        if (f->reserved && f->reserved != h) return SQLITE_BUSY;
        if (level == SQLITE_LOCK_EXCLUSIVE && f->shared > 1) return SQLITE_BUSY;
        f->reserved = h;
        if (level == SQLITE_LOCK_EXCLUSIVE) f->exclusive = h;
    }
    h->lock = level;
    return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *base, int *out) {
    *out = file_of(base)->reserved != NULL;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int what, void *out) {
    (void)base;
    if (what != SQLITE_FCNTL_HAS_MOVED) return SQLITE_NOTFOUND;
    *(int *)out = 0;
    return SQLITE_OK;
}

static int file_sector(sqlite3_file *base) {
    (void)base;
    return SECTOR;
}

static int file_traits(sqlite3_file *base) {
    (void)base;
    return 0; /* it promises nothing: neither whole pages nor any order */
}

static int file_close(sqlite3_file *base) {
    (void)file_unlock(base, SQLITE_LOCK_NONE);
    return SQLITE_OK;
}

/* ------------------------------------------------------------------ the log's shared memory */

static int shm_map(sqlite3_file *base, int region, int bytes, int extend, void volatile **out) {
    struct handle *h = (struct handle *)base;
    if (region >= SHM_REGIONS) return SQLITE_IOERR_SHMMAP;
    if (!h->shm_open) h->file->shm_handles++;
    h->shm_open = true;
    *out = NULL;
    if (!h->file->shm[region] && !extend) return SQLITE_OK;
    if (!h->file->shm[region]) h->file->shm[region] = must(calloc(1, (size_t)bytes));
    *out = h->file->shm[region];
    return SQLITE_OK;
}

static void shm_release(struct handle *h, int slot) {
    unsigned bit = 1u << slot;
    if (h->shm_exclusive & bit) h->file->shm_owner[slot] = NULL;
    if (h->shm_shared & bit) h->file->shm_shared[slot]--;
    h->shm_exclusive &= ~bit;
    h->shm_shared &= ~bit;
}

static bool shm_is_free(const struct handle *h, int slot, bool exclusive) {
    const struct file *f = h->file;
    int others = f->shm_shared[slot] - (h->shm_shared >> slot & 1u ? 1 : 0);
    if (f->shm_owner[slot] && f->shm_owner[slot] != h) return false;
    return !exclusive || others == 0;
}

static int shm_lock(sqlite3_file *base, int first, int n, int flags) {
    struct handle *h = (struct handle *)base;
    bool exclusive = flags & SQLITE_SHM_EXCLUSIVE;
    for (int i = first; i < first + n; i++)
        if (flags & SQLITE_SHM_UNLOCK) shm_release(h, i);
    if (flags & SQLITE_SHM_UNLOCK) return SQLITE_OK;
    for (int i = first; i < first + n; i++)
        if (!shm_is_free(h, i, exclusive)) return SQLITE_BUSY;
    for (int i = first; i < first + n; i++) {
        unsigned bit = 1u << i;
        if (exclusive) {
            h->shm_exclusive |= bit;
            h->file->shm_owner[i] = h;
        } else if (!(h->shm_shared & bit)) {
            h->shm_shared |= bit;
            h->file->shm_shared[i]++;
        }
    }
    return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *base) {
    (void)base;
}

static int shm_unmap(sqlite3_file *base, int removes) {
    struct handle *h = (struct handle *)base;
    struct file *f = h->file;
    (void)removes;
    for (int i = 0; i < SHM_LOCKS; i++) shm_release(h, i);
    if (h->shm_open && --f->shm_handles == 0)
        for (int i = 0; i < SHM_REGIONS; i++) {
            free(f->shm[i]);
            f->shm[i] = NULL;
        }
    h->shm_open = false;
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {.iVersion = 2,
                                           .xClose = file_close,
                                           .xRead = file_read,
                                           .xWrite = file_write,
                                           .xTruncate = file_truncate,
                                           .xSync = file_sync,
                                           .xFileSize = file_size,
                                           .xLock = file_lock,
                                           .xUnlock = file_unlock,
                                           .xCheckReservedLock = file_check_reserved,
                                           .xFileControl = file_control,
                                           .xSectorSize = file_sector,
                                           .xDeviceCharacteristics = file_traits,
                                           .xShmMap = shm_map,
                                           .xShmLock = shm_lock,
                                           .xShmBarrier = shm_barrier,
                                           .xShmUnmap = shm_unmap};

/* ------------------------------------------------------------------ the file system */

static struct file *find_file(const char *path) {
    for (size_t i = 0; i < file_count; i++)
        if (!strcmp(files[i]->path, path)) return files[i];
    return NULL;
}

static struct file *add_file(const char *path) {
    if (file_count == FILES_MAX) return NULL;
    struct file *f = must(calloc(1, sizeof *f));
    snprintf(f->path, sizeof f->path, "%s", path);
    files[file_count++] = f;
    return f;
}

/* A backup is made as NAME.part, and the program gives it its name on the real disk. */
static struct file *find_renamed(const char *name) {
    char part[PATH_MAX_BYTES];
    int len = snprintf(part, sizeof part, "%s.part", name);
    struct file *f = len < (int)sizeof part ? find_file(part) : NULL;
    if (!f || !f->exists || access(part, F_OK) == 0) return NULL;
    snprintf(f->path, sizeof f->path, "%s", name);
    return f;
}

/* Files without a name are SQLite's own, of the moment; one that is opened with a name exists from
 * then on: the program made it empty on the real disk. */
static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags,
                    int *out_flags) {
    struct handle *h = (struct handle *)base;
    (void)vfs;
    *h = (struct handle){0};
    char own[32];
    snprintf(own, sizeof own, "/nowhere/%zu", file_count);
    struct file *f = name ? find_file(name) : NULL;
    if (!f && name) f = find_renamed(name);
    if (!f) f = add_file(name ? name : own);
    if (!f || is_cut(f)) return SQLITE_CANTOPEN;
    if (!f->exists) bytes_size(&f->now, 0);
    f->exists = true;
    h->file = f;
    h->removes = flags & SQLITE_OPEN_DELETEONCLOSE;
    h->base.pMethods = &methods;
    if (out_flags) *out_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync) {
    (void)vfs;
    (void)sync;
    struct file *f = find_file(name);
    if (!f || !f->exists) return SQLITE_IOERR_DELETE_NOENT;
    int code = trouble_of(f, SQLITE_IOERR_DELETE);
    if (code != SQLITE_OK) return code;
    forget_changes(f);
    bytes_size(&f->now, 0);
    f->exists = false;
    return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out) {
    (void)vfs;
    (void)flags;
    const struct file *f = find_file(name);
    *out = f && f->exists;
    return SQLITE_OK;
}

static int vfs_full_name(sqlite3_vfs *vfs, const char *name, int bytes, char *out) {
    (void)vfs;
    snprintf(out, (size_t)bytes, "%s", name);
    return SQLITE_OK;
}

static int vfs_random(sqlite3_vfs *vfs, int bytes, char *out) {
    (void)vfs;
    for (int i = 0; i < bytes; i++) out[i] = (char)draw();
    return bytes;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us) {
    (void)vfs;
    return us;
}

static int vfs_time(sqlite3_vfs *vfs, double *out) {
    (void)vfs;
    *out = 2461041.5; /* 2026-01-01, a Julian day: nothing that is kept comes from SQLite's clock */
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int bytes, char *out) {
    (void)vfs;
    (void)bytes;
    (void)out;
    return 0;
}

void disk_install(void) {
    if (our_vfs.zName) return;
    sqlite3_config(SQLITE_CONFIG_SINGLETHREAD); /* one thread needs no locks, and nobody asks ... */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* ... how much memory is in use */
    sqlite3_initialize();
    our_vfs = (sqlite3_vfs){.iVersion = 1,
                            .szOsFile = (int)sizeof(struct handle),
                            .mxPathname = PATH_MAX_BYTES,
                            .zName = "memory-disk",
                            .xOpen = vfs_open,
                            .xDelete = vfs_delete,
                            .xAccess = vfs_access,
                            .xFullPathname = vfs_full_name,
                            .xRandomness = vfs_random,
                            .xSleep = vfs_sleep,
                            .xCurrentTime = vfs_time,
                            .xGetLastError = vfs_last_error};
    sqlite3_vfs_register(&our_vfs, 1);
}
