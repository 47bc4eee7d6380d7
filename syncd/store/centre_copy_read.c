/* Reading the folder of a copy: which lines there are, what a line holds, a book made from it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/platform/platform.h"
#include "syncd/store/centre_copy_private.h"
#include "syncd/store/centre_private.h"

enum { INDEX_MEMORY = BUF_MAX_FILE, BYTES_MAX = BUF_MAX_FILE - 4096 };

struct entry {
    int64_t number, time_ms, offset;
    uint32_t file, len; /* of the changes */
};

struct folder {
    struct arena mem;
    const char *dir;
    const char *const *names;
    size_t name_count;
    /* of one line */
    char line[COPY_LINE_NAME_BYTES];
    int64_t began; /* the number at which it began */
    bool has_base;
    struct entry *entries; /* by number */
    size_t count, room;
    int64_t bytes;
};

static uint64_t take_int(const uint8_t *from, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) value |= (uint64_t)from[i] << (8 * i);
    return value;
}

static enum status open_folder(const char *dir, struct folder *out, struct err *err) {
    *out = (struct folder){.mem = arena_new(INDEX_MEMORY), .dir = dir};
    return platform_list_dir(dir, COPY_FILES_MAX, &out->mem, &out->names, &out->name_count, err);
}

static void folder_close(struct folder *f) {
    arena_clear(&f->mem);
}

static const char *path_of(struct folder *f, const char *name) {
    return arena_printf(&f->mem, "%s/%s", f->dir, name);
}

/* ------------------------------------------------------------------ lines */

static bool is_base(const char *name, int64_t *out_number, int64_t *out_ms) {
    long long number, made_ms;
    char rest[8];
    if (sscanf(name, COPY_BASE "%lld-%lld.%7s", &number, &made_ms, rest) != 3 ||
        strcmp(rest, "db") != 0)
        return false;
    *out_number = number;
    *out_ms = made_ms;
    return true;
}

enum status copy_latest_ms(const char *dir, int64_t *out, struct err *err) {
    SCOPED(folder_close) struct folder f;
    TRY(open_folder(dir, &f, err));
    *out = 0;
    for (size_t i = 0; i < f.name_count; i++) {
        int64_t number, made_ms;
        if (is_base(f.names[i], &number, &made_ms) && made_ms > *out) *out = made_ms;
    }
    return ST_OK;
}

/* The latest that is not younger than asked. */
static void choose_line(struct folder *f, int64_t until_ms) {
    int64_t latest = -1, number, made_ms;
    for (size_t i = 0; i < f->name_count; i++) {
        if (!is_base(f->names[i], &number, &made_ms) || made_ms > until_ms || made_ms <= latest)
            continue;
        latest = made_ms;
        (void)snprintf(f->line, sizeof f->line, "%lld-%lld", (long long)number, (long long)made_ms);
    }
}

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

static void file_close(FILE **file) {
    if (*file) (void)fclose(*file);
}

/* A file ends where an entry is not whole: the machine stopped there. */
static enum status read_heads(struct folder *f, uint32_t file, struct err *err) {
    const char *path = path_of(f, f->names[file]);
    struct platform_file_info info;
    uint8_t head[COPY_HEAD_BYTES];
    if (!path) return err_no_memory(err);
    TRY(platform_file_info(path, &info, err));
    SCOPED(file_close) FILE *in = fopen(path, "rb");
    if (!in) return err_set(err, ST_DISK, "%s cannot be read", "无法读取 %s", path);
    for (int64_t at = 0; fread(head, 1, sizeof head, in) == sizeof head;) {
        struct entry it = {.number = (int64_t)take_int(head + 4, 8),
                           .time_ms = (int64_t)take_int(head + 12, 8),
                           .offset = at,
                           .file = file,
                           .len = (uint32_t)take_int(head + 20, 4)};
        int64_t end = at + COPY_HEAD_BYTES + it.len + COPY_SUM_BYTES;
        if (memcmp(head, "RBC1", 4) != 0 || it.len > BYTES_MAX || end > info.bytes) break;
        TRY(add_entry(f, &it, err));
        if (fseek(in, (long)it.len + COPY_SUM_BYTES, SEEK_CUR) != 0) break;
        f->bytes += end - at;
        at = end;
    }
    return ST_OK;
}

static int by_number(const void *a, const void *b) {
    const struct entry *left = a, *right = b;
    return (left->number > right->number) - (left->number < right->number);
}

