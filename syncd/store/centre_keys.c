/* The org's signing key in the book, and its changes: see org_keys.h. */
#include "syncd/store/org_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syncd/platform/platform.h"
#include "syncd/store/centre_copy.h"
#include "syncd/store/centre_private.h"
#include "syncd/store/orders.h"

enum { KEYS_MEMORY = 4 * KEYS_FILE_BYTES_MAX, SCRUB_TRIES = 1000, SCRUB_BLOCK = 1024 * 1024 };
#define COPY_NAME "keys"
#define SETTING_CHANGES "key_changes"

enum status keys_path(const char *book_path, char out[KEYS_PATH_BYTES], struct err *err) {
    _Static_assert((int)KEYS_PATH_BYTES == (int)ORDERS_PATH_BYTES, "one kind of path");
    return book_beside(book_path, ".keys", out, err);
}

/* ------------------------------------------------------------------ reading */

static bool take_record(struct db_stmt *s, struct key_record *r) {
    *r = (struct key_record){.change = {.time_ms = db_int(s, 2), .seq = db_int(s, 3)},
                             .added = db_int(s, 7)};
    text_put(r->person, sizeof r->person, db_text(s, 8));
    return column_take(s, 0, r->change.old_public, SIGN_PUBLIC_BYTES) &&
           column_take(s, 1, r->change.new_public, SIGN_PUBLIC_BYTES) &&
           column_take(s, 4, r->change.by_old, SIGN_BYTES) &&
           column_take(s, 5, r->change.by_new, SIGN_BYTES) &&
           column_take(s, 6, r->voucher, MAC_STATE_BYTES);
}

enum status centre_keys(struct centre *c, struct arena *mem, struct key_records *out,
                        struct err *err) {
    struct key_records all = {.items = ARENA_ARRAY(mem, KEY_CHANGES_MAX, struct key_record)};
    struct db_stmt *s;
    bool row, sound = true;
    if (!all.items) return err_no_memory(err);
    *out = all;
    if (!store_is_current(c->store)) return ST_OK; /* a backup of before: its key is the first */
    TRY(db_prepare(c->db,
                   "SELECT old_public, new_public, time_ms, seq, by_old, by_new, voucher, added,"
                   " person FROM secret_org_key ORDER BY number LIMIT ?",
                   &s, err));
    db_bind_int(s, 1, KEY_CHANGES_MAX);
    for (;;) {
        TRY(db_step(s, &row, err));
        if (!row) break;
        sound = sound && take_record(s, &all.items[all.count++]);
    }
    db_reset(s);
    if (!sound) return err_set(err, ST_DAMAGED, "the org's keys are damaged", "组织密钥已损坏");
    *out = all;
    return ST_OK;
}

enum status centre_keys_news(struct centre *c, uint32_t known, struct arena *mem,
                             struct key_changes *out, struct err *err) {
    struct key_records all;
    *out = (struct key_changes){0};
    if (c->head_is_known && c->head.key_changes == 0) return ST_OK;
    TRY(centre_keys(c, mem, &all, err));
    out->total = (uint32_t)all.count;
    if (known >= all.count) return ST_OK;
    out->count = all.count - known;
    out->items = ARENA_ARRAY(mem, out->count, struct key_change);
    if (!out->items) return err_no_memory(err);
    for (size_t i = 0; i < out->count; i++) out->items[i] = all.items[known + i].change;
    return ST_OK;
}

enum status centre_key_now(struct centre *c, uint8_t out[SIGN_PUBLIC_BYTES], struct err *err) {
    struct centre_org org;
    TRY(centre_org(c, &org, err));
    struct sign_key key = sign_key_from_seed(org.key_seed);
    sign_public(&key, out);
    bytes_wipe(&key, sizeof key);
    bytes_wipe(&org, sizeof org);
    return ST_OK;
}

