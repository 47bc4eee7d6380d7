/* Contents of attachments on disk. blob.h says how the folder looks and why a crash is harmless. */
#include "syncd/store/blob.h"

#include <stdio.h>
#include <string.h>

#include "syncd/platform/platform.h"

enum {
    FILE_PATH_BYTES = BLOB_PATH_BYTES + 80, /* what blob.h promises for a path in the folder */
    HASH_BLOCK_BYTES = 64 * 1024,
    COPY_BLOCK_BYTES = 1024 * 1024, /* each is synced: a photo costs a few waits for the disk */
    WALK_MEMORY_MAX = 256 * 1024 * 1024
};

enum status blobs_at(const char *dir, struct blobs *out, struct err *err) {
    if (strlen(dir) >= sizeof out->dir)
        return err_set(err, ST_INVALID, "the path is too long: %s", "路径过长：%s", dir);
    memcpy(out->dir, dir, strlen(dir) + 1);
    return ST_OK;
}

/* ------------------------------------------------------------------ names and paths */

void blob_name(const struct hash *hash, char out[BLOB_NAME_BYTES + 1]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < HASH_BYTES; i++) {
        out[2 * i] = digits[hash->bytes[i] >> 4];
        out[2 * i + 1] = digits[hash->bytes[i] & 15];
    }
    out[BLOB_NAME_BYTES] = 0;
}

