/* Undo. A batch that was not sent is emptied: its number stays, and the cells show what they showed
 * before. A batch that was sent is undone by a new one with the values from before.
 */
#include "syncd/store/laptop.h"

#include <assert.h>
#include <string.h>

static enum status stands_on_it(struct err *err) {
    return err_set(err, ST_CONFLICT, "later edits stand on it: undo these first",
                   "之后的修改以它为基础：请先撤销那些修改");
}

/* ------------------------------------------------------------------ may it be undone? */

struct later {
    int64_t row;
    bool named;
};

static bool edit_refers(const struct edit *edit, int64_t row) {
    for (size_t i = 0; i < edit->value_count; i++)
        if (edit->values[i].kind == VALUE_INT && edit->values[i].number == row) return true;
    return false;
}

/* Ids are unique across entities and above any ordinary number, so that a number that equals one is
 * a reference. */
static enum status look_for_row(void *ctx, struct outbox_row *row, struct err *err) {
    struct later *later = ctx;
    (void)err;
    for (size_t i = 0; i < row->batch.change_count; i++) {
        const struct change *change = &row->batch.changes[i];
        later->named |= change->row == later->row;
        for (size_t k = 0; k < change->edit_count; k++)
            later->named |= edit_refers(&change->edits[k], later->row);
        for (size_t k = 0; k < change->unit_count; k++)
            later->named |= change->unit[k].row == later->row;
    }
    return ST_OK;
}

static enum status check_edit_is_last(struct store *store, uint32_t batch,
                                      const struct change *change, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    const struct entity *e = catalogue_entity_by_tag(store->cat, change->entity_tag);
    struct local local;
    if (!e) return stands_on_it(err);
    TRY(local_read(store, e, change->row, &mem, &local, err));
    if (!local.found || local.meta.gone == GONE_HIDDEN) return stands_on_it(err);
    for (size_t i = 0; i < change->edit_count; i++) {
        struct pending p;
        TRY(pending_get(store->db, change->row, change->edits[i].cell_tag, NULL, &p, err));
        if (p.found && p.own != batch) return stands_on_it(err);
    }
    return ST_OK;
}

