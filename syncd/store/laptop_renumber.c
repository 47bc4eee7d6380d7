/* A book that gets another number: it was a copy, or lost its identity. What it has not sent is
 * written into a new file, which fills itself from the server: batches keep their numbers, rows
 * that were made here and that the server does not have get ids of the new number, wherever they
 * are named.
 */
#include "syncd/store/laptop_rescue.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ what it is a copy of */

struct chains {
    struct copied_book *copy;
    struct chain at;
    size_t room;
};

static enum status add_chain(void *ctx, struct outbox_row *row, struct err *err) {
    struct chains *c = ctx;
    if (c->copy->chain_count == c->room) return ST_OK; /* what is behind is sent as new */
    c->at = chain_next(&c->at, row->content);
    TRY(batch_save(&row->batch, &c->copy->saves[c->copy->save_count++], err));
    c->copy->chains[c->copy->chain_count++] = c->at;
    return ST_OK;
}

enum status store_copy(struct store *store, struct arena *mem, struct copied_book *out,
                       struct err *err) {
    struct laptop *laptop;
    struct copied_book copy = {0};
    TRY(laptop_get(store, &laptop, err));
    struct chains chains = {.copy = &copy, .room = WIRE_BATCHES_MAX + 1};
    copy.chains = ARENA_ARRAY(mem, chains.room, struct chain);
    copy.saves = ARENA_ARRAY(mem, chains.room, struct chain);
    if (!copy.chains || !copy.saves) return err_no_memory(err);
    copy.last_batch = laptop->state.last_batch;
    copy.chains[copy.chain_count++] = chains.at = laptop->state.last_chain;
    TRY(outbox_walk(store->db, copy.last_batch + 1, add_chain, &chains, err));
    *out = copy;
    return ST_OK;
}

/* ------------------------------------------------------------------ ids */

static int by_number(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Rows made in batches that the server does not have. */
static enum status collect(struct rescue *r, struct renumber *out, struct err *err) {
    size_t room = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
        struct batch batch;
        const struct rescued *row = &r->rows[i];
        if (row->done || row->n <= out->kept.last) continue;
        if (batch_read(row->content, &mem, &batch, NULL) != ST_OK) continue;
        for (size_t k = 0; k < batch.change_count; k++) {
            if (batch.changes[k].kind != CHANGE_CREATE) continue;
            if (out->count == room) {
                room = room ? room * 2 : 64;
                int64_t *more = ARENA_ARRAY(&r->mem, room, int64_t);
                if (!more) return err_no_memory(err);
                if (out->count > 0) memcpy(more, out->ids, out->count * sizeof *more);
                out->ids = more;
            }
            out->ids[out->count++] = batch.changes[k].row;
        }
    }
    if (out->count > 1) qsort(out->ids, out->count, sizeof *out->ids, by_number);
    return ST_OK;
}

/* The counter stays: no two rows of one book share it, whatever numbers it had. */
static int64_t id_now(const struct renumber *r, int64_t id) {
    bool is_new = r->count > 0 && bsearch(&id, r->ids, r->count, sizeof *r->ids, by_number);
    return is_new ? id_make(r->device, id_counter(id)) : id;
}

static void renumber_edit(const struct renumber *r, const struct entity *e, struct edit *edit) {
    const struct cell *cell = e ? entity_cell(e, edit->cell_tag) : NULL;
    for (size_t i = 0; cell && i < cell->count && i < edit->value_count; i++) {
        struct value *v = &edit->values[i];
        if (e->fields[cell->first + i].type == FIELD_REF && v->kind == VALUE_INT)
            v->number = id_now(r, v->number);
    }
}

void renumber_batch(const struct renumber *r, const struct catalogue *cat, struct batch *batch) {
    if (batch->number <= r->kept.last) return;
    for (size_t i = 0; i < batch->change_count; i++) {
        struct change *change = &batch->changes[i];
        const struct entity *e = catalogue_entity_by_tag(cat, change->entity_tag);
        change->row = id_now(r, change->row);
        for (size_t k = 0; k < change->edit_count; k++) renumber_edit(r, e, &change->edits[k]);
        for (size_t k = 0; k < change->unit_count; k++)
            change->unit[k].row = id_now(r, change->unit[k].row);
    }
}