enum status centre_key_first(struct centre *c, uint8_t out[SIGN_PUBLIC_BYTES], struct err *err) {
    struct db_stmt *s;
    bool row;
    if (!store_is_current(c->store)) return centre_key_now(c, out, err);
    TRY(db_prepare(c->db, "SELECT old_public FROM secret_org_key WHERE number = 1", &s, err));
    TRY(db_step(s, &row, err));
    bool told = row && column_take(s, 0, out, SIGN_PUBLIC_BYTES);
    db_reset(s);
    return told ? ST_OK : centre_key_now(c, out, err);
}

/* Empty: there is no copy. */
static enum status copy_path(struct centre *c, char out[COPY_PATH_BYTES + sizeof "/" COPY_NAME],
                             struct err *err) {
    struct centre_copy copy;
    out[0] = 0;
    TRY(centre_copy(c, &copy, err));
    if (copy.on)
        (void)snprintf(out, COPY_PATH_BYTES + sizeof "/" COPY_NAME, "%s/%s", copy.dir, COPY_NAME);
    return ST_OK;
}

/* ------------------------------------------------------------------ writing */

static enum status put_record(struct centre *c, size_t number, const struct key_record *r,
                              struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "INSERT INTO secret_org_key(number, old_public, new_public, time_ms, seq,"
                   " by_old, by_new, voucher, added, person) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   &s, err));
    db_bind_int(s, 1, (int64_t)number);
    db_bind_blob(s, 2, slice_of(r->change.old_public, SIGN_PUBLIC_BYTES));
    db_bind_blob(s, 3, slice_of(r->change.new_public, SIGN_PUBLIC_BYTES));
    db_bind_int(s, 4, r->change.time_ms);
    db_bind_int(s, 5, r->change.seq);
    db_bind_blob(s, 6, slice_of(r->change.by_old, SIGN_BYTES));
    db_bind_blob(s, 7, slice_of(r->change.by_new, SIGN_BYTES));
    db_bind_blob(s, 8, slice_of(r->voucher, MAC_STATE_BYTES));
    db_bind_int(s, 9, r->added);
    db_bind_text(s, 10, slice_from(r->person));
    return db_run(s, err);
}

/* The newest key takes the place of the one before; what the laptops had agreed with that is
 * forgotten. */
static enum status put_key(struct centre *c, const uint8_t seed[SIGN_SEED_BYTES], size_t changes,
                           struct err *err) {
    TRY(store_setting_set(c->store, SETTING_SEED, slice_of(seed, SIGN_SEED_BYTES), err));
    TRY(meta_int_set(c->db, SETTING_CHANGES, (int64_t)changes, err));
    TRY(db_exec(c->db, "UPDATE device SET session_key = NULL, key_until_ms = 0", err));
    TRY(centre_added_sign(c, err));
    centre_forget(c);
    return centre_refresh(c, err);
}

/* The copy's folder is a second place: what cannot be written there now, the next opening writes.
 */
static enum status put_files(struct centre *c, const struct key_records *records,
                             const uint8_t seed[SIGN_SEED_BYTES], struct err *err) {
    char path[KEYS_PATH_BYTES], copied[COPY_PATH_BYTES + sizeof "/" COPY_NAME];
    TRY(keys_path(c->store->path, path, err));
    TRY(copy_path(c, copied, err));
    TRY(keys_file_write(path, records, seed, err));
    if (copied[0]) (void)keys_file_write(copied, records, seed, NULL);
    return ST_OK;
}

/* ------------------------------------------------------------------ the change */

struct changing {
    struct arena mem;
    struct key_record *record;
    struct slice person;
    uint8_t seed[SIGN_SEED_BYTES];
};

