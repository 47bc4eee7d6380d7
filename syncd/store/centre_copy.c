/* Following the book into the folder of its copy (centre_copy.h); centre_copy_read.c reads it. */
#include "syncd/store/centre_copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/platform/platform.h"
#include "syncd/store/centre_copy_private.h"
#include "syncd/store/centre_private.h"

enum { READY_TRIES = 20, READY_WAIT_MS = 10 };
#define SETTING_DIR "copy_dir"
#define SETTING_LINE "copy_line"

struct copying { /* of a handle that writes */
    struct db_record *record;
    struct buf changes;
    char dir[COPY_PATH_BYTES], path[COPY_PATH_BYTES + COPY_NAME_BYTES];
    char line[COPY_LINE_NAME_BYTES];
    int64_t offset; /* bytes in the file at path */
    int64_t number; /* of the transaction under way */
};

/* ------------------------------------------------------------------ where */

static enum status read_setting(struct centre *c, const char *name, char *out, size_t room,
                                struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(64 * 1024);
    struct slice value = {0};
    TRY(meta_blob(c->db, name, &mem, &value, err));
    text_put(out, room, value);
    return ST_OK;
}

enum status centre_copy(struct centre *c, struct centre_copy *out, struct err *err) {
    *out = (struct centre_copy){.on = false};
    TRY(read_setting(c, SETTING_DIR, out->dir, sizeof out->dir, err));
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
    struct copying *it = calloc(1, sizeof *it);
    if (!it) return err_no_memory(err);
    it->changes = buf_new(BUF_MAX_FILE);
    c->copying = it;
    return read_setting(c, SETTING_DIR, it->dir, sizeof it->dir, err);
}

/* A file of this handle's own, in the line that the book is in by now. */
static enum status follow_line(struct centre *c, struct copying *it, struct err *err) {
    char line[COPY_LINE_NAME_BYTES];
    uint8_t random[8];
    SCOPED(buf_free) struct buf name = buf_new(BUF_MAX_LINE);
    TRY(read_setting(c, SETTING_LINE, line, sizeof line, err));
    if (it->path[0] && strcmp(line, it->line) == 0) return ST_OK;
    c->env->random(c->env->ctx, random, sizeof random);
    buf_put_hex(&name, slice_of(random, sizeof random));
    (void)snprintf(it->line, sizeof it->line, "%s", line);
    (void)snprintf(it->path, sizeof it->path, "%s/" COPY_CHANGES "%s-%s.log", it->dir, line,
                   buf_text(&name));
    it->offset = 0;
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
    TRY(follow_line(c, it, err));
    it->number = number + 1;
    TRY(meta_int_set(c->db, "copy_number", it->number, err));
    buf_reset(&it->changes);
    return db_record_take(it->record, &it->changes, err);
}

static void put_int(uint8_t *out, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) out[i] = (uint8_t)(value >> (8 * i));
}

/* "RBC1", number, time, length; the changes; the first bytes of the SHA-256 of both. */
static void put_entry(const struct copying *it, int64_t time_ms, struct buf *out) {
    uint8_t head[COPY_HEAD_BYTES] = {'R', 'B', 'C', '1'};
    put_int(head + 4, (uint64_t)it->number, 8);
    put_int(head + 12, (uint64_t)time_ms, 8);
    put_int(head + 20, it->changes.len, 4);
    struct hash sum = hash_sha256_two(slice_of(head, sizeof head), buf_slice(&it->changes));
    buf_put(out, head, sizeof head);
    buf_put_slice(out, buf_slice(&it->changes));
    buf_put(out, sum.bytes, COPY_SUM_BYTES);
}

/* After the commit, before anyone is answered. A folder that takes no more ends the copy's hold on
 * the book: the book goes on, and the next opening makes a new base. */
enum status centre_copy_put(struct centre *c, struct err *err) {
    struct copying *it = c->copying;
    SCOPED(buf_free) struct buf entry = buf_new(BUF_MAX_FILE + COPY_HEAD_BYTES + COPY_SUM_BYTES);
    if (!it || !it->record) return ST_OK;
    put_entry(it, c->head.time_ms, &entry);
    db_record_stop(it->record);
    it->record = NULL;
    TRY(buf_status(&entry, err));
    TRY(platform_append(it->path, it->offset, buf_slice(&entry), err));
    it->offset += (int64_t)entry.len;
    return ST_OK;
}

/* ------------------------------------------------------------------ lines */