static enum status read_line(struct folder *f, struct err *err) {
    char base[COPY_NAME_BYTES], changes[COPY_NAME_BYTES];
    (void)snprintf(base, sizeof base, COPY_BASE "%s.db", f->line);
    (void)snprintf(changes, sizeof changes, COPY_CHANGES "%s-", f->line);
    f->began = strtoll(f->line, NULL, 10);
    for (size_t i = 0; i < f->name_count; i++) {
        f->has_base |= strcmp(f->names[i], base) == 0;
        if (strncmp(f->names[i], changes, strlen(changes)) == 0)
            TRY(read_heads(f, (uint32_t)i, err));
    }
    if (f->count > 0) qsort(f->entries, f->count, sizeof *f->entries, by_number);
    return ST_OK;
}

enum status copy_line_look(const char *dir, const char *line, struct copy_line *out,
                           struct err *err) {
    SCOPED(folder_close) struct folder f;
    TRY(open_folder(dir, &f, err));
    (void)snprintf(f.line, sizeof f.line, "%s", line);
    TRY(read_line(&f, err));
    *out = (struct copy_line){f.has_base, f.began, f.began, f.bytes};
    for (size_t i = 0; i < f.count; i++) {
        if (f.entries[i].number == out->whole_to + 1) out->whole_to++;
        if (f.entries[i].number > out->last) out->last = f.entries[i].number;
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ a book from a line */

/* NULL: what is there is not what was written. */
static enum status read_entry(struct folder *f, const struct entry *e, struct arena *mem,
                              const uint8_t **out, struct err *err) {
    const char *path = path_of(f, f->names[e->file]);
    size_t got, bytes = COPY_HEAD_BYTES + (size_t)e->len + COPY_SUM_BYTES;
    uint8_t *to = ARENA_ARRAY(mem, bytes, uint8_t);
    if (!path || !to) return err_no_memory(err);
    TRY(platform_read_at(path, e->offset, to, bytes, &got, err));
    struct hash sum = hash_sha256(slice_of(to, bytes - COPY_SUM_BYTES));
    bool sound = got == bytes && !memcmp(sum.bytes, to + bytes - COPY_SUM_BYTES, COPY_SUM_BYTES);
    *out = sound ? to : NULL;
    return ST_OK;
}

static enum status redo(struct db *db, struct folder *f, int64_t until_ms, struct copy_read *out,
                        struct err *err) {
    SCOPED(arena_clear) struct arena mem = arena_new(INDEX_MEMORY);
    for (size_t i = 0; i < f->count && !out->gap; i++) {
        const struct entry *e = &f->entries[i];
        const uint8_t *bytes;
        if (e->number <= out->number) continue;
        if (e->time_ms > until_ms) return ST_OK;
        arena_clear(&mem);
        TRY(read_entry(f, e, &mem, &bytes, err));
        out->gap = !bytes || e->number != out->number + 1;
        if (out->gap) return ST_OK;
        TRY(db_record_apply(db, slice_of(bytes + COPY_HEAD_BYTES, e->len), &out->conflicts, err));
        out->number = e->number;
        out->time_ms = e->time_ms;
    }
    return ST_OK;
}

/* The base is younger than the beginning of its line by what others did meanwhile: it says so. */
static enum status make_book(struct folder *f, const char *path, int64_t until_ms,
                             struct copy_read *out, struct err *err) {
    const char *from = arena_printf(&f->mem, "%s/" COPY_BASE "%s.db", f->dir, f->line);
    struct db *base, *db;
    if (!from) return err_no_memory(err);
    TRY(db_open(from, DB_READ_ONLY, &base, err));
    enum status status = db_backup(base, path, NULL, NULL, err);
    db_close(base);
    TRY(status);
    TRY(db_open(path, 0, &db, err));
    status = db_begin(db, true, err);
    if (status == ST_OK) status = meta_int(db, "copy_number", &out->base, err);
    out->number = out->base;
    if (status == ST_OK) status = redo(db, f, until_ms, out, err);
    if (status == ST_OK) status = db_commit(db, err);
    db_close(db);
    return status;
}

enum status copy_book_at(const char *dir, const char *path, int64_t until_ms, struct copy_read *out,
                         struct err *err) {
    SCOPED(folder_close) struct folder f;
    struct copy_read read = {.base = 0};
    TRY(open_folder(dir, &f, err));
    choose_line(&f, until_ms);
    if (!f.line[0])
        return err_set(err, ST_NOT_FOUND, "%s holds no book of that time", "%s 中没有该时间的账本",
                       dir);
    TRY(read_line(&f, err));
    read.time_ms = strtoll(strchr(f.line, '-') + 1, NULL, 10);
    TRY(make_book(&f, path, until_ms, &read, err));
    *out = read;
    return ST_OK;
}
