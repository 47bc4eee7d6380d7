#include "syncd/store/centre_copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/platform/platform.h"
#include "syncd/store/centre_private.h"

enum { HEAD_BYTES = 24, SUM_BYTES = 8, NAME_BYTES = 96 };
#define SETTING_DIR "copy_dir"

struct copying { /* of a handle that writes */
    struct db_record *record;
    struct buf changes;
    char dir[COPY_PATH_BYTES], path[COPY_PATH_BYTES + NAME_BYTES];
    int64_t offset; /* bytes in the file at path */
    int64_t number; /* of the transaction under way */
};

/* ------------------------------------------------------------------ where */

static enum status read_dir(struct centre *c, char out[COPY_PATH_BYTES], struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(64 * 1024);
    struct slice dir = {0};
    TRY(meta_blob(c->db, SETTING_DIR, &mem, &dir, err));
    text_put(out, COPY_PATH_BYTES, dir);
    return ST_OK;
}

enum status centre_copy(struct centre *c, struct centre_copy *out, struct err *err) {
    *out = (struct centre_copy){.on = false};
    TRY(read_dir(c, out->dir, err));
    out->on = out->dir[0] != 0;
    return meta_int(c->db, "copy_number", &out->number, err);
}

void centre_copy_end(struct centre *c) {
    if (!c->copying) return;
    db_record_stop(c->copying->record);
    buf_free(&c->copying->changes);
    free(c->copying);
    c->copying = NULL;
}

static enum status open_copying(struct centre *c, struct err *err) {
    uint8_t random[8];
    struct copying *it = calloc(1, sizeof *it);
    SCOPED(buf_free) struct buf name = buf_new(BUF_MAX_LINE);
    if (!it) return err_no_memory(err);
    it->changes = buf_new(BUF_MAX_MESSAGE);
    c->copying = it;
    TRY(read_dir(c, it->dir, err));
    c->env->random(c->env->ctx, random, sizeof random);
    buf_put_hex(&name, slice_of(random, sizeof random));
    (void)snprintf(it->path, sizeof it->path, "%s/changes-%s.log", it->dir, buf_text(&name));
    return ST_OK;
}

/* ------------------------------------------------------------------ one transaction */

enum status centre_copy_begin(struct centre *c, struct err *err) {
    if (!c->copies || c->store->read_only) return ST_OK;
    if (!c->copying) TRY(open_copying(c, err));
    db_record_stop(c->copying->record);
    c->copying->record = NULL;
    return db_record_start(c->db, &c->copying->record, err);
}

/* Before the commit: the transaction gets its number, and what it did is taken. */
enum status centre_copy_take(struct centre *c, struct err *err) {
    struct copying *it = c->copying;
    int64_t number;
    if (!it || !it->record) return ST_OK;
    TRY(meta_int(c->db, "copy_number", &number, err));
    it->number = number + 1;
    TRY(meta_int_set(c->db, "copy_number", it->number, err));
    buf_reset(&it->changes);
    return db_record_take(it->record, &it->changes, err);
}

static void put_int(uint8_t *out, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t take_int(const uint8_t *from, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) value |= (uint64_t)from[i] << (8 * i);
    return value;
}

/* "RBC1", number, time, length; the changes; the first bytes of the SHA-256 of both. */
static void put_entry(const struct copying *it, int64_t time_ms, struct buf *out) {
    uint8_t head[HEAD_BYTES] = {'R', 'B', 'C', '1'};
    put_int(head + 4, (uint64_t)it->number, 8);
    put_int(head + 12, (uint64_t)time_ms, 8);
    put_int(head + 20, it->changes.len, 4);
    struct hash sum = hash_sha256_two(slice_of(head, sizeof head), buf_slice(&it->changes));
    buf_put(out, head, sizeof head);
    buf_put_slice(out, buf_slice(&it->changes));
    buf_put(out, sum.bytes, SUM_BYTES);
}

/* After the commit, before anyone is answered. A folder that takes no more ends the copy's hold on
 * the book: the book goes on, and the next opening makes a new base. */
