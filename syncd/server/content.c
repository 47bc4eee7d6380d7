/* Contents of attachments at the centre. content.h says what for. */
#include "syncd/server/content.h"

#include <stdio.h>
#include <string.h>

#include "syncd/server/reply.h"

#define SETTING_FILE "content.file_bytes"
#define SETTING_ORG "content.org_bytes"
#define MARK_UNNAMED "unnamed" /* no living row names the content, since the mark was made */

enum { MS_A_DAY = 24 * 3600 * 1000, CONTENT_WORK_BYTES_MAX = 64 * 1024 * 1024 };

enum status content_folder(const char *org_path, struct blobs *out, struct err *err) {
    char dir[BLOB_PATH_BYTES];
    size_t len = strlen(org_path);
    if (len > 3 && strcmp(org_path + len - 3, ".db") == 0) len -= 3;
    int n = snprintf(dir, sizeof dir, "%.*s.blob", (int)len, org_path);
    if (n < 0 || (size_t)n >= sizeof dir)
        return err_set(err, ST_INVALID, "the path is too long: %s", "路径过长：%s", org_path);
    return blobs_at(dir, out, err);
}

/* ------------------------------------------------------------------ limits */

static enum status limit_read(struct store *store, const char *name, int64_t otherwise,
                              int64_t *out, struct err *err) {
    SCOPED(arena_clear) struct arena mem = arena_new(BUF_MAX_LINE);
    struct slice text;
    enum status status = store_setting(store, name, &mem, &text, err);
    if (status != ST_OK && status != ST_NOT_FOUND) return status;
    if (status != ST_OK || !text_to_int(text, out)) *out = otherwise;
    return ST_OK;
}

enum status content_limits(struct store *store, struct content_limits *out, struct err *err) {
    struct content_limits limits;
    TRY(limit_read(store, SETTING_FILE, CONTENT_FILE_BYTES_MAX, &limits.file_bytes, err));
    TRY(limit_read(store, SETTING_ORG, CONTENT_ORG_BYTES_MAX, &limits.org_bytes, err));
    *out = limits;
    return ST_OK;
}

static enum status limit_write(struct store *store, const char *name, int64_t value,
                               struct err *err) {
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)value);
    return store_setting_set(store, name, slice_from(text), err);
}

enum status content_limits_set(struct store *store, const struct content_limits *limits,
                               struct err *err) {
    TRY(limit_write(store, SETTING_FILE, limits->file_bytes, err));
    return limit_write(store, SETTING_ORG, limits->org_bytes, err);
}

/* ------------------------------------------------------------------ who may */

struct asker {
    struct view view;
    uint32_t device;
    bool brings, may;
};

/* Stops at the first row that says yes. */
static enum status judge_row(void *ctx, const struct attachment *attachment, struct err *err) {
    struct asker *a = ctx;
    const struct entity *e = attachment_entity(centre_catalogue(a->view.c));
    a->may = a->brings && attachment_device(attachment->row) == a->device;
    if (!a->may) TRY(view_sees_row(&a->view, e, attachment->row, &a->may, err));
    return a->may ? err_set(err, ST_CANCELLED, "found one", "已找到") : ST_OK;
}

enum status content_may(struct centre *c, const struct centre_device *device,
                        const struct hash *content, bool brings, struct err *err) {
    SCOPED(arena_clear) struct arena mem = arena_new(CONTENT_WORK_BYTES_MAX);
    struct asker a = {.device = device->number, .brings = brings};
    TRY(view_open(c, device, &mem, &a.view, err));
    enum status status = attachment_list(centre_store(c), content, false, judge_row, &a, err);
    if (a.may) return ST_OK;
    TRY(status);
    return err_set(err, ST_NOT_FOUND,
                   "no attachment that you see has that content: its row was deleted, was not "
                   "taken, or has not come in yet",
                   "您可见的附件中没有该内容：其记录已删除、未被接受或尚未同步");
}

/* ------------------------------------------------------------------ what the book says */

struct arrival {
    struct arena mem;
    struct change *changes; /* [BATCH_ROWS_MAX] */
    size_t count;
    int64_t arrived_ms;
};

