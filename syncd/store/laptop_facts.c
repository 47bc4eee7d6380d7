/* Rows of a life that the server forgot, told as facts: what head office did, or a laptop that
 * never comes back, is in the books of those who had heard of it.
 *
 * When the server begins another epoch, the rows above the parting are kept as they are, as the
 * server had them: what a person changed since is in the outbox, and told by it. When this laptop
 * has given back its own batches, and the server asks, they go along with rounds, as a batch whose
 * changes set every cell on the row's old seq. They are claims, which head office takes or not.
 * Should the server go back again before it took them, they are told again: they are kept until it
 * recovers no more, of each row one per life.
 */
#include "syncd/store/laptop.h"

struct noting {
    struct store *store;
    int64_t back, bytes;
    bool full;
};

/* ------------------------------------------------------------------ keeping */

/* The server's value of a cell that a person edited is what a pull brought, or what stood there;
 * *out_known false: only the person's is here. */
static enum status server_values(struct store *store, const struct local *local,
                                 const struct cell *cell, bool any_pending, struct arena *mem,
                                 struct value **out, bool *out_known, struct err *err) {
    struct pending p = {0};
    if (any_pending) TRY(pending_get(store->db, local->id, cell->tag, mem, &p, err));
    if (p.found && !p.values)
        TRY(before_first(store->db, local->id, cell->tag, mem, &p.values, &p.value_count, err));
    *out = p.found ? p.values : local->values + cell->first;
    *out_known = !p.found || (p.values && p.value_count == cell->count);
    return ST_OK;
}

static enum status as_change(struct noting *n, const struct local *local, struct arena *mem,
                             struct change *out, struct err *err) {
    const struct entity *e = local->e;
    struct edit *edits = ARENA_ARRAY(mem, e->cell_count + 1, struct edit);
    struct base base = {.seq = local->meta.seq};
    bool any_pending;
    if (!edits) return err_no_memory(err);
    *out = (struct change){
        .kind = CHANGE_EDIT, .entity_tag = e->tag, .row = local->id, .edits = edits};
    TRY(pending_any(n->store->db, local->id, &any_pending, err));
    for (size_t i = 0; i < e->cell_count; i++) {
        const struct cell *cell = &e->cells[i];
        struct value *values;
        bool known;
        if (cell->rule == RULE_DERIVED) continue;
        TRY(server_values(n->store, local, cell, any_pending, mem, &values, &known, err));
        if (!known) continue;
        edits[out->edit_count++] = (struct edit){.cell_tag = cell->tag,
                                                 .kind = EDIT_SET,
                                                 .base = base,
                                                 .today = base,
                                                 .values = values,
                                                 .value_count = cell->count};
    }
    return ST_OK;
}

static enum status note_row(struct noting *n, const struct entity *e, int64_t id, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct buf content SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
    struct local local;
    struct change change;
    struct db_stmt *s;
    TRY(local_read(n->store, e, id, &mem, &local, err));
    if (!local.found || local.meta.gone == GONE_DOOMED) return ST_OK;
    TRY(as_change(n, &local, &mem, &change, err));
    change_write(&change, &content);
    TRY(buf_status(&content, err));
    n->bytes += (int64_t)content.len;
    n->full = n->bytes > FACT_BYTES_MAX;
    if (n->full || change.edit_count == 0) return ST_OK;
    TRY(db_prepare(n->store->db,
                   "INSERT OR IGNORE INTO former_row(row_id, seq, told, content) VALUES (?,?,0,?)",
                   &s, err));
    db_bind_int(s, 1, id);
    db_bind_int(s, 2, local.meta.seq);
    db_bind_blob(s, 3, buf_slice(&content));
    return db_run(s, err);
}

static enum status note_entity(struct noting *n, const struct entity *e, struct err *err) {
    struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    struct db_stmt *s;
    bool row;
    buf_printf(&sql, "SELECT id FROM \"r_%s\" WHERE _seq > ? ORDER BY _seq DESC", e->name);
    TRY(buf_status(&sql, err));
    TRY(db_prepare(n->store->db, buf_text(&sql), &s, err));
    db_bind_int(s, 1, n->back);
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row && !n->full) {
        status = note_row(n, e, db_int(s, 0), err);
        if (status == ST_OK) status = db_step(s, &row, err);
    }
    db_reset(s);
    return status;
}

enum status facts_note(struct store *store, int64_t back, struct err *err) {
    struct noting n = {.store = store, .back = back};
    TRY(laptop_number(store, "SELECT coalesce(sum(length(content)), 0) FROM former_row", &n.bytes,
                      err));
    TRY(db_exec(store->db, "UPDATE former_row SET told = 0", err));
    for (size_t i = 0; i < store->cat->count && !n.full; i++)
        TRY(note_entity(&n, &store->cat->entities[i], err));
    return ST_OK;
}

/* ------------------------------------------------------------------ telling */

static enum status take_fact(struct db_stmt *s, struct arena *mem, struct batch *batch,
                             size_t *bytes, struct err *err) {
    struct slice content = arena_copy(mem, db_blob(s, 0));
    if (!content.data) return err_no_memory(err);
    *bytes += content.len;
    TRY(change_read(content, mem, &batch->changes[batch->change_count], err));
    batch->change_count++;
    return ST_OK;
}

enum status facts_tell(struct store *store, struct arena *mem, struct batch **out,
                       struct err *err) {
    struct batch *batch;
    struct db_stmt *s;
    bool row;
    size_t bytes = 0;
    *out = NULL;
    if (!store->laptop->tell_facts) return ST_OK;
    batch = ARENA_NEW(mem, struct batch);
    if (!batch) return err_no_memory(err);
    batch->changes = ARENA_ARRAY(mem, FACT_ROWS, struct change);
    if (!batch->changes) return err_no_memory(err);
    TRY(db_prepare(store->db,
                   "SELECT content FROM former_row WHERE told = 0 ORDER BY row_id, seq LIMIT ?", &s,
                   err));
    db_bind_int(s, 1, FACT_ROWS);
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row && bytes < GIVE_BYTES) {
        status = take_fact(s, mem, batch, &bytes, err);
        if (status == ST_OK) status = db_step(s, &row, err);
    }
    db_reset(s);
    if (status == ST_OK && batch->change_count > 0) *out = batch;
    return status;
}

enum status facts_told(struct store *store, const struct round_request *request,
                       const struct round_reply *reply, struct err *err) {
    struct db_stmt *s;
    store->laptop->tell_facts = reply->wants_facts;
    bool taken = request->facts && reply->wants_facts &&
                 reply->facts_taken == request->facts->change_count && reply->facts_taken > 0;
    if (!taken) return ST_OK;
    const struct change *last = &request->facts->changes[request->facts->change_count - 1];
    TRY(db_prepare(store->db, "UPDATE former_row SET told = 1 WHERE (row_id, seq) <= (?, ?)", &s,
                   err));
    db_bind_int(s, 1, last->row);
    db_bind_int(s, 2, last->edits[0].base.seq);
    return db_run(s, err);
}

enum status facts_forget(struct store *store, struct err *err) {
    store->laptop->tell_facts = false;
    return db_exec(store->db, "DELETE FROM former_row", err);
}

enum status store_has_facts(struct store *store, bool *out, struct err *err) {
    struct laptop *laptop;
    int64_t any = 0;
    TRY(laptop_get(store, &laptop, err));
    if (laptop->tell_facts)
        TRY(laptop_number(store, "SELECT 1 FROM former_row WHERE told = 0 LIMIT 1", &any, err));
    *out = any != 0;
    return ST_OK;
}