static enum status make_record(struct centre *c, struct changing *it,
                               const struct key_records *known, struct err *err) {
    struct key_record *r = it->record;
    struct centre_org org;
    uint8_t first[SIGN_PUBLIC_BYTES];
    TRY(centre_key_first(c, first, err));
    TRY(centre_added_greatest(c, &r->added, err));
    TRY(centre_org(c, &org, err));
    r->change.time_ms = centre_now(c);
    r->change.seq = centre_next_seq(c);
    text_put(r->person, sizeof r->person, it->person);
    mac_prepare(slice_of(org.key_seed, SIGN_SEED_BYTES), r->voucher);
    struct sign_key from = sign_key_from_seed(org.key_seed), to = sign_key_from_seed(it->seed);
    key_change_make(&r->change, first, (uint32_t)known->count + 1, &from, &to);
    bytes_wipe(&from, sizeof from);
    bytes_wipe(&to, sizeof to);
    bytes_wipe(&org, sizeof org);
    return ST_OK;
}

static enum status change_key(struct centre *c, void *ctx, struct err *err) {
    struct changing *it = ctx;
    struct key_records known;
    struct log_entry entry = {.seq = centre_next_seq(c), .time_ms = centre_now(c), .kind = LOG_KEY};
    TRY(centre_keys(c, &it->mem, &known, err));
    if (known.count == KEY_CHANGES_MAX)
        return err_set(err, ST_TOO_LARGE, "the org's key was changed %d times: it cannot be again",
                       "组织密钥已更换 %d 次，不能再更换", KEY_CHANGES_MAX);
    c->env->random(c->env->ctx, it->seed, sizeof it->seed);
    TRY(make_record(c, it, &known, err));
    TRY(put_record(c, known.count + 1, it->record, err));
    TRY(put_key(c, it->seed, known.count + 1, err));
    TRY(centre_log_add(c, &entry, err));
    known.items[known.count++] = *it->record;
    return put_files(c, &known, it->seed, err); /* before the commit: the next opening applies it */
}

enum status centre_key_change(struct centre *c, struct slice person, struct key_record *out,
                              struct err *err) {
    struct key_record record = {0};
    struct changing it = {.mem = arena_new(KEYS_MEMORY), .record = &record, .person = person};
    enum status status = centre_write(c, change_key, &it, err);
    bytes_wipe(it.seed, sizeof it.seed);
    arena_clear(&it.mem);
    if (status == ST_OK) *out = record;
    return status;
}

/* ------------------------------------------------------------------ what is left on the disk */

/* Of the engine's log, which nobody locks. Blocks overlap, so that what lies across two is found.
 */
static enum status has_bytes(const char *path, const uint8_t seed[SIGN_SEED_BYTES], bool *out,
                             struct err *err) {
    uint8_t *block = malloc(SCRUB_BLOCK);
    enum status status = block ? ST_OK : err_no_memory(err);
    size_t got = SCRUB_BLOCK;
    int64_t at = 0;
    *out = false;
    while (status == ST_OK && got == SCRUB_BLOCK && !*out) {
        status = platform_read_at(path, at, block, SCRUB_BLOCK, &got, err);
        *out = status == ST_OK && memmem(block, got, seed, SIGN_SEED_BYTES) != NULL;
        at += SCRUB_BLOCK - SIGN_SEED_BYTES;
    }
    if (block) bytes_wipe(block, SCRUB_BLOCK);
    free(block);
    return status;
}

static enum status is_left(struct centre *c, const uint8_t seed[SIGN_SEED_BYTES], bool *out_book,
                           bool *out_log, struct err *err) {
    char log[KEYS_PATH_BYTES];
    *out_log = false;
    TRY(db_file_has(c->db, slice_of(seed, SIGN_SEED_BYTES), out_book, err));
    if (snprintf(log, sizeof log, "%s-wal", c->store->path) >= (int)sizeof log) return ST_OK;
    return platform_exists(log) ? has_bytes(log, seed, out_log, err) : ST_OK;
}