static enum status note_row(void *ctx, const struct attachment *attachment, struct err *err) {
    struct arrival *a = ctx;
    bool says_so = (attachment->arrived_ms != 0) == (a->arrived_ms != 0);
    if (says_so || a->count == BATCH_ROWS_MAX) return ST_OK;
    struct edit *edit = ARENA_NEW(&a->mem, struct edit);
    struct value *value = ARENA_NEW(&a->mem, struct value);
    if (!edit || !value) return err_no_memory(err);
    *value = a->arrived_ms ? value_int(a->arrived_ms) : value_null();
    *edit = (struct edit){.cell_tag = ATTACHMENT_ARRIVED_AT, .values = value, .value_count = 1};
    a->changes[a->count++] = (struct change){.kind = CHANGE_EDIT,
                                             .entity_tag = ATTACHMENT_ENTITY,
                                             .row = attachment->row,
                                             .edits = edit,
                                             .edit_count = 1};
    return ST_OK;
}

static enum status arrival_save(struct org *org, const struct hash *content, struct arrival *a,
                                struct err *err) {
    struct receipt receipt;
    a->changes = ARENA_ARRAY(&a->mem, BATCH_ROWS_MAX, struct change);
    if (!a->changes) return err_no_memory(err);
    TRY(attachment_list(centre_store(org_centre(org)), content, false, note_row, a, err));
    if (a->count == 0) return ST_OK;
    return org_office_save(org, a->changes, a->count, 0, 0, SLICE("roadbook-server"), &a->mem,
                           &receipt, err);
}

enum status content_arrived(struct org *org, const struct hash *content, int64_t arrived_ms,
                            struct err *err) {
    struct arrival a = {.mem = arena_new(CONTENT_WORK_BYTES_MAX), .arrived_ms = arrived_ms};
    enum status status = arrival_save(org, content, &a, err);
    arena_clear(&a.mem);
    return status;
}

/* ------------------------------------------------------------------ what nobody needs any more */

struct sweep {
    struct store *store;
    const struct blobs *blobs;
    int64_t now_ms, age_ms;
    bool dry;
    struct content_swept *swept;
};

static void remove_found(struct sweep *s, const struct blob_found *found) {
    struct err ignored;
    s->swept->removed++;
    s->swept->bytes += found->bytes;
    if (s->dry) return;
    if (found->is_part)
        (void)blob_remove_part(s->blobs, &found->hash, found->owner, &ignored);
    else
        blob_remove(s->blobs, &found->hash, found->owner);
    blob_unmark(s->blobs, MARK_UNNAMED, &found->hash);
}

/* Since when is known by a mark that the first sweep makes. */
static enum status sweep_unnamed(struct sweep *s, const struct blob_found *found, struct err *err) {
    int64_t since_ms = blob_marked_ms(s->blobs, MARK_UNNAMED, &found->hash);
    if (s->age_ms == 0 || (since_ms > 0 && s->now_ms - since_ms >= s->age_ms)) {
        remove_found(s, found);
        return ST_OK;
    }
    s->swept->waiting++;
    if (since_ms > 0 || s->dry) return ST_OK;
    return blob_mark(s->blobs, MARK_UNNAMED, &found->hash, (struct slice){0}, err);
}

static enum status sweep_one(void *ctx, const struct blob_found *found, struct err *err) {
    struct sweep *s = ctx;
    bool named;
    if (found->is_part) {
        if (s->now_ms - found->written_ms >= s->age_ms) remove_found(s, found);
        return ST_OK;
    }
    TRY(attachment_is_named(s->store, &found->hash, &named, err));
    if (!named) return sweep_unnamed(s, found, err);
    if (!s->dry) blob_unmark(s->blobs, MARK_UNNAMED, &found->hash);
    return ST_OK;
}

enum status content_sweep(struct store *store, const struct blobs *blobs, int64_t now_ms,
                          int64_t days, bool dry, struct content_swept *out, struct err *err) {
    struct content_swept swept = {0};
    struct sweep s = {.store = store,
                      .blobs = blobs,
                      .now_ms = now_ms,
                      .age_ms = days * MS_A_DAY,
                      .dry = dry,
                      .swept = &swept};
    TRY(blob_walk(blobs, sweep_one, &s, err));
    *out = swept;
    return ST_OK;
}
