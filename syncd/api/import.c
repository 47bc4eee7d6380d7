/* An import: a file becomes rows, in as many batches as it takes.
 *
 * Reports are held back until their batch is committed, so that nothing is reported that a full
 * disk then undoes. Texts of references and keys of rows are read into hash tables once; a row
 * costs no query but for the one it updates.
 */
#include "syncd/api/import.h"

#include <string.h>

enum {
    KNOWN_BYTES_MAX = 768 * 1024 * 1024, /* keys of some five million rows */
    BATCH_MEMORY_MAX = 256 * 1024 * 1024,
    BATCH_MEMORY_FULL = 32 * 1024 * 1024, /* of reports and values: time to commit */
    ROW_MEMORY_MAX =
        64 * 1024 * 1024, /* 500 fields of a megabyte do not fit: such a row is refused */
    PROGRESS_ROWS = 64    /* often enough for a bar that moves */
};

struct import_note {
    struct import_note *next;
    struct import_row row;
};

/* ------------------------------------------------------------------ reports */

static enum status tell(struct import *im, const struct import_row *row, struct err *err) {
    im->totals.rows[row->fate]++;
    return im->report ? im->report(im->ctx, row, err) : ST_OK;
}

static enum status tell_all(struct import *im, struct err *err) {
    for (const struct import_note *n = im->first; n; n = n->next) TRY(tell(im, &n->row, err));
    return ST_OK;
}

static enum status note(struct import *im, const struct import_row *row, struct err *err) {
    if (!im->open) return tell(im, row, err);
    struct import_note *n = ARENA_NEW(&im->batch_mem, struct import_note);
    if (!n) return err_no_memory(err);
    n->row = *row;
    if (im->last)
        im->last->next = n;
    else
        im->first = n;
    im->last = n;
    return ST_OK;
}

/* ------------------------------------------------------------------ batches */

static void forget_batch(struct import *im) {
    arena_clear(&im->batch_mem);
    im->touched = lookup_new(&im->batch_mem);
    im->first = im->last = NULL;
}

enum status import_ensure_open(struct import *im, struct err *err) {
    if (im->open) return ST_OK;
    TRY(im->writer->begin(im->writer->ctx, err));
    im->open = true;
    return ST_OK;
}

enum status import_flush(struct import *im, struct err *err) {
    if (im->open) {
        TRY(im->writer->commit(im->writer->ctx, err));
        im->open = false;
        im->totals.batches++;
    }
    TRY(tell_all(im, err));
    forget_batch(im);
    return ST_OK;
}

/* ------------------------------------------------------------------ what is there */

struct directory *import_directory(const struct import *im, const char *entity) {
    for (size_t i = 0; i < ENTITY_COUNT_MAX && im->directories[i]; i++)
        if (strcmp(directory_entity(im->directories[i])->name, entity) == 0)
            return im->directories[i];
    return NULL;
}

static enum status open_directories(struct import *im, struct err *err) {
    size_t count = 0;
    for (size_t i = 0; i < im->mapping.count; i++) {
        const struct field *f = im->mapping.fields[i];
        if (!f || !f->refers_to || import_directory(im, f->refers_to)) continue;
        const struct entity *e =
            catalogue_entity(store_catalogue(im->book->store), slice_from(f->refers_to));
        if (!e)
            return err_set(err, ST_INTERNAL, "%s refers to nothing", "%s 没有引用对象", f->name);
        TRY(directory_open(im->book->store, e, &im->directories[count], err));
        count++;
    }
    return ST_OK;
}

static bool has_column(const struct import *im, const struct field *f) {
    for (size_t i = 0; i < im->mapping.count; i++)
        if (im->mapping.fields[i] == f) return true;
    return false;
}

static enum status add_known(void *ctx, const struct row *row, struct err *err) {
    struct import *im = ctx;
    struct buf key SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    if (!import_match_key(im, row->values, &key)) return ST_OK;
    TRY(buf_status(&key, err));
    size_t before = im->known.count;
    struct lookup_entry *entry = lookup_put(&im->known, buf_slice(&key));
    if (!entry) return err_no_memory(err);
    entry->number = im->known.count > before ? row->id : 0;
    return ST_OK;
}

/* The natural key finds rows if nothing else is said; without a column for each of its fields
 * nothing is looked for, and the store says what is missing. */
