/* Folding. Each save of a text is a batch of its own, so that it can be undone alone. When batches
 * leave, unsent edits of one text become one: the last keeps its words and takes the base of the
 * first, which leaves its batch; the number stays, empty. The server merges what the person ended
 * with, once, and no version in between.
 */
#include "syncd/store/laptop.h"

#include <string.h>

struct folding {
    struct store *store;
    struct outbox_row *rows;
    struct outbox_row *to; /* the row whose edits take others in */
    struct arena *mem;
};

/* What an edit stands on, as long as that may be taken out of its batch. */
static struct outbox_row *row_below(const struct folding *f, const struct edit *edit) {
    uint32_t first = f->rows[0].n;
    if (edit->kind != EDIT_SET || edit->today.own < first || edit->today.own >= f->to->n)
        return NULL;
    struct outbox_row *row = &f->rows[edit->today.own - first];
    bool fixed =
        row->n != edit->today.own || row->sent || (row->batch.flags & BATCH_ALL_OR_NOTHING) != 0;
    return fixed ? NULL : row;
}

static struct change *change_of(const struct batch *batch, int64_t row) {
    for (size_t i = batch->change_count; i > 0; i--)
        if (batch->changes[i - 1].row == row && batch->changes[i - 1].kind == CHANGE_EDIT)
            return &batch->changes[i - 1];
    return NULL;
}

static const struct edit *edit_of(const struct change *change, uint32_t cell) {
    for (size_t i = 0; change && i < change->edit_count; i++)
        if (change->edits[i].cell_tag == cell) return &change->edits[i];
    return NULL;
}

/* "It was sent again in batch ..." */
static enum status note_retry(struct folding *f, const struct refusal_id *id, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(f->store->db,
                   "UPDATE held SET retried = ? WHERE batch = ? AND change = ? AND cell = ?", &s,
                   err));
    db_bind_int(s, 1, f->to->n);
    db_bind_int(s, 2, id->batch);
    db_bind_int(s, 3, id->change);
    db_bind_int(s, 4, id->cell_tag);
    return db_run(s, err);
}

/* What the old edit was to release goes with it; of a change that is empty now, all. */
static enum status move_retries(struct folding *f, struct change *from, struct change *to,
                                uint32_t cell, struct err *err) {
    size_t kept = 0, count = to->retry_count;
    if (from->retry_count == 0) return ST_OK;
    struct refusal_id *all =
        ARENA_ARRAY(f->mem, to->retry_count + from->retry_count, struct refusal_id);
    if (!all) return err_no_memory(err);
    if (count > 0) memcpy(all, to->retry_of, count * sizeof *all);
    for (size_t i = 0; i < from->retry_count; i++) {
        struct refusal_id id = from->retry_of[i];
        bool moves = id.cell_tag == cell || from->edit_count == 0;
        if (moves) TRY(note_retry(f, &id, err));
        if (moves)
            all[count++] = id;
        else
            from->retry_of[kept++] = id;
    }
    from->retry_count = kept;
    to->retry_of = all;
    to->retry_count = count;
    return ST_OK;
}

/* What stood before the old edit stands before the new one now. */
static enum status move_before(struct folding *f, uint32_t from, int64_t row, uint32_t cell,
                               struct err *err) {
    struct db *db = f->store->db;
    struct value *before;
    size_t count;
    TRY(before_get(db, from, row, cell, f->mem, &before, &count, err));
    if (!before) return ST_OK;
    TRY(before_drop(db, f->to->n, row, cell, err));
    TRY(before_put(db, f->to->n, row, cell, before, count, err));
    return before_drop(db, from, row, cell, err);
}

static bool has_room(const struct outbox_row *to, const struct change *old) {
    enum { ID_BYTES = 16, BASE_BYTES = 32 }; /* a retry, two bases: at most */
    return to->content.len + BASE_BYTES + ID_BYTES * old->retry_count <= BATCH_BYTES_MAX;
}

static enum status fold_edit(struct folding *f, struct change *change, struct edit *edit,
                             struct err *err) {
    struct outbox_row *from = row_below(f, edit);
    struct change *old = from ? change_of(&from->batch, change->row) : NULL;
    const struct edit *first = edit_of(old, edit->cell_tag);
    if (!first || !has_room(f->to, old)) return ST_OK;
    edit->base = edit->today = first->base;
    change_drop_edit(old, edit->cell_tag);
    TRY(move_retries(f, old, change, edit->cell_tag, err));
    if (old->edit_count == 0) {
        size_t at = (size_t)(old - from->batch.changes);
        memmove(old, old + 1, (from->batch.change_count - at - 1) * sizeof *old);
        from->batch.change_count--;
    }
    from->folded = f->to->folded = true;
    return move_before(f, from->n, change->row, edit->cell_tag, err);
}

static enum status fold_change(struct folding *f, struct change *change, struct err *err) {
    const struct entity *e = catalogue_entity_by_tag(f->store->cat, change->entity_tag);
    for (size_t i = 0; e && i < change->edit_count; i++) {
        const struct cell *cell = entity_cell(e, change->edits[i].cell_tag);
        if (cell && cell->rule == RULE_TEXT) TRY(fold_edit(f, change, &change->edits[i], err));
    }
    return ST_OK;
}

/* The canonical bytes of what it holds now. */
static enum status write_again(struct outbox_row *row, struct arena *mem, struct err *err) {
    struct buf content SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    batch_write(&row->batch, &content);
    TRY(buf_status(&content, err));
    row->content = arena_copy(mem, buf_slice(&content));
    return row->content.data ? ST_OK : err_no_memory(err);
}

enum status fold_texts(struct store *store, struct outbox_row *rows, size_t count,
                       struct arena *mem, size_t *bytes, struct err *err) {
    struct folding f = {store, rows, &rows[count - 1], mem};
    if (f.to->sent) return ST_OK;
    for (size_t i = 0; i < f.to->batch.change_count; i++)
        if (f.to->batch.changes[i].kind == CHANGE_EDIT)
            TRY(fold_change(&f, &f.to->batch.changes[i], err));
    for (size_t i = 0; f.to->folded && i < count; i++) {
        if (!rows[i].folded) continue;
        *bytes -= rows[i].content.len;
        TRY(write_again(&rows[i], mem, err));
        *bytes += rows[i].content.len;
        TRY(outbox_rewrite(store->db, &rows[i].batch, err));
        rows[i].folded = false;
    }
    return ST_OK;
}