static int digit_of(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool blob_name_read(struct slice name, struct hash *out) {
    struct hash hash;
    if (name.len != BLOB_NAME_BYTES) return false;
    for (size_t i = 0; i < HASH_BYTES; i++) {
        int high = digit_of(name.data[2 * i]), low = digit_of(name.data[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        hash.bytes[i] = (uint8_t)(high * 16 + low);
    }
    *out = hash;
    return true;
}

void blob_path(const struct blobs *blobs, const struct hash *hash, char out[FILE_PATH_BYTES]) {
    char name[BLOB_NAME_BYTES + 1];
    blob_name(hash, name);
    (void)snprintf(out, FILE_PATH_BYTES, "%s/%.2s/%s", blobs->dir, name, name + 2);
}

static void part_path(const struct blobs *blobs, const struct hash *hash, uint32_t owner,
                      char out[FILE_PATH_BYTES]) {
    char name[BLOB_NAME_BYTES + 1];
    blob_name(hash, name);
    (void)snprintf(out, FILE_PATH_BYTES, "%s/part/%s-%u", blobs->dir, name, (unsigned)owner);
}

static void mark_path(const struct blobs *blobs, const char *mark, const struct hash *hash,
                      char out[FILE_PATH_BYTES]) {
    char name[BLOB_NAME_BYTES + 1];
    blob_name(hash, name);
    (void)snprintf(out, FILE_PATH_BYTES, "%s/%s/%s", blobs->dir, mark, name);
}

static enum status make_dir_in(const struct blobs *blobs, const char *name, struct err *err) {
    char path[FILE_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", blobs->dir, name);
    return platform_make_dir(path, err);
}

/* ------------------------------------------------------------------ whole contents */

enum status blob_bytes(const struct blobs *blobs, const struct hash *hash, int64_t *out,
                       struct err *err) {
    char path[FILE_PATH_BYTES];
    struct platform_file_info info;
    blob_path(blobs, hash, path);
    TRY(platform_file_info(path, &info, err));
    *out = info.bytes;
    return ST_OK;
}

bool blob_is_here(const struct blobs *blobs, const struct hash *hash) {
    int64_t bytes;
    return blob_bytes(blobs, hash, &bytes, NULL) == ST_OK;
}

enum status blob_read(const struct blobs *blobs, const struct hash *hash, int64_t offset,
                      size_t bytes_max, struct arena *mem, struct slice *out, struct err *err) {
    char path[FILE_PATH_BYTES];
    size_t got;
    int64_t bytes;
    TRY(blob_bytes(blobs, hash, &bytes, err));
    if (offset < 0 || offset >= bytes) bytes_max = 0;
    if (bytes_max > 0 && bytes - offset < (int64_t)bytes_max) bytes_max = (size_t)(bytes - offset);
    uint8_t *data = arena_alloc(mem, bytes_max + 1);
    if (!data) return err_no_memory(err);
    blob_path(blobs, hash, path);
    TRY(platform_read_at(path, offset, data, bytes_max, &got, err));
    *out = slice_of(data, got);
    return ST_OK;
}

static enum status hash_file(const char *path, struct hash *out, int64_t *out_bytes,
                             struct err *err) {
    uint8_t block[HASH_BLOCK_BYTES];
    struct hash_run run;
    int64_t at = 0;
    size_t got;
    hash_run_start(&run);
    do {
        TRY(platform_read_at(path, at, block, sizeof block, &got, err));
        hash_run_add(&run, slice_of(block, got));
        at += (int64_t)got;
    } while (got == sizeof block);
    *out = hash_run_end(&run);
    *out_bytes = at;
    return ST_OK;
}

static bool hash_equal(const struct hash *a, const struct hash *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static enum status not_what_it_says(struct err *err) {
    return err_set(err, ST_DAMAGED, "the bytes of the file are not those that its row names",
                   "文件内容与记录中的校验值不符");
}

enum status blob_check(const struct blobs *blobs, const struct hash *hash, struct err *err) {
    char path[FILE_PATH_BYTES];
    struct hash is;
    int64_t bytes;
    blob_path(blobs, hash, path);
    TRY(hash_file(path, &is, &bytes, err));
    return hash_equal(&is, hash) ? ST_OK : not_what_it_says(err);
}

/* Gives bytes that were hashed their name. */
static enum status give_name(const struct blobs *blobs, const char *from, const struct hash *hash,
                             struct err *err) {
    char to[FILE_PATH_BYTES], folder[3] = {0};
    blob_path(blobs, hash, to);
    memcpy(folder, to + strlen(blobs->dir) + 1, 2);
    TRY(make_dir_in(blobs, folder, err));
    return platform_rename(from, to, err);
}

/* ------------------------------------------------------------------ parts */

enum status blob_part_bytes(const struct blobs *blobs, const struct hash *hash, uint32_t owner,
                            int64_t *out, struct err *err) {
    char path[FILE_PATH_BYTES];
    struct platform_file_info info;
    part_path(blobs, hash, owner, path);
    enum status status = platform_file_info(path, &info, err);
    if (status != ST_OK && status != ST_NOT_FOUND) return status;
    *out = status == ST_OK ? info.bytes : 0;
    return ST_OK;
}

enum status blob_remove_part(const struct blobs *blobs, const struct hash *hash, uint32_t owner,
                             struct err *err) {
    char path[FILE_PATH_BYTES];
    part_path(blobs, hash, owner, path);
    enum status status = platform_remove(path, err);
    return status == ST_NOT_FOUND ? ST_OK : status;
}

static enum status finish(const struct blobs *blobs, const struct hash *hash, uint32_t owner,
                          struct err *err) {
    char path[FILE_PATH_BYTES];
    struct hash is;
    int64_t bytes;
    part_path(blobs, hash, owner, path);
    TRY(hash_file(path, &is, &bytes, err));
    if (hash_equal(&is, hash)) return give_name(blobs, path, hash, err);
    TRY(platform_remove(path, err));
    return not_what_it_says(err);
}

enum status blob_append(const struct blobs *blobs, const struct hash *hash, uint32_t owner,
                        int64_t bytes, int64_t offset, struct slice piece, bool *out_whole,
                        struct err *err) {
    char path[FILE_PATH_BYTES];
    bool is_whole = blob_is_here(blobs, hash);
    if (!is_whole) {
        int64_t end = offset + (int64_t)piece.len;
        if (offset < 0 || offset > BLOB_BYTES_MAX || end > bytes)
            return err_set(err, ST_INVALID, "the piece reaches beyond the end of the file",
                           "数据块超出文件末尾");
        part_path(blobs, hash, owner, path);
        TRY(make_dir_in(blobs, "part", err));
        TRY(platform_append(path, offset, piece, err));
        is_whole = end == bytes;
        if (is_whole) TRY(finish(blobs, hash, owner, err));
    } else
        TRY(blob_remove_part(blobs, hash, owner, err));
    *out_whole = is_whole;
    return ST_OK;
}

/* ------------------------------------------------------------------ a person's files */

static enum status copy_blocks(const char *from, const char *to, int64_t bytes_max,
                               struct hash_run *run, int64_t *out_bytes, struct err *err) {
    SCOPED(arena_clear) struct arena mem = arena_new(2 * COPY_BLOCK_BYTES);
    uint8_t *block = arena_alloc(&mem, COPY_BLOCK_BYTES);
    int64_t at = 0;
    size_t got;
    if (!block) return err_no_memory(err);
    do {
        TRY(platform_read_at(from, at, block, COPY_BLOCK_BYTES, &got, err));
        if (at + (int64_t)got > bytes_max)
            return err_set(err, ST_TOO_LARGE, "%s is larger than %lld MiB", "%s 超过 %lld MiB",
                           from, (long long)(bytes_max / (1024 * 1024)));
        hash_run_add(run, slice_of(block, got));
        if (got > 0 || at == 0) TRY(platform_append(to, at, slice_of(block, got), err));
        at += (int64_t)got;
    } while (got == COPY_BLOCK_BYTES);
    *out_bytes = at;
    return ST_OK;
}

static enum status check_file(const char *path, int64_t bytes_max, struct err *err) {
    struct platform_file_info info;
    TRY(platform_file_info(path, &info, err));
    if (info.is_dir) return err_set(err, ST_INVALID, "%s is a folder", "%s 是文件夹", path);
    if (info.bytes == 0)
        return err_set(err, ST_INVALID, "%s is empty: there is nothing to attach",
                       "%s 是空文件，没有可附加的内容", path);
    if (info.bytes <= bytes_max) return ST_OK;
    return err_set(err, ST_TOO_LARGE, "%s is larger than %lld MiB", "%s 超过 %lld MiB", path,
                   (long long)(bytes_max / (1024 * 1024)));
}

static enum status take_into(const struct blobs *blobs, const char *path, const char *beside,
                             int64_t bytes_max, struct hash *out_hash, int64_t *out_bytes,
                             struct err *err) {
    struct hash_run run;
    int64_t bytes;
    hash_run_start(&run);
    TRY(copy_blocks(path, beside, bytes_max, &run, &bytes, err));
    struct hash hash = hash_run_end(&run);
    if (bytes == 0)
        return err_set(err, ST_INVALID, "%s is empty: there is nothing to attach",
                       "%s 是空文件，没有可附加的内容", path);
    TRY(give_name(blobs, beside, &hash, err));
    *out_hash = hash;
    *out_bytes = bytes;
    return ST_OK;
}

/* Two commands at once get names of their own by the monotonic clock and the thread. */
enum status blob_take_file(const struct blobs *blobs, const char *path, int64_t bytes_max,
                           struct hash *out_hash, int64_t *out_bytes, struct err *err) {
    char beside[FILE_PATH_BYTES];
    TRY(check_file(path, bytes_max, err));
    TRY(make_dir_in(blobs, "part", err));
    (void)snprintf(beside, sizeof beside, "%s/part/new-%llx-%llx", blobs->dir,
                   (unsigned long long)platform_mono_us(),
                   (unsigned long long)platform_thread_self());
    TRY(platform_make_file(beside, true, err));
    enum status status = take_into(blobs, path, beside, bytes_max, out_hash, out_bytes, err);
    struct err ignored;
    if (status != ST_OK) (void)platform_remove(beside, &ignored);
    return status;
}

enum status blob_copy_to(const struct blobs *blobs, const struct hash *hash, const char *path,
                         struct err *err) {
    char from[FILE_PATH_BYTES];
    struct hash_run run;
    struct err ignored;
    int64_t bytes;
    blob_path(blobs, hash, from);
    TRY(blob_bytes(blobs, hash, &bytes, err));
    TRY(platform_make_file(path, true, err));
    hash_run_start(&run);
    enum status status = copy_blocks(from, path, INT64_MAX, &run, &bytes, err);
    struct hash is = hash_run_end(&run);
    if (status == ST_OK && !hash_equal(&is, hash)) {
        (void)platform_remove(from, &ignored);
        status = not_what_it_says(err);
    }
    if (status != ST_OK) (void)platform_remove(path, &ignored);
    return status;
}

void blob_remove(const struct blobs *blobs, const struct hash *hash, uint32_t owner) {
    char path[FILE_PATH_BYTES];
    struct err ignored;
    blob_path(blobs, hash, path);
    (void)platform_remove(path, &ignored);
    (void)blob_remove_part(blobs, hash, owner, &ignored);
}

/* ------------------------------------------------------------------ marks */

enum status blob_mark(const struct blobs *blobs, const char *mark, const struct hash *hash,
                      struct slice text, struct err *err) {
    char path[FILE_PATH_BYTES];
    TRY(make_dir_in(blobs, mark, err));
    mark_path(blobs, mark, hash, path);
    return platform_write_file_private(path, text, err);
}

void blob_unmark(const struct blobs *blobs, const char *mark, const struct hash *hash) {
    char path[FILE_PATH_BYTES];
    struct err ignored;
    mark_path(blobs, mark, hash, path);
    (void)platform_remove(path, &ignored);
}

bool blob_is_marked(const struct blobs *blobs, const char *mark, const struct hash *hash,
                    struct arena *mem, struct slice *out_text) {
    char path[FILE_PATH_BYTES];
    struct err ignored;
    mark_path(blobs, mark, hash, path);
    if (!out_text) return platform_exists(path);
    return platform_read_file(path, BLOB_NOTE_BYTES_MAX, mem, out_text, &ignored) == ST_OK;
}

int64_t blob_marked_ms(const struct blobs *blobs, const char *mark, const struct hash *hash) {
    char path[FILE_PATH_BYTES];
    struct platform_file_info info;
    mark_path(blobs, mark, hash, path);
    return platform_file_info(path, &info, NULL) == ST_OK ? info.written_ms : 0;
}

/* ------------------------------------------------------------------ walking */

struct walk {
    const struct blobs *blobs;
    struct arena mem;
    blob_each *each;
    void *ctx;
};

/* name: two folder digits and the rest, or of a part all of it. */
static enum status visit(struct walk *w, const char *path, struct slice name, bool is_part,
                         uint32_t owner, struct err *err) {
    struct platform_file_info info;
    struct blob_found found = {.is_part = is_part, .owner = owner};
    if (!blob_name_read(name, &found.hash)) return ST_OK;
    enum status status = platform_file_info(path, &info, err);
    if (status == ST_NOT_FOUND || status == ST_INVALID || (status == ST_OK && info.is_dir))
        return ST_OK; /* it went meanwhile, or is not ours */
    TRY(status);
    found.bytes = info.bytes;
    found.written_ms = info.written_ms;
    return w->each(w->ctx, &found, err);
}

static enum status list(struct walk *w, const char *dir, const char *const **out, size_t *out_count,
                        struct err *err) {
    arena_clear(&w->mem);
    enum status status = platform_list_dir(dir, BLOB_DIR_FILES_MAX, &w->mem, out, out_count, err);
    if (status == ST_NOT_FOUND) *out_count = 0;
    return status == ST_NOT_FOUND ? ST_OK : status;
}

static enum status walk_folder(struct walk *w, unsigned number, struct err *err) {
    char dir[FILE_PATH_BYTES], path[FILE_PATH_BYTES + 260], name[BLOB_NAME_BYTES + 1];
    const char *const *names = NULL;
    size_t count;
    (void)snprintf(dir, sizeof dir, "%s/%02x", w->blobs->dir, number);
    TRY(list(w, dir, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        if (strlen(names[i]) != BLOB_NAME_BYTES - 2) continue;
        (void)snprintf(name, sizeof name, "%02x%s", number & 255, names[i]);
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        TRY(visit(w, path, slice_from(name), false, 0, err));
    }
    return ST_OK;
}

static enum status walk_parts(struct walk *w, struct err *err) {
    char dir[FILE_PATH_BYTES], path[FILE_PATH_BYTES + 260];
    const char *const *names = NULL;
    size_t count;
    (void)snprintf(dir, sizeof dir, "%s/part", w->blobs->dir);
    TRY(list(w, dir, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        struct slice owner = slice_from(names[i]), name;
        int64_t number;
        if (!slice_cut(&owner, '-', &name) || !text_to_int(owner, &number)) continue;
        if (number < 0 || number > UINT32_MAX) continue;
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        TRY(visit(w, path, name, true, (uint32_t)number, err));
    }
    return ST_OK;
}

enum status blob_walk(const struct blobs *blobs, blob_each *each, void *ctx, struct err *err) {
    struct walk w = {.blobs = blobs, .mem = arena_new(WALK_MEMORY_MAX), .each = each, .ctx = ctx};
    enum status status = ST_OK;
    for (unsigned i = 0; status == ST_OK && i < 256; i++) status = walk_folder(&w, i, err);
    if (status == ST_OK) status = walk_parts(&w, err);
    arena_clear(&w.mem);
    return status;
}

static enum status add_up(void *ctx, const struct blob_found *found, struct err *err) {
    struct blob_sum *sum = ctx;
    (void)err;
    *(found->is_part ? &sum->parts : &sum->contents) += 1;
    *(found->is_part ? &sum->part_bytes : &sum->bytes) += found->bytes;
    return ST_OK;
}

enum status blob_sum(const struct blobs *blobs, struct blob_sum *out, struct err *err) {
    struct blob_sum sum = {0};
    TRY(blob_walk(blobs, add_up, &sum, err));
    *out = sum;
    return ST_OK;
}