enum status centre_copy_put(struct centre *c, struct err *err) {
    struct copying *it = c->copying;
    SCOPED(buf_free) struct buf entry = buf_new(2 * (size_t)BUF_MAX_MESSAGE);
    if (!it || !it->record) return ST_OK;
    put_entry(it, c->head.time_ms, &entry);
    db_record_stop(it->record);
    it->record = NULL;
    TRY(buf_status(&entry, err));
    TRY(platform_append(it->path, it->offset, buf_slice(&entry), err));
    it->offset += (int64_t)entry.len;
    return ST_OK;
}

/* ------------------------------------------------------------------ bases */

static enum status make_base(struct centre *c, const char *dir, store_progress *progress, void *ctx,
                             struct err *err) {
    char path[COPY_PATH_BYTES + NAME_BYTES];
    int64_t number;
    TRY(meta_int(c->db, "copy_number", &number, err));
    (void)snprintf(path, sizeof path, "%s/base-%lld-%lld.db", dir, (long long)number,
                   (long long)c->env->wall_ms(c->env->ctx));
    return store_backup(c->store, path, progress, ctx, err);
}

struct start {
    const char *dir;
};

static enum status note_start(struct centre *c, void *ctx, struct err *err) {
    struct start *start = ctx;
    int64_t number;
    TRY(meta_int(c->db, "copy_number", &number, err));
    TRY(meta_int_set(c->db, "copy_number", number + 1, err));
    TRY(meta_int_set(c->db, "copies", start->dir[0] != 0, err));
    return meta_blob_set(c->db, SETTING_DIR, slice_from(start->dir), err);
}

enum status centre_copy_start(struct centre *c, const char *dir, store_progress *progress,
                              void *ctx, struct err *err) {
    struct start start = {dir};
    if (strlen(dir) == 0 || strlen(dir) >= COPY_PATH_BYTES)
        return err_set(err, ST_USAGE, "the folder's name is too long", "目录名过长");
    TRY(platform_make_dir(dir, err));
    TRY(centre_write(c, note_start, &start, err));
    centre_copy_end(c);
    centre_forget(c);
    return make_base(c, dir, progress, ctx, err);
}

enum status centre_copy_stop(struct centre *c, struct err *err) {
    struct start none = {""};
    TRY(centre_write(c, note_start, &none, err));
    centre_copy_end(c);
    centre_forget(c);
    return ST_OK;
}

/* ------------------------------------------------------------------ reading a folder */

struct entry {
    int64_t number, time_ms;
    struct slice changes;
};
struct folder {
    struct arena mem;
    struct entry *entries;
    size_t count, room;
    char base[COPY_PATH_BYTES + NAME_BYTES];
    int64_t base_number, base_ms;
};

static enum status add_entry(struct folder *f, const struct entry *entry, struct err *err) {
    if (f->count == f->room) {
        size_t room = f->room ? f->room * 2 : 256;
        struct entry *entries = ARENA_ARRAY(&f->mem, room, struct entry);
        if (!entries) return err_no_memory(err);
        if (f->count > 0) memcpy(entries, f->entries, f->count * sizeof *entries);
        f->entries = entries;
        f->room = room;
    }
    f->entries[f->count++] = *entry;
    return ST_OK;
}

/* A file ends where an entry is not whole: the machine stopped there. */
static enum status read_changes(struct folder *f, const char *path, struct err *err) {
    struct slice bytes;
    TRY(platform_read_file(path, BUF_MAX_FILE, &f->mem, &bytes, err));
    for (size_t at = 0; bytes.len - at >= HEAD_BYTES + SUM_BYTES;) {
        const uint8_t *head = bytes.data + at;
        size_t len = (size_t)take_int(head + 20, 4);
        if (memcmp(head, "RBC1", 4) != 0 || bytes.len - at - HEAD_BYTES - SUM_BYTES < len) break;
        struct entry entry = {(int64_t)take_int(head + 4, 8), (int64_t)take_int(head + 12, 8),
                              slice_of(head + HEAD_BYTES, len)};
        struct hash sum = hash_sha256(slice_of(head, HEAD_BYTES + len));
        if (memcmp(sum.bytes, head + HEAD_BYTES + len, SUM_BYTES) != 0) break;
        TRY(add_entry(f, &entry, err));
        at += HEAD_BYTES + len + SUM_BYTES;
    }
    return ST_OK;
}