static enum status choose_match(struct import *im, struct err *err) {
    const struct import_options *o = im->options;
    if (o->match_id) return ST_OK;
    if (o->match) {
        if (!has_column(im, o->match))
            return err_set(err, ST_USAGE,
                           "no column of the file is %s, by which rows are to be found",
                           "文件中没有用于匹配的列 %s", o->match->name);
        im->match[im->match_count++] = o->match;
    }
    bool any = false;
    for (size_t i = 0; !o->match && i < ENTITY_KEY_MAX && o->entity->key[i]; i++) {
        im->match[im->match_count] = entity_field(o->entity, slice_from(o->entity->key[i]));
        any |= has_column(im, im->match[im->match_count++]);
    }
    if (!o->match && !any) im->match_count = 0;
    if (im->match_count == 0 && o->mode == IMPORT_UPDATE_ONLY)
        return err_set(err, ST_USAGE, "say by which field rows are found: --match",
                       "请用 --match 指定匹配字段");
    return ST_OK;
}

static enum status load_known(struct import *im, struct err *err) {
    struct query all = {.entity = im->options->entity};
    TRY(choose_match(im, err));
    return im->match_count > 0 ? store_list(im->book->store, &all, add_known, im, err) : ST_OK;
}

enum status import_match(struct import_options *options, const char *typed, struct err *err) {
    if (!typed) return ST_OK;
    options->match_id = strcmp(typed, "id") == 0;
    return options->match_id ? ST_OK
                             : api_field(options->entity, slice_from(typed), &options->match, err);
}

/* ------------------------------------------------------------------ the run */

static enum status read_head(struct import *im, struct arena *mem, struct err *err) {
    const struct slice *head;
    size_t count;
    int64_t line;
    TRY(csv_open(im->options->bytes, im->options->encoding, &im->csv, err));
    im->totals.encoding = strcmp(csv_encoding(im->csv), "utf-8") == 0     ? "utf-8"
                          : strcmp(csv_encoding(im->csv), "gb18030") == 0 ? "gb18030"
                                                                          : "utf-16";
    TRY(csv_next(im->csv, &head, &count, &line, err));
    if (count == 0) return err_set(err, ST_INVALID, "the file is empty", "文件是空的");
    return mapping_make(im->options, im->book->lang, head, count, mem, &im->mapping,
                        &im->totals.mapping, err);
}

static bool go_on(struct import *im) {
    int64_t total, done = csv_position(im->csv, &total);
    return !im->progress || im->progress(im->ctx, done, total);
}

/* *out_done: the file is at its end. */
static enum status take_next(struct import *im, struct arena *mem, bool *out_done,
                             struct err *err) {
    const struct slice *cells;
    struct import_row row = {.line = 0};
    size_t count;
    arena_clear(mem);
    TRY(csv_next(im->csv, &cells, &count, &row.line, err));
    *out_done = count == 0;
    if (*out_done) return ST_OK;
    TRY(import_row_take(im, cells, count, mem, &row, err));
    TRY(note(im, &row, err));
    return im->batch_mem.used > BATCH_MEMORY_FULL ? import_flush(im, err) : ST_OK;
}

static enum status take_all(struct import *im, bool *out_stopped, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(ROW_MEMORY_MAX);
    bool done = false, stopped = false;
    for (int64_t rows = 1; !done && !stopped; rows++) {
        TRY(take_next(im, &mem, &done, err));
        if (done || rows % PROGRESS_ROWS == 0) stopped = !go_on(im) && !done;
    }
    *out_stopped = stopped;
    return import_flush(im, err);
}

static enum status run(struct import *im, struct arena *mem, bool *out_stopped, struct err *err) {
    TRY(read_head(im, mem, err));
    TRY(open_directories(im, err));
    TRY(load_known(im, err));
    return take_all(im, out_stopped, err);
}

static void close_all(struct import *im) {
    if (im->open) im->writer->rollback(im->writer->ctx);
    for (size_t i = 0; i < ENTITY_COUNT_MAX; i++) directory_close(im->directories[i]);
    arena_clear(&im->known_mem);
    arena_clear(&im->batch_mem);
    csv_close(im->csv);
}

enum status import_run(const struct api_book *book, const struct api_writer *writer,
                       const struct import_options *options, import_report *report,
                       import_progress *progress, void *ctx, struct arena *mem,
                       struct import_totals *out, struct err *err) {
    struct import *im = ARENA_NEW(mem, struct import);
    bool stopped = false;
    if (!im) return err_no_memory(err);
    *im = (struct import){.book = book,
                          .writer = writer,
                          .options = options,
                          .report = report,
                          .progress = progress,
                          .ctx = ctx,
                          .known_mem = arena_new(KNOWN_BYTES_MAX),
                          .batch_mem = arena_new(BATCH_MEMORY_MAX)};
    im->known = lookup_new(&im->known_mem);
    im->touched = lookup_new(&im->batch_mem);
    enum status status = run(im, mem, &stopped, err);
    if (status == ST_OK) *out = im->totals;
    close_all(im);
    if (status == ST_OK && stopped)
        return err_set(err, ST_CANCELLED, "stopped; the rows reported so far are in",
                       "已停止；已报告的行均已导入");
    return status;
}
