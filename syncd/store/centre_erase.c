/* The past of a row without its personal values. Everything that the file keeps beside the row
 * itself is read, the values are taken out, and it is written again: batches of the journal, of
 * which only the bytes change (chain, signature and outcomes stay, and say that they are reduced);
 * ledger, quarantine, old texts; images of the row from before it was merged or collected. The
 * engine overwrites what it frees.
 */
#include <stdlib.h>
#include <string.h>

#include "syncd/store/centre_compact.h"
#include "syncd/store/centre_private.h"

enum { ERASE_SCRATCH = 64 * 1024 * 1024, NAMES_MAX = 100000 };

struct erasing {
    struct centre *c;
    const struct entity *e;
    struct arena *mem;
    int64_t *ids; /* all that the row was ever called, ascending */
    size_t id_count;
    struct centre_erased *sum;
};

/* ------------------------------------------------------------------ which row, which cells */

static int by_id(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static enum status find_names(struct erasing *w, int64_t row, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(w->c->db,
                   "SELECT ?1 UNION SELECT from_id FROM alias WHERE to_id = ?1 UNION SELECT from_id"
                   " FROM united WHERE to_id = ?1 ORDER BY 1",
                   &s, err));
    db_bind_int(s, 1, row);
    TRY(centre_take_ids(s, w->mem, &w->ids, &w->id_count, err));
    qsort(w->ids, w->id_count, sizeof *w->ids, by_id);
    return ST_OK;
}

static bool is_named(const struct erasing *w, int64_t row) {
    return bsearch(&row, w->ids, w->id_count, sizeof *w->ids, by_id) != NULL;
}

static bool is_personal(const struct entity *e, uint32_t cell_tag) {
    const struct cell *cell = entity_cell(e, cell_tag);
    for (size_t i = 0; cell && i < cell->count; i++)
        if (e->fields[cell->first + i].personal) return true;
    return false;
}

/* A required text cannot be empty. */
static struct value nothing_in(const struct field *f) {
    return f->required && f->type == FIELD_TEXT ? value_text(SLICE(CENTRE_ERASED_TEXT))
                                                : value_null();
}

/* ------------------------------------------------------------------ changes */

static bool clean_change(const struct erasing *w, struct change *change) {
    bool touched = false;
    if (change->entity_tag != w->e->tag || !is_named(w, change->row)) return false;
    for (size_t i = 0; i < change->edit_count; i++) {
        struct edit *edit = &change->edits[i];
        if (!is_personal(w->e, edit->cell_tag)) continue;
        for (size_t k = 0; k < edit->value_count; k++) {
            touched = touched || edit->values[k].kind != VALUE_NULL;
            edit->values[k] = value_null();
        }
    }
    return touched;
}

struct batch_name {
    int64_t device, batch;
};

static enum status put_batch(struct erasing *w, const struct batch_name *name,
                             const struct batch *batch, struct err *err) {
    struct db_stmt *s;
    SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_MESSAGE);
    batch_write(batch, &bytes);
    TRY(buf_status(&bytes, err));
    TRY(db_prepare(w->c->db,
                   "UPDATE journal SET bytes = ?, reduced = 2 WHERE device = ? AND batch = ?", &s,
                   err));
    db_bind_blob(s, 1, buf_slice(&bytes));
    db_bind_int(s, 2, name->device);
    db_bind_int(s, 3, name->batch);
    w->sum->batches++;
    return db_run(s, err);
}

static enum status clean_batch(struct erasing *w, const struct batch_name *name,
                               struct arena *scratch, struct err *err) {
    struct journal_entry entry;
    struct batch batch;
    bool touched = false;
    enum status status =
        centre_journal(w->c, (uint32_t)name->device, (uint32_t)name->batch, scratch, &entry, err);
    if (status == ST_NOT_FOUND) return ST_OK;
    TRY(status);
    if (entry.reduced == JOURNAL_BARE) return ST_OK;
    TRY(batch_read(entry.bytes, scratch, &batch, err));
    for (size_t i = 0; i < batch.change_count; i++)
        if (clean_change(w, &batch.changes[i])) touched = true;
    return touched ? put_batch(w, name, &batch, err) : ST_OK;
}