/* ------------------------------------------------------------------ the new file */

/* The server has these: their bytes and numbers stay, and are as sent as can be. */
static enum status mark_kept(struct rescue *r, uint32_t kept, struct err *err) {
    struct chain chain = r->state.last_chain;
    for (uint32_t n = r->state.last_batch + 1; n <= kept; n++) {
        struct rescued *row = NULL;
        for (size_t i = 0; i < r->count; i++)
            if (r->rows[i].n == n && !r->rows[i].done) row = &r->rows[i];
        if (!row) return ST_OK;
        chain = chain_next(&chain, row->content);
        row->sent = true;
        row->chain = arena_copy(&r->mem, slice_of(chain.bytes, CHAIN_BYTES));
        if (!row->chain.data) return err_no_memory(err);
    }
    return ST_OK;
}

/* The server has them in another form: there is nothing to send of these, and what is new goes on
 * from its chain. */
static void leave_kept(struct rescue *r, const struct kept_batches *kept) {
    if (!kept->otherwise || kept->last <= r->state.last_batch) return;
    r->state.last_batch = kept->last;
    r->state.last_chain = kept->chain;
}

/* Those behind get another chain, if anything in them is named otherwise now. */
static void unmark_others(struct rescue *r, uint32_t kept) {
    for (size_t i = 0; i < r->count; i++) {
        if (r->rows[i].done || r->rows[i].n <= kept) continue;
        r->rows[i].sent = false;
        r->rows[i].chain = (struct slice){0};
    }
}

enum status renumber_prepare(struct rescue *r, struct renumber *out, struct err *err) {
    leave_kept(r, &out->kept);
    TRY(collect(r, out, err));
    TRY(mark_kept(r, out->kept.last, err));
    unmark_others(r, out->kept.last);
    return ST_OK;
}

/* What this laptop alone knows, and no id in it changes: edits that were not taken are of batches
 * that the server has. */
static enum status carry_over(struct store *to, const char *old_path, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(to->db, "ATTACH ? AS old", &s, err));
    db_bind_text(s, 1, slice_from(old_path));
    TRY(db_run(s, err));
    enum status status = db_exec(to->db, "INSERT INTO held SELECT * FROM old.held", err);
    if (status == ST_OK)
        status = db_exec(to->db, "INSERT INTO receipt SELECT * FROM old.receipt", err);
    if (status == ST_OK)
        status = db_exec(to->db, "INSERT INTO ledger SELECT * FROM old.ledger", err);
    enum status closed = db_exec(to->db, "DETACH old", status == ST_OK ? err : NULL);
    return status == ST_OK ? closed : status;
}

enum status store_renumber(const char *old_path, const char *new_path,
                           const struct store_identity *identity, const struct kept_batches *kept,
                           const struct catalogue *cat, const struct env *env, struct err *err) {
    struct store_config config = {
        .path = new_path, .kind = STORE_LAPTOP, .create = true, .catalogue = cat, .env = env};
    struct renumber renumber = {.device = identity->device, .kept = *kept};
    struct rescue r = {.mem = arena_new(ARENA_CAP_DEFAULT), .renumber = &renumber};
    struct db *old = NULL;
    TRY(db_open(old_path, DB_READ_ONLY, &old, err));
    enum status status = store_open(&config, &r.store, err);
    if (status == ST_OK) status = rescue_restore(&r, old, err);
    db_close(old);
    if (status == ST_OK && r.unreadable > 0)
        status = err_set(err, ST_DAMAGED, "%lld unsent batches cannot be read: run roadbook verify",
                         "有 %lld 批未发送的修改无法读取：请运行 roadbook verify",
                         (long long)r.unreadable);
    if (status == ST_OK) status = store_identity_set(r.store, identity, err);
    if (status == ST_OK) status = carry_over(r.store, old_path, err);
    store_close(r.store);
    arena_clear(&r.mem);
    return status;
}