/* The latest base that is not younger than asked. */
static void take_base(struct folder *f, const char *dir, const char *name, int64_t until_ms) {
    long long number, made_ms;
    if (sscanf(name, "base-%lld-%lld.db", &number, &made_ms) != 2) return;
    if (made_ms > until_ms || (f->base[0] && number <= f->base_number)) return;
    f->base_number = number;
    f->base_ms = made_ms;
    (void)snprintf(f->base, sizeof f->base, "%s/%s", dir, name);
}

static int by_number(const void *a, const void *b) {
    const struct entry *left = a, *right = b;
    return (left->number > right->number) - (left->number < right->number);
}

static enum status read_folder(const char *dir, int64_t until_ms, struct folder *f,
                               struct err *err) {
    const char *const *names;
    size_t count;
    TRY(platform_list_dir(dir, COPY_FILES_MAX, &f->mem, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        take_base(f, dir, names[i], until_ms);
        if (strncmp(names[i], "changes-", 8) != 0) continue;
        const char *path = arena_printf(&f->mem, "%s/%s", dir, names[i]);
        if (!path) return err_no_memory(err);
        TRY(read_changes(f, path, err));
    }
    if (f->count > 0) qsort(f->entries, f->count, sizeof *f->entries, by_number);
    return ST_OK;
}

static enum status redo(struct db *db, const struct folder *f, int64_t until_ms,
                        struct copy_read *out, struct err *err) {
    for (size_t i = 0; i < f->count && !out->gap; i++) {
        const struct entry *e = &f->entries[i];
        if (e->number <= out->number) continue;
        if (e->time_ms > until_ms) return ST_OK;
        out->gap = e->number != out->number + 1;
        if (out->gap) return ST_OK;
        TRY(db_record_apply(db, e->changes, &out->conflicts, err));
        out->number = e->number;
        out->time_ms = e->time_ms;
    }
    return ST_OK;
}

static enum status read_into(struct folder *f, const char *path, int64_t until_ms,
                             struct copy_read *out, struct err *err) {
    struct db *base, *db;
    TRY(db_open(f->base, DB_READ_ONLY, &base, err));
    enum status status = db_backup(base, path, NULL, NULL, err);
    db_close(base);
    TRY(status);
    TRY(db_open(path, 0, &db, err));
    status = db_begin(db, true, err);
    if (status == ST_OK) status = redo(db, f, until_ms, out, err);
    if (status == ST_OK) status = db_commit(db, err);
    db_close(db);
    return status;
}

enum status copy_book_at(const char *dir, const char *path, int64_t until_ms, struct copy_read *out,
                         struct err *err) {
    struct folder f = {.mem = arena_new(4 * (size_t)BUF_MAX_FILE)};
    enum status status = read_folder(dir, until_ms, &f, err);
    struct copy_read read = {.base = f.base_number, .number = f.base_number, .time_ms = f.base_ms};
    if (status == ST_OK && !f.base[0])
        status = err_set(err, ST_NOT_FOUND, "%s holds no book of that time",
                         "%s 中没有该时间的账本", dir);
    if (status == ST_OK) status = read_into(&f, path, until_ms, &read, err);
    arena_clear(&f.mem);
    if (status == ST_OK) *out = read;
    return status;
}

static enum status has_all(struct centre *c, const char *dir, bool *out, struct err *err) {
    struct folder f = {.mem = arena_new(4 * (size_t)BUF_MAX_FILE)};
    int64_t number, have;
    enum status status = meta_int(c->db, "copy_number", &number, err);
    if (status == ST_OK) status = read_folder(dir, INT64_MAX, &f, err);
    have = f.base_number;
    for (size_t i = 0; status == ST_OK && i < f.count; i++)
        if (f.entries[i].number == have + 1) have++;
    *out = f.base[0] && have >= number;
    arena_clear(&f.mem);
    return status;
}

enum status centre_copy_ready(struct centre *c, struct err *err) {
    struct centre_copy copy;
    bool all;
    TRY(centre_copy(c, &copy, err));
    if (!copy.on) return ST_OK;
    TRY(platform_make_dir(copy.dir, err));
    TRY(has_all(c, copy.dir, &all, err));
    return all ? ST_OK : make_base(c, copy.dir, NULL, NULL, err);
}