/* The index of the log by row leaves creations out: one look at all of it. */
static enum status find_batches(struct erasing *w, int64_t row, struct batch_name **out,
                                size_t *out_count, struct err *err) {
    struct db_stmt *s;
    bool more;
    size_t count = 0;
    struct batch_name *names = ARENA_ARRAY(w->mem, NAMES_MAX, struct batch_name);
    if (!names) return err_no_memory(err);
    TRY(db_prepare(w->c->db,
                   "SELECT DISTINCT device, batch FROM log WHERE row = ? AND batch > 0"
                   " ORDER BY device, batch LIMIT ?",
                   &s, err));
    db_bind_int(s, 1, row);
    db_bind_int(s, 2, NAMES_MAX);
    enum status status = db_step(s, &more, err);
    while (status == ST_OK && more && count < NAMES_MAX) {
        names[count++] = (struct batch_name){db_int(s, 0), db_int(s, 1)};
        status = db_step(s, &more, err);
    }
    db_reset(s);
    *out = names;
    *out_count = count;
    return status;
}

static enum status clean_journal(struct erasing *w, int64_t row, struct err *err) {
    struct batch_name *names;
    size_t count;
    TRY(find_batches(w, row, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        struct arena scratch = arena_new(ERASE_SCRATCH);
        enum status status = clean_batch(w, &names[i], &scratch, err);
        arena_clear(&scratch);
        TRY(status);
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ quarantine */

static enum status put_content(struct erasing *w, const struct quarantine_entry *q,
                               const struct change *change, struct err *err) {
    struct db_stmt *s;
    SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_MESSAGE);
    change_write(change, &bytes);
    TRY(buf_status(&bytes, err));
    TRY(db_prepare(w->c->db,
                   "UPDATE quarantine SET content = ? WHERE device = ? AND batch = ? AND change = ?"
                   " AND cell = ?",
                   &s, err));
    db_bind_blob(s, 1, buf_slice(&bytes));
    db_bind_int(s, 2, q->device);
    db_bind_int(s, 3, q->id.batch);
    db_bind_int(s, 4, q->id.change);
    db_bind_int(s, 5, q->id.cell_tag);
    w->sum->held++;
    return db_run(s, err);
}

struct held_list {
    struct erasing *w;
    struct quarantine_entry *items;
    size_t count, room;
};

static enum status note_held(void *ctx, const struct quarantine_entry *q, struct err *err) {
    struct held_list *list = ctx;
    if (!is_named(list->w, q->row)) return ST_OK;
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 16;
        struct quarantine_entry *items = ARENA_ARRAY(list->w->mem, room, struct quarantine_entry);
        if (!items) return err_no_memory(err);
        if (list->count > 0) memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = *q;
    return ST_OK;
}

static enum status clean_held(struct erasing *w, struct err *err) {
    struct held_list list = {.w = w};
    TRY(centre_quarantine_list(w->c, true, w->mem, note_held, &list, err));
    for (size_t i = 0; i < list.count; i++) {
        struct change change;
        TRY(change_read(list.items[i].content, w->mem, &change, err));
        if (clean_change(w, &change)) TRY(put_content(w, &list.items[i], &change, err));
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ ledger and texts */

static enum status run_cell(struct erasing *w, const char *sql, int64_t row, uint32_t cell_tag,
                            int64_t *sum, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(w->c->db, sql, &s, err));
    db_bind_int(s, 1, row);
    db_bind_int(s, 2, cell_tag);
    TRY(db_run(s, err));
    *sum += db_changes(w->c->db);
    return ST_OK;
}

static enum status clean_cells(struct erasing *w, int64_t row, struct err *err) {
    for (size_t i = 0; i < w->e->cell_count; i++) {
        uint32_t tag = w->e->cells[i].tag;
        if (!is_personal(w->e, tag)) continue;
        TRY(run_cell(w,
                     "UPDATE ledger SET loser = NULL, winner = NULL WHERE row = ? AND cell = ? AND"
                     " (loser IS NOT NULL OR winner IS NOT NULL)",
                     row, tag, &w->sum->ledger, err));
        TRY(run_cell(w, "DELETE FROM text_version WHERE row = ? AND cell = ?", row, tag,
                     &w->sum->texts, err));
        TRY(run_cell(w, "DELETE FROM old_remove WHERE row = ? AND cell = ?", row, tag,
                     &w->sum->texts, err));
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ images of the row */

static enum status clean_values(struct erasing *w, struct slice bytes, struct buf *out,
                                struct err *err) {
    struct value *values;
    TRY(rows_image_read(w->e, bytes, w->mem, &values, err));
    for (size_t i = 0; i < w->e->field_count; i++)
        if (w->e->fields[i].personal) values[i] = nothing_in(&w->e->fields[i]);
    rows_image_write(w->e, values, true, out);
    return buf_status(out, err);
}

/* read: columns key and values of row ?1; write: values ?1 at key ?2. */
static enum status clean_image(struct erasing *w, int64_t row, const char *read, const char *write,
                               struct err *err) {
    struct db_stmt *s;
    int64_t *keys;
    size_t count;
    TRY(db_prepare(w->c->db, read, &s, err));
    db_bind_int(s, 1, row);
    db_bind_int(s, 2, 0);
    TRY(centre_take_ids(s, w->mem, &keys, &count, err));
    for (size_t i = 0; i < count; i++) {
        SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_MESSAGE);
        bool found;
        TRY(db_prepare(w->c->db, read, &s, err));
        db_bind_int(s, 1, row);
        db_bind_int(s, 2, keys[i]);
        TRY(db_step(s, &found, err));
        enum status status = found ? clean_values(w, db_blob(s, 1), &bytes, err) : ST_OK;
        db_reset(s);
        TRY(status);
        TRY(db_prepare(w->c->db, write, &s, err));
        db_bind_blob(s, 1, buf_slice(&bytes));
        db_bind_int(s, 2, keys[i]);
        TRY(db_run(s, err));
        w->sum->images++;
    }
    return ST_OK;
}

static enum status clean_images(struct erasing *w, int64_t row, struct err *err) {
    static const char *const IMAGES[][2] = {
        {"SELECT seq, vals FROM united WHERE from_id = ?1 AND ?2 IN (0, seq)",
         "UPDATE united SET vals = ? WHERE seq = ?"},
        {"SELECT seq, before FROM united WHERE ?1 IN (from_id, to_id) AND ?2 IN (0, seq)",
         "UPDATE united SET before = ? WHERE seq = ?"},
        {"SELECT row, vals FROM collected WHERE row = ?1 AND ?2 IN (0, row) AND vals NOT NULL",
         "UPDATE collected SET vals = ? WHERE row = ?"}};
    for (size_t i = 0; i < ARRAY_COUNT(IMAGES); i++)
        TRY(clean_image(w, row, IMAGES[i][0], IMAGES[i][1], err));
    return ST_OK;
}

/* A living row was edited, and laptops hear of it. Of a dead one nobody does. */
static enum status clean_dead(struct erasing *w, int64_t id, struct err *err) {
    struct centre_row row;
    bool found;
    uint64_t mask = 0;
    TRY(centre_row_read(w->c, w->e, id, w->mem, &row, &found, err));
    if (!found || !row.dead) return ST_OK;
    for (size_t i = 0; i < w->e->cell_count; i++) {
        const struct cell *cell = &w->e->cells[i];
        if (!is_personal(w->e, cell->tag)) continue;
        mask |= (uint64_t)1 << i;
        for (size_t f = cell->first; f < cell->first + cell->count; f++)
            if (w->e->fields[f].personal) row.values[f] = nothing_in(&w->e->fields[f]);
    }
    w->sum->images++;
    return centre_row_update(w->c, &row, mask, err);
}

/* ------------------------------------------------------------------ all */

enum status centre_erase_personal(struct centre *c, const struct entity *e, int64_t row,
                                  struct centre_erased *out, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(ERASE_SCRATCH);
    struct centre_erased sum = {0};
    struct erasing w = {.c = c, .e = e, .mem = &mem, .sum = &sum};
    TRY(find_names(&w, row, err));
    TRY(clean_held(&w, err));
    for (size_t i = 0; i < w.id_count; i++) {
        TRY(clean_journal(&w, w.ids[i], err));
        TRY(clean_cells(&w, w.ids[i], err));
        TRY(clean_images(&w, w.ids[i], err));
    }
    TRY(clean_dead(&w, row, err));
    *out = sum;
    return ST_OK;
}
