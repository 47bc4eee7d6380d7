#include "tests/unit/api_world.h"

#include <string.h>

/* ------------------------------------------------------------------ the writer */

static enum status begin(void *ctx, struct err *err) {
    struct api_world *a = ctx;
    TRY(store_begin(a->w.store, err));
    store_batch_import(a->w.store, 77);
    a->in_batch = 0;
    return ST_OK;
}

static enum status room(struct api_world *a, struct err *err) {
    if (a->batch_rows_max == 0 || a->in_batch < a->batch_rows_max) return ST_OK;
    return err_set(err, ST_TOO_LARGE, "the batch is full", "批次已满");
}

static enum status create(void *ctx, const struct entity *e, const struct field_edit *edits, size_t count,
                          int64_t *out_id, struct err *err) {
    struct api_world *a = ctx;
    TRY(room(a, err));
    TRY(store_create(a->w.store, e, edits, count, out_id, err));
    a->in_batch++;
    return ST_OK;
}

static enum status edit(void *ctx, const struct entity *e, int64_t id, const struct field_edit *edits, size_t count,
                        bool *out_changed, struct err *err) {
    struct api_world *a = ctx;
    TRY(room(a, err));
    TRY(store_edit(a->w.store, e, id, edits, count, NULL, out_changed, err));
    a->in_batch++;
    return ST_OK;
}

static enum status commit(void *ctx, struct err *err) {
    struct api_world *a = ctx;
    uint32_t batch;
    if (a->commit_fails) return err_set(err, ST_DISK, "the disk is full", "磁盘已满");
    return store_commit(a->w.store, &batch, err);
}

static void rollback(void *ctx) {
    store_rollback(((struct api_world *)ctx)->w.store);
}

/* ------------------------------------------------------------------ the world */

void api_start(struct api_world *a) {
    *a = (struct api_world){.last_id = 0};
    world_start(&a->w);
    a->book = (struct api_book){.store = a->w.store, .lang = LANG_EN, .utc_offset_min = 480};
    a->writer = (struct api_writer){a, begin, create, edit, commit, rollback};
    a->report = buf_new(BUF_MAX_FILE);
}

void api_stop(struct api_world *a) {
    buf_free(&a->report);
    world_stop(&a->w);
}

struct import_options api_options(struct api_world *a, const char *entity, const char *text) {
    return (struct import_options){.entity = world_entity(&a->w, entity), .bytes = slice_from(text)};
}

static enum status report(void *ctx, const struct import_row *row, struct err *err) {
    static const char SIGNS[IMPORT_FATES] = {'+', '~', '=', '!'};
    struct api_world *a = ctx;
    (void)err;
    buf_printf(&a->report, "%s%lld%c", a->report.len > 0 ? " " : "", (long long)row->line, SIGNS[row->fate]);
    if (row->fate == IMPORT_REFUSED) a->why = row->why;
    a->last_id = row->id;
    return ST_OK;
}

static bool progress(void *ctx, int64_t done, int64_t total) {
    struct api_world *a = ctx;
    CHECK(done <= total);
    a->progress_count++;
    return a->stop_after == 0 || a->progress_count < a->stop_after;
}

enum status api_try(struct api_world *a, const struct import_options *options, struct err *err) {
    buf_reset(&a->report);
    a->progress_count = 0;
    return import_run(&a->book, &a->writer, options, report, progress, a, &a->w.f.mem, &a->totals, err);
}

void api_take(struct api_world *a, const char *entity, const char *text, const char *expected) {
    struct err err;
    struct import_options options = api_options(a, entity, text);
    CHECK_OK(api_try(a, &options, &err));
    CHECK_TEXT(buf_text(&a->report), expected);
}

void api_take_by(struct api_world *a, const char *entity, const char *match, const char *text, const char *expected) {
    struct err err;
    struct import_options options = api_options(a, entity, text);
    options.match = fixture_field(options.entity, match);
    CHECK_OK(api_try(a, &options, &err));
    CHECK_TEXT(buf_text(&a->report), expected);
}

int64_t api_rows(struct api_world *a, const char *entity) {
    struct query all = {.entity = world_entity(&a->w, entity)};
    struct err err;
    int64_t count = -1;
    CHECK_OK(store_count(a->w.store, &all, &count, &err));
    return count;
}

static enum status take_id(void *ctx, const struct row *row, struct err *err) {
    (void)err;
    *(int64_t *)ctx = row->id;
    return ST_OK;
}

int64_t api_row(struct api_world *a, const char *entity, const char *field, const char *text) {
    const struct entity *e = world_entity(&a->w, entity);
    struct condition is = {.field = fixture_field(e, field), .compare = COMPARE_EQ, .value = text_value(text)};
    struct query q = {.entity = e, .conditions = &is, .condition_count = 1};
    struct err err;
    int64_t id = 0;
    CHECK_OK(store_list(a->w.store, &q, take_id, &id, &err));
    return id;
}

void api_shows(struct api_world *a, const char *entity, const char *by, const char *text, const char *field,
               const char *expected) {
    const struct field *f = fixture_field(world_entity(&a->w, entity), field);
    struct slice shown;
    struct row row;
    struct err err;
    CHECK_OK(store_get(a->w.store, world_entity(&a->w, entity), api_row(a, entity, by, text), &a->w.f.mem, &row, &err));
    struct value v = row.values[entity_field_index(row.entity, f)];
    CHECK_OK(api_value_text(&a->book, f, v, &a->w.f.mem, &shown, &err));
    CHECK_SLICES(shown, slice_from(expected));
}