/* The engine's log is emptied when no reader is in the way; that takes moments. */
static enum status empty_log(struct centre *c, struct err *err) {
    bool done = false;
    for (int i = 0; i < SCRUB_TRIES && !done; i++) {
        TRY(db_checkpoint_all(c->db, &done, err));
        if (!done) db_let_others();
    }
    return ST_OK;
}

/* What the engine only moved stays in the unused part of a page: then the file is written anew. */
enum status centre_key_scrub(struct centre *c, const uint8_t seed[SIGN_SEED_BYTES], bool *out_clean,
                             struct err *err) {
    bool book, log;
    TRY(empty_log(c, err));
    TRY(is_left(c, seed, &book, &log, err));
    if (book) {
        TRY(db_exec(c->db, "VACUUM", err));
        TRY(empty_log(c, err));
        TRY(is_left(c, seed, &book, &log, err));
    }
    *out_clean = !book && !log;
    return ST_OK;
}

/* ------------------------------------------------------------------ at each opening */

static enum status not_ours(const char *path, struct err *err) {
    return err_set(err, ST_CONFLICT,
                   "%s has keys of another org, or of another life of this one: put the right one "
                   "there, or move it away if this book is the newest (SECURITY.md, Keys)",
                   "%s 中的密钥不属于本组织的账本：请放回正确的文件；若本账本是最新的，请将其移走",
                   path);
}

static enum status damaged(const char *path, struct err *err) {
    return err_set(err, ST_DAMAGED,
                   "%s cannot be read: put it back from a copy, or move it away if this book is "
                   "the newest (SECURITY.md, Keys)",
                   "%s 无法读取：请从副本恢复；若本账本是最新的，请将其移走", path);
}

/* What both have is the same, and the file goes on from the key that the book has. */
static enum status check_joins(struct centre *c, const struct keys_file *file,
                               const struct key_records *known, const char *path, struct err *err) {
    uint8_t now[SIGN_PUBLIC_BYTES];
    size_t both = file->records.count < known->count ? file->records.count : known->count;
    for (size_t i = 0; i < both; i++)
        if (memcmp(file->records.items[i].change.new_public, known->items[i].change.new_public,
                   SIGN_PUBLIC_BYTES) != 0)
            return not_ours(path, err);
    if (file->records.count <= known->count) return ST_OK;
    TRY(centre_key_now(c, now, err));
    const uint8_t *from = file->records.items[known->count].change.old_public;
    return memcmp(from, now, SIGN_PUBLIC_BYTES) == 0 ? ST_OK : not_ours(path, err);
}

struct places { /* beside the book, and in the copy's folder */
    char path[2][COPY_PATH_BYTES + KEYS_PATH_BYTES];
    struct keys_file file[2];
};

static enum status read_places(struct centre *c, struct arena *mem, struct places *p,
                               struct err *err) {
    TRY(keys_path(c->store->path, p->path[0], err));
    TRY(copy_path(c, p->path[1], err));
    TRY(keys_file_read(p->path[0], mem, &p->file[0], err));
    if (p->path[1][0]) TRY(keys_file_read(p->path[1], mem, &p->file[1], err));
    return ST_OK;
}

/* An unsound file counts as empty, so that the other one, or the book, is written over it. */
static enum status look(struct centre *c, struct arena *mem, struct places *p,
                        struct key_records *known, struct err *err) {
    memset(p, 0, sizeof *p);
    TRY(read_places(c, mem, p, err));
    for (int i = 0; i < 2; i++)
        if (!p->file[i].is_sound) p->file[i].records.count = 0;
    return centre_keys(c, mem, known, err);
}

static bool is_settled(const struct places *p, const struct key_records *known) {
    bool settled = true;
    for (int i = 0; i < 2; i++)
        if (p->path[i][0])
            settled = settled && p->file[i].is_there == p->file[i].is_sound &&
                      p->file[i].records.count == known->count;
    if (known->count == 0 || !settled) return settled;
    for (int i = 0; i < 2; i++) /* two lives of one org may have as many */
        if (p->path[i][0])
            settled =
                settled &&
                memcmp(p->file[i].records.items[known->count - 1].change.new_public,
                       known->items[known->count - 1].change.new_public, SIGN_PUBLIC_BYTES) == 0;
    return settled;
}