static enum status put_line(struct centre *c, const char *dir, struct err *err) {
    char line[COPY_LINE_NAME_BYTES];
    int64_t number, made_ms = c->env->wall_ms(c->env->ctx), latest_ms;
    TRY(meta_int(c->db, "copy_number", &number, err));
    TRY(copy_latest_ms(dir, &latest_ms, err));
    if (made_ms <= latest_ms) made_ms = latest_ms + 1; /* also where the clock went back */
    (void)snprintf(line, sizeof line, "%lld-%lld", (long long)number, (long long)made_ms);
    return meta_blob_set(c->db, SETTING_LINE, slice_from(line), err);
}

struct copy_dir {
    const char *dir;
};
static enum status note_line(struct centre *c, void *ctx, struct err *err) {
    const struct copy_dir *of = ctx;
    return put_line(c, of->dir, err);
}
static enum status begin_line(struct centre *c, const char *dir, struct err *err) {
    struct copy_dir of = {dir};
    return centre_write(c, note_line, &of, err);
}

static enum status make_base(struct centre *c, const char *dir, store_progress *progress, void *ctx,
                             struct err *err) {
    char path[COPY_PATH_BYTES + COPY_NAME_BYTES], line[COPY_LINE_NAME_BYTES];
    TRY(read_setting(c, SETTING_LINE, line, sizeof line, err));
    (void)snprintf(path, sizeof path, "%s/" COPY_BASE "%s.db", dir, line);
    return store_backup(c->store, path, progress, ctx, err);
}

static enum status note_start(struct centre *c, void *ctx, struct err *err) {
    const struct copy_dir *start = ctx;
    int64_t number;
    TRY(meta_int(c->db, "copy_number", &number, err));
    TRY(meta_int_set(c->db, "copy_number", number + 1, err));
    TRY(meta_int_set(c->db, "copies", start->dir[0] != 0, err));
    return meta_blob_set(c->db, SETTING_DIR, slice_from(start->dir), err);
}

enum status centre_copy_start(struct centre *c, const char *dir, store_progress *progress,
                              void *ctx, struct err *err) {
    struct copy_dir start = {dir};
    if (strlen(dir) == 0 || strlen(dir) >= COPY_PATH_BYTES)
        return err_set(err, ST_USAGE, "the folder's name is too long", "目录名过长");
    TRY(platform_make_dir(dir, err));
    TRY(centre_write(c, note_start, &start, err));
    centre_copy_end(c);
    centre_forget(c);
    TRY(begin_line(c, dir, err));
    return make_base(c, dir, progress, ctx, err);
}

enum status centre_copy_stop(struct centre *c, struct err *err) {
    struct copy_dir none = {""};
    TRY(centre_write(c, note_start, &none, err));
    centre_copy_end(c);
    centre_forget(c);
    return ST_OK;
}

/* ------------------------------------------------------------------ at an opening */

/* All that the book did since the line began, and nothing that it does not know: a book that was
 * set back begins another line, for its numbers are given again. */
static enum status follows(struct centre *c, const char *dir, bool *out, struct err *err) {
    char line[COPY_LINE_NAME_BYTES];
    int64_t before, after;
    struct copy_line it;
    struct platform_file_info book;
    TRY(meta_int(c->db, "copy_number", &before, err));
    TRY(read_setting(c, SETTING_LINE, line, sizeof line, err));
    TRY(copy_line_look(dir, line, &it, err));
    TRY(meta_int(c->db, "copy_number", &after, err));
    int64_t room = COPY_LINE_BYTES;
    if (platform_file_info(c->store->path, &book, NULL) == ST_OK && book.bytes > room)
        room = book.bytes;
    *out = it.has_base && it.whole_to >= before && it.last <= after && it.bytes <= room;
    return ST_OK;
}

/* Another handle may just be between its commit and its copy. */
static enum status follows_by_now(struct centre *c, const char *dir, bool *out, struct err *err) {
    TRY(follows(c, dir, out, err));
    for (int i = 0; i < READY_TRIES && !*out; i++) {
        platform_sleep_ms(READY_WAIT_MS);
        TRY(follows(c, dir, out, err));
    }
    return ST_OK;
}

enum status centre_copy_ready(struct centre *c, struct err *err) {
    struct centre_copy copy;
    bool all;
    TRY(centre_copy(c, &copy, err));
    if (!copy.on) return ST_OK;
    TRY(platform_make_dir(copy.dir, err));
    TRY(follows_by_now(c, copy.dir, &all, err));
    if (all) return ST_OK;
    TRY(begin_line(c, copy.dir, err));
    return make_base(c, copy.dir, NULL, NULL, err);
}