static enum status check_is_last(struct store *store, const struct batch *batch, struct err *err) {
    for (size_t i = 0; i < batch->change_count; i++) {
        const struct change *change = &batch->changes[i];
        struct later later = {.row = change->row};
        if (change_is_withdrawal(change)) continue;
        if (change->kind == CHANGE_EDIT) TRY(check_edit_is_last(store, batch->number, change, err));
        if (change->kind != CHANGE_CREATE) continue;
        TRY(outbox_walk(store->db, batch->number + 1, look_for_row, &later, err));
        if (later.named) return stands_on_it(err);
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ emptying */

struct earlier {
    int64_t row;
    uint32_t cell, but, own;
};

static enum status look_for_edit(void *ctx, struct outbox_row *row, struct err *err) {
    struct earlier *earlier = ctx;
    (void)err;
    for (size_t i = 0; row->n != earlier->but && i < row->batch.change_count; i++) {
        const struct change *change = &row->batch.changes[i];
        if (change->kind != CHANGE_EDIT || change->row != earlier->row) continue;
        for (size_t k = 0; k < change->edit_count; k++)
            if (change->edits[k].cell_tag == earlier->cell) earlier->own = row->n;
    }
    return ST_OK;
}

/* The cell shows what it showed before; when no other edit of it waits, what the server has, if
 * that is known. */
static enum status restore_cell(struct store *store, struct local *local, const struct cell *cell,
                                uint32_t batch, struct arena *mem, struct err *err) {
    struct pending p;
    struct value *shown, *values = local_copy(local, mem);
    size_t count;
    struct earlier earlier = {.row = local->id, .cell = cell->tag, .but = batch};
    if (!values) return err_no_memory(err);
    TRY(before_get(store->db, batch, local->id, cell->tag, mem, &shown, &count, err));
    TRY(pending_get(store->db, local->id, cell->tag, mem, &p, err));
    TRY(outbox_walk(store->db, 0, look_for_edit, &earlier, err));
    bool last = earlier.own == 0;
    if (last && p.values && p.value_count == cell->count) {
        shown = p.values;
        count = p.value_count;
        if (p.seq > local->meta.seq) TRY(ahead_put(store->db, local->id, cell->tag, p.seq, err));
    }
    if (shown && count == cell->count) memcpy(&values[cell->first], shown, count * sizeof *shown);
    TRY(local_write(store, local, cell_bit(cell), values, err));
    if (last) return pending_drop(store->db, local->id, cell->tag, err);
    p.own = earlier.own;
    return p.found ? pending_put(store->db, local->e->tag, local->id, cell->tag, &p, err) : ST_OK;
}

static enum status empty_edit(struct store *store, uint32_t batch, const struct change *change,
                              struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    const struct entity *e = catalogue_entity_by_tag(store->cat, change->entity_tag);
    struct local local;
    bool gone;
    if (change_is_withdrawal(change)) return ST_OK; /* the held entry is reopened with its batch */
    TRY(local_read(store, e, change->row, &mem, &local, err));
    for (size_t i = 0; i < change->edit_count; i++) {
        const struct cell *cell = entity_cell(e, change->edits[i].cell_tag);
        if (!cell) continue;
        TRY(emptied_put(store->db, batch, change->row, cell->tag, change->edits[i].today, err));
        TRY(restore_cell(store, &local, cell, batch, &mem, err));
    }
    return local_sweep(store, &local, &gone, err);
}

static enum status empty_creation(struct store *store, const struct change *change,
                                  struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    const struct entity *e = catalogue_entity_by_tag(store->cat, change->entity_tag);
    struct local local;
    TRY(local_read(store, e, change->row, &mem, &local, err));
    return local.found ? local_remove(store, &local, err) : ST_OK;
}

static enum status empty_delete(struct store *store, const struct change *change, struct err *err) {
    for (size_t i = 0; i < change->unit_count; i++) {
        struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
        const struct entity *e = catalogue_entity_by_tag(store->cat, change->unit[i].entity_tag);
        struct local local;
        if (!e) continue;
        TRY(local_read(store, e, change->unit[i].row, &mem, &local, err));
        if (local.found && local.meta.gone == GONE_HIDDEN)
            TRY(local_set_gone(store, &local, GONE_HERE, &mem, err));
    }
    return ST_OK;
}

static enum status forget_batch(struct store *store, uint32_t batch, struct err *err) {
    static const char *const forget[] = {
        "UPDATE held SET state = 0 WHERE retried = ? AND state = 4",
        "UPDATE held SET retried = 0 WHERE retried = ?", "DELETE FROM import_row WHERE batch = ?"};
    for (size_t i = 0; i < ARRAY_COUNT(forget); i++) {
        struct db_stmt *s;
        TRY(db_prepare(store->db, forget[i], &s, err));
        db_bind_int(s, 1, batch);
        TRY(db_run(s, err));
    }
    return before_drop(store->db, batch, 0, 0, err);
}

enum status undo_unsent(struct store *store, const struct outbox_row *row, struct err *err) {
    const struct batch *batch = &row->batch;
    TRY(check_is_last(store, batch, err));
    for (size_t i = batch->change_count; i > 0; i--) {
        const struct change *change = &batch->changes[i - 1];
        switch (change->kind) {
        case CHANGE_CREATE: TRY(empty_creation(store, change, err)); break;
        case CHANGE_EDIT: TRY(empty_edit(store, batch->number, change, err)); break;
        case CHANGE_DELETE: TRY(empty_delete(store, change, err)); break;
        }
    }
    struct batch empty = *batch;
    empty.change_count = 0;
    TRY(forget_batch(store, batch->number, err));
    return outbox_rewrite(store->db, &empty, err);
}

/* ------------------------------------------------------------------ by a new batch */

static enum status reverse_edit(struct store *store, const struct entity *e, uint32_t batch,
                                const struct change *change, const struct edit *edit,
                                struct arena *mem, struct err *err) {
    const struct cell *cell = entity_cell(e, edit->cell_tag);
    struct field_edit back[ENTITY_FIELDS_MAX];
    size_t count = 0, have;
    struct value *before;
    bool changed;
    if (!cell) return ST_OK;
    const struct field *f = &e->fields[cell->first];
    TRY(before_get(store->db, batch, change->row, cell->tag, mem, &before, &have, err));
    if (edit->kind == EDIT_COUNT) {
        back[count++] =
            (struct field_edit){f, FIELD_EDIT_COUNT, value_int(-edit->values[0].number)};
    } else if (edit->kind == EDIT_ELEMENTS) {
        back[count++] = (struct field_edit){f, FIELD_EDIT_REMOVE, edit->values[0]};
        back[count++] = (struct field_edit){f, FIELD_EDIT_ADD, edit->values[1]};
    } else {
        for (size_t i = 0; before && i < have && i < cell->count; i++)
            back[count++] =
                (struct field_edit){&e->fields[cell->first + i], FIELD_EDIT_SET, before[i]};
    }
    return save_edit(store, e, change->row, back, count, NULL, NULL, &changed, err);
}

static enum status reverse_change(struct store *store, uint32_t batch, const struct change *change,
                                  struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    const struct entity *e = catalogue_entity_by_tag(store->cat, change->entity_tag);
    size_t rows;
    if (change_is_withdrawal(change))
        return err_set(err, ST_CONFLICT, "the withdrawal has left already: enter the edit again",
                       "撤回已发出：请重新录入该修改");
    if (!e || change->kind == CHANGE_DELETE)
        return err_set(
            err, ST_CONFLICT,
            "the deletion has left already: wait for its receipt, then enter the row again",
            "该删除已发出：请等待回执后重新录入");
    if (change->kind == CHANGE_CREATE) return save_delete(store, e, change->row, NULL, &rows, err);
    for (size_t i = 0; i < change->edit_count; i++)
        TRY(reverse_edit(store, e, batch, change, &change->edits[i], &mem, err));
    return ST_OK;
}

static enum status undo_sent(struct store *store, const struct outbox_row *row, uint32_t *out_new,
                             struct err *err) {
    TRY(check_is_last(store, &row->batch, err));
    for (size_t i = row->batch.change_count; i > 0; i--)
        TRY(reverse_change(store, row->n, &row->batch.changes[i - 1], err));
    return store_commit(store, out_new, err);
}

/* ------------------------------------------------------------------ the two together */

static enum status find_batch(struct store *store, uint32_t *batch, struct arena *mem,
                              struct outbox_row *out, struct err *err) {
    int64_t newest;
    uint32_t last, counter;
    bool found;
    if (*batch == 0) {
        TRY(laptop_number(
            store, "SELECT n FROM outbox WHERE done = 0 AND changes > 0 ORDER BY n DESC LIMIT 1",
            &newest, err));
        if (newest == 0)
            return err_set(err, ST_NOT_FOUND, "there is nothing to undo", "没有可撤销的修改");
        *batch = (uint32_t)newest;
    }
    TRY(outbox_get(store->db, *batch, mem, out, &found, err));
    if (found && out->batch.change_count > 0) return ST_OK;
    TRY(outbox_newest(store->db, &last, &counter, err));
    if (found || *batch > last)
        return err_set(err, ST_NOT_FOUND, "there is no batch %u to undo", "没有可撤销的批次%u",
                       *batch);
    return err_set(err, ST_CONFLICT,
                   "the server has confirmed batch %u already: edit the row instead",
                   "服务器已接收批次%u：请直接修改该记录", *batch);
}

static enum status undo_inside(struct store *store, uint32_t batch, uint32_t *out_undone,
                               uint32_t *out_new, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct outbox_row row;
    *out_new = 0;
    TRY(find_batch(store, &batch, &mem, &row, err));
    *out_undone = batch;
    if (row.sent) return undo_sent(store, &row, out_new, err);
    TRY(undo_unsent(store, &row, err));
    TRY(db_commit(store->db, err));
    store_rollback(store); /* the save that was opened for its lock ends empty */
    return ST_OK;
}

enum status store_undo(struct store *store, uint32_t batch, uint32_t *out_undone,
                       uint32_t *out_new_batch, struct err *err) {
    uint32_t undone = 0, fresh = 0;
    TRY(store_begin(store, err));
    enum status status = undo_inside(store, batch, &undone, &fresh, err);
    if (status != ST_OK) {
        store_rollback(store);
        return status;
    }
    *out_undone = undone;
    *out_new_batch = fresh;
    return ST_OK;
}