struct settling {
    struct arena mem;
    struct places p;
    struct key_records known;
    uint8_t before[SIGN_SEED_BYTES]; /* of a book that knew less */
    int64_t applied;
};

static enum status apply(struct centre *c, struct settling *it, const struct keys_file *file,
                         struct err *err) {
    struct centre_org org;
    TRY(centre_org(c, &org, err));
    memcpy(it->before, org.key_seed, sizeof it->before);
    bytes_wipe(&org, sizeof org);
    for (size_t i = it->known.count; i < file->records.count; i++)
        TRY(put_record(c, i + 1, &file->records.items[i], err));
    it->applied = (int64_t)(file->records.count - it->known.count);
    TRY(put_key(c, file->seed, file->records.count, err));
    return centre_keys(c, &it->mem, &it->known, err);
}

static enum status write_down(struct centre *c, const struct settling *it, struct err *err) {
    struct centre_org org;
    enum status status = ST_OK;
    if (it->known.count == 0) return ST_OK;
    TRY(centre_org(c, &org, err));
    for (int i = 0; i < 2; i++) {
        if (!it->p.path[i][0] || it->p.file[i].records.count >= it->known.count) continue;
        enum status put = keys_file_write(it->p.path[i], &it->known, org.key_seed, err);
        if (i == 0) status = put; /* a copy's folder that is away does not stop the server */
    }
    bytes_wipe(&org, sizeof org);
    return status;
}

/* As things are while nobody else writes. */
static enum status settle(struct centre *c, void *ctx, struct err *err) {
    struct settling *it = ctx;
    struct places *p = &it->p;
    TRY(look(c, &it->mem, p, &it->known, err));
    size_t newest = p->file[1].records.count > p->file[0].records.count;
    if (p->file[0].is_there && !p->file[0].is_sound && !p->file[newest].is_sound)
        return damaged(p->path[0], err);
    for (int i = 0; i < 2; i++)
        if (p->file[i].is_sound) TRY(check_joins(c, &p->file[i], &it->known, p->path[i], err));
    if (p->file[newest].records.count > it->known.count) TRY(apply(c, it, &p->file[newest], err));
    return write_down(c, it, err);
}

enum status centre_keys_ready(struct centre *c, int64_t *out_applied, struct err *err) {
    struct settling *it = calloc(1, sizeof *it);
    bool clean;
    if (!it) return err_no_memory(err);
    it->mem = arena_new(KEYS_MEMORY);
    enum status status = look(c, &it->mem, &it->p, &it->known, err);
    if (status == ST_OK && !is_settled(&it->p, &it->known))
        status = centre_write(c, settle, it, err);
    if (status == ST_OK && it->applied > 0) status = centre_key_scrub(c, it->before, &clean, err);
    if (status == ST_OK) *out_applied = it->applied;
    arena_clear(&it->mem);
    bytes_wipe(it, sizeof *it);
    free(it);
    return status;
}

/* ------------------------------------------------------------------ from elsewhere */

static enum status adopt(const char *from, const char *to, struct err *err) {
    struct arena mem = arena_new(KEYS_MEMORY);
    struct keys_file a = {0}, b = {0};
    enum status status = keys_file_read(from, &mem, &a, err);
    if (status == ST_OK) status = keys_file_read(to, &mem, &b, err);
    if (status == ST_OK && a.is_sound && (!b.is_there || a.records.count > b.records.count))
        status = keys_file_write(to, &a.records, a.seed, err);
    bytes_wipe(a.seed, sizeof a.seed);
    bytes_wipe(b.seed, sizeof b.seed);
    arena_clear(&mem);
    return status;
}

enum status keys_adopt(const char *from_book, const char *to_book, struct err *err) {
    char from[KEYS_PATH_BYTES], to[KEYS_PATH_BYTES];
    TRY(keys_path(from_book, from, err));
    TRY(keys_path(to_book, to, err));
    return strcmp(from, to) != 0 ? adopt(from, to, err) : ST_OK;
}

enum status centre_keys_fit(struct centre *c, const char *book_path, struct err *err) {
    struct arena mem = arena_new(KEYS_MEMORY);
    char path[KEYS_PATH_BYTES];
    struct keys_file file = {0};
    struct key_records known;
    enum status status = keys_path(book_path, path, err);
    if (status == ST_OK) status = keys_file_read(path, &mem, &file, err);
    if (status == ST_OK) status = centre_keys(c, &mem, &known, err);
    if (status == ST_OK && file.is_there)
        status = file.is_sound ? check_joins(c, &file, &known, path, err) : damaged(path, err);
    bytes_wipe(file.seed, sizeof file.seed);
    arena_clear(&mem);
    return status;
}

enum status keys_from_copy(const char *dir, const char *book_path, struct err *err) {
    char from[KEYS_PATH_BYTES], to[KEYS_PATH_BYTES];
    if (snprintf(from, sizeof from, "%s/" COPY_NAME, dir) >= (int)sizeof from) return ST_OK;
    TRY(keys_path(book_path, to, err));
    return adopt(from, to, err);
}

/* ------------------------------------------------------------------ verify */

static void verify_file(const struct places *p, int i, size_t known, struct buf *out) {
    const struct keys_file *file = &p->file[i];
    if (!p->path[i][0] || (!file->is_there && known == 0)) return;
    if (!file->is_there)
        buf_printf(out, "keys: %s is missing\n", p->path[i]);
    else if (!file->is_sound)
        buf_printf(out, "keys: %s cannot be read\n", p->path[i]);
    else if (file->records.count != known)
        buf_printf(out, "keys: %s knows of %zu changes of the org's key, this book of %zu\n",
                   p->path[i], file->records.count, known);
}

static enum status verify_all(struct centre *c, struct places *p, struct arena *mem,
                              struct buf *out, struct err *err) {
    struct key_records known;
    uint8_t now[SIGN_PUBLIC_BYTES];
    TRY(centre_keys(c, mem, &known, err));
    TRY(centre_key_now(c, now, err));
    for (size_t i = 0; i < known.count; i++) {
        const struct key_change *it = &known.items[i].change;
        const uint8_t *next = i + 1 < known.count ? known.items[i + 1].change.old_public : now;
        if (memcmp(it->new_public, next, SIGN_PUBLIC_BYTES) != 0)
            buf_printf(out, "keys: change %zu does not lead to the next key\n", i + 1);
        if (!key_change_is_signed(it, known.items[0].change.old_public, (uint32_t)i + 1))
            buf_printf(out, "keys: change %zu is not signed by both keys\n", i + 1);
    }
    TRY(read_places(c, mem, p, err));
    for (int i = 0; i < 2; i++) {
        verify_file(p, i, known.count, out);
        if (p->file[i].is_sound && check_joins(c, &p->file[i], &known, p->path[i], NULL) != ST_OK)
            buf_printf(out, "keys: %s is of another org, or of another life of this one\n",
                       p->path[i]);
    }
    return buf_status(out, err);
}

enum status centre_keys_verify(struct centre *c, struct buf *out_findings, struct err *err) {
    struct arena mem = arena_new(KEYS_MEMORY);
    struct places *p = calloc(1, sizeof *p);
    enum status status = p ? verify_all(c, p, &mem, out_findings, err) : err_no_memory(err);
    if (p) bytes_wipe(p, sizeof *p);
    free(p);
    arena_clear(&mem);
    return status;
}
