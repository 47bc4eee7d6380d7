/* A damaged file: what can be read of it is carried into a new one. Rows come back from the server;
 * identity, counters and outbox exist nowhere else.
 */
#include "syncd/store/laptop_rescue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { COUNTER_JUMP = 65536 }; /* ids that unreadable batches may have given */

/* Columns of salvaged rows: the row id, then those of the table. */
static enum status take_state(void *ctx, struct db_stmt *row, struct err *err) {
    struct rescue *r = ctx;
    (void)err;
    struct laptop_state *s = &r->state;
    struct slice chain = db_blob(row, 10);
    s->epoch = db_int(row, 2);
    s->last_batch = (uint32_t)db_int(row, 9);
    if (chain.len == CHAIN_BYTES) memcpy(s->last_chain.bytes, chain.data, CHAIN_BYTES);
    s->boot_id = (uint64_t)db_int(row, 11);
    s->boot_number = (uint32_t)db_int(row, 12);
    s->suspect_boot = (uint32_t)db_int(row, 13);
    s->note_wall_ms = db_int(row, 14);
    s->note_boot_ms = db_int(row, 15);
    s->steps_ms = db_int(row, 16);
    s->expected_offset_ms = db_int(row, 17);
    r->has_state = true;
    return ST_OK;
}

static enum status take_outbox(void *ctx, struct db_stmt *row, struct err *err) {
    struct rescue *r = ctx;
    if (r->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 64;
        struct rescued *grown = ARENA_ARRAY(&r->mem, cap, struct rescued);
        if (!grown) return err_no_memory(err);
        if (r->count > 0) memcpy(grown, r->rows, r->count * sizeof *grown);
        r->rows = grown;
        r->cap = cap;
    }
    struct rescued *to = &r->rows[r->count++];
    *to = (struct rescued){.n = (uint32_t)db_int(row, 1),
                           .sent = db_int(row, 2) != 0,
                           .done = db_int(row, 3) != 0,
                           .made_ms = db_int(row, 4),
                           .counter = (uint32_t)db_int(row, 5),
                           .import_id = db_int(row, 7),
                           .chain = arena_copy(&r->mem, db_blob(row, 8)),
                           .content = arena_copy(&r->mem, db_blob(row, 9))};
    return to->chain.data && to->content.data ? ST_OK : err_no_memory(err);
}

static void take_text(struct db_stmt *row, int column, char *out, size_t room) {
    struct slice text = text_prefix(db_text(row, column), room - 1);
    if (text.len > 0) memcpy(out, text.data, text.len);
    out[text.len] = 0;
}

static enum status take_identity(void *ctx, struct db_stmt *row, struct err *err) {
    struct rescue *r = ctx;
    struct store_identity identity = {.device = (uint32_t)db_int(row, 6),
                                      .employee = db_int(row, 7)};
    take_text(row, 2, identity.org, sizeof identity.org);
    take_text(row, 3, identity.base_url, sizeof identity.base_url);
    take_text(row, 4, identity.user, sizeof identity.user);
    take_text(row, 5, identity.org_label, sizeof identity.org_label);
    bool keys = column_take(row, 8, identity.key_seed, sizeof identity.key_seed) &&
                column_take(row, 9, identity.org_public, sizeof identity.org_public);
    identity.has_tls_pin = column_take(row, 10, identity.tls_pin, sizeof identity.tls_pin);
    return keys ? store_identity_set(r->store, &identity, err) : ST_OK;
}

/* The copy among the settings, when the identity itself cannot be read. */
static enum status take_spare(struct rescue *r, struct err *err) {
    struct store_identity identity;
    struct slice spare;
    TRY(store_identity(r->store, &identity, err));
    if (identity.device != 0) return ST_OK;
    TRY(store_setting(r->store, STORE_SPARE_IDENTITY, &r->mem, &spare, err));
    if (spare.len != sizeof identity) return ST_OK; /* of another release */
    memcpy(&identity, spare.data, sizeof identity);
    return store_identity_set(r->store, &identity, err);
}

/* As far as they can be read: they are no one's work. */
static enum status take_settings(struct rescue *r, struct db *damaged, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(damaged, "SELECT name, value FROM secret_setting", &s, err));
    for (;;) {
        struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
        TRY(db_step(s, &row, err));
        if (!row) break;
        const char *name = arena_string(&mem, db_text(s, 0));
        if (!name) return err_no_memory(err);
        TRY(store_setting_set(r->store, name, db_blob(s, 1), err));
    }
    db_reset(s);
    return ST_OK;
}

/* ------------------------------------------------------------------ writing the outbox anew */

static enum status insert_outbox(struct rescue *r, const struct rescued *from,
                                 const struct batch *batch, struct err *err) {
    struct buf content SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    struct db_stmt *s;
    if (batch) batch_write(batch, &content);
    TRY(buf_status(&content, err));
    TRY(db_prepare(r->store->db,
                   "INSERT OR REPLACE INTO outbox(n, sent, done, made_ms, counter, changes, "
                   "import_id, chain, content)"
                   " VALUES (?,?,?,?,?,?,?,?,?)",
                   &s, err));
    const int64_t numbers[] = {
        from->n,        batch && from->chain.len == CHAIN_BYTES && from->sent,
        !batch,         from->made_ms,
        from->counter,  batch ? (int64_t)batch->change_count : 0,
        from->import_id};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) db_bind_int(s, (int)i + 1, numbers[i]);
    if (from->chain.len == CHAIN_BYTES)
        db_bind_blob(s, 8, from->chain);
    else
        db_bind_null(s, 8);
    if (batch)
        db_bind_blob(s, 9, buf_slice(&content));
    else
        db_bind_null(s, 9);
    return db_run(s, err);
}

static enum status recreate(struct rescue *r, uint32_t n, const struct change *change,
                            struct err *err) {
    const struct entity *e = catalogue_entity_by_tag(r->store->cat, change->entity_tag);
    struct value values[ENTITY_FIELDS_MAX];
    struct row_meta meta = {.seq = -(int64_t)n};
    memset(values, 0, sizeof values);
    if (!e) return ST_OK;
    for (size_t i = 0; i < change->edit_count; i++) {
        const struct cell *cell = entity_cell(e, change->edits[i].cell_tag);
        if (!cell || change->edits[i].value_count != cell->count) continue;
        memcpy(&values[cell->first], change->edits[i].values, cell->count * sizeof *values);
    }
    return rows_insert(r->store->db, e, ROWS_LAPTOP, change->row, values, &meta, true, err);
}

static enum status pend_edit(struct rescue *r, uint32_t n, const struct change *change,
                             const struct edit *edit, struct err *err) {
    struct pending p;
    TRY(pending_get(r->store->db, change->row, edit->cell_tag, &r->mem, &p, err));
    if (!p.found || edit->today.seq < p.base_seq) p.base_seq = edit->today.seq;
    p.own = n;
    return pending_put(r->store->db, change->entity_tag, change->row, edit->cell_tag, &p, err);
}

/* Rows made here come back at once; edits of other rows wait for these in the pending table. */
static enum status restore_change(struct rescue *r, uint32_t n, const struct change *change,
                                  struct err *err) {
    if (change->kind == CHANGE_CREATE) return recreate(r, n, change, err);
    for (size_t i = 0; i < change->edit_count; i++)
        TRY(pend_edit(r, n, change, &change->edits[i], err));
    return ST_OK;
}

static const struct rescued *find_rescued(const struct rescue *r, uint32_t n) {
    for (size_t i = 0; i < r->count; i++)
        if (r->rows[i].n == n && !r->rows[i].done) return &r->rows[i];
    return NULL;
}

/* A number without its batch stays, empty: numbers have no gaps. */
static enum status restore_batch(struct rescue *r, uint32_t n, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    const struct rescued *from = find_rescued(r, n);
    struct rescued lost = {.n = n, .counter = 1};
    struct batch batch = {.number = n};
    bool read = from && batch_read(from->content, &mem, &batch, NULL) == ST_OK && batch.number == n;
    if (!read) {
        batch = (struct batch){.number = n};
        if (from) lost.counter = from->counter;
        r->unreadable++;
        return insert_outbox(r, &lost, &batch, err);
    }
    r->batches++;
    if (r->renumber) renumber_batch(r->renumber, r->store->cat, &batch);
    TRY(insert_outbox(r, from, &batch, err));
    for (size_t i = 0; i < batch.change_count; i++)
        TRY(restore_change(r, n, &batch.changes[i], err));
    return ST_OK;
}

static enum status replay_created(void *ctx, struct outbox_row *row, struct err *err) {
    struct rescue *r = ctx;
    for (size_t i = 0; i < row->batch.change_count; i++) {
        struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
        const struct change *change = &row->batch.changes[i];
        const struct entity *e = catalogue_entity_by_tag(r->store->cat, change->entity_tag);
        struct local local;
        if (!e || change->kind != CHANGE_CREATE) continue;
        TRY(local_read(r->store, e, change->row, &mem, &local, err));
        if (local.found) TRY(outbox_replay(r->store, &local, &mem, err));
    }
    return ST_OK;
}

/* The stub of the last batch with a receipt tells where the chain stands when the state does not.
 */
static void state_from_stub(struct rescue *r) {
    for (size_t i = 0; i < r->count; i++) {
        const struct rescued *row = &r->rows[i];
        bool better = row->done && row->chain.len == CHAIN_BYTES && row->n >= r->state.last_batch;
        if (!better) continue;
        r->state.last_batch = row->n;
        memcpy(r->state.last_chain.bytes, row->chain.data, CHAIN_BYTES);
    }
}

static enum status restore_outbox(struct rescue *r, struct err *err) {
    uint32_t newest = r->state.last_batch, counter = 1;
    for (size_t i = 0; i < r->count; i++) {
        if (r->rows[i].n > newest) newest = r->rows[i].n;
        if (r->rows[i].counter > counter) counter = r->rows[i].counter;
    }
    struct rescued stub = {.n = r->state.last_batch,
                           .counter = counter,
                           .chain = slice_of(r->state.last_chain.bytes, CHAIN_BYTES)};
    if (stub.n > 0) TRY(insert_outbox(r, &stub, NULL, err));
    for (uint32_t n = r->state.last_batch + 1; n <= newest && n != 0; n++)
        TRY(restore_batch(r, n, err));
    TRY(outbox_walk(r->store->db, 0, replay_created, r, err));
    struct db_stmt *s;
    TRY(db_prepare(r->store->db,
                   "UPDATE outbox SET counter = ? WHERE n = (SELECT max(n) FROM outbox)", &s, err));
    db_bind_int(s, 1, (int64_t)counter + COUNTER_JUMP);
    return db_run(s, err);
}

enum status rescue_restore(struct rescue *r, struct db *damaged, struct err *err) {
    int64_t rows;
    struct err unread;
    /* A table that cannot be read at all leaves nothing: the others are tried all the same. */
    enum status parts[] = {db_salvage(damaged, "secret_identity", take_identity, r, &rows, &unread),
                           take_settings(r, damaged, &unread), take_spare(r, &unread),
                           db_salvage(damaged, "state", take_state, r, &rows, &unread)};
    (void)parts;
    TRY(db_salvage(damaged, "outbox", take_outbox, r, &rows, err));
    if (!r->has_state) r->state.epoch = 1;
    state_from_stub(r);
    if (r->renumber) TRY(renumber_prepare(r, r->renumber, err));
    TRY(db_begin(r->store->db, true, err));
    TRY(state_write(r->store, &r->state, err));
    TRY(added_rescue(r->store, damaged, err));
    TRY(restore_outbox(r, err));
    TRY(former_rescue(r->store, damaged, err));
    return db_commit(r->store->db, err);
}

/* Also when the pages that say what tables there are, are gone: then those of a new book help. */
static enum status open_damaged(const char *path, const struct store_config *fresh, struct db **out,
                                struct err *err) {
    struct store *store;
    enum status status = db_open(path, DB_READ_ONLY, out, err);
    if (status != ST_DAMAGED) return status;
    TRY(store_open(fresh, &store, err));
    store_close(store);
    TRY(db_mend_schema(fresh->path, path, err));
    return db_open(path, DB_READ_ONLY, out, err);
}

enum status store_rescue(const char *damaged_path, const char *new_path,
                         const struct catalogue *cat, const struct env *env, int64_t *out_batches,
                         int64_t *out_unreadable, struct err *err) {
    struct store_config config = {
        .path = new_path, .kind = STORE_LAPTOP, .create = true, .catalogue = cat, .env = env};
    struct rescue r = {.mem = arena_new(ARENA_CAP_DEFAULT)};
    struct db *damaged = NULL;
    TRY(open_damaged(damaged_path, &config, &damaged, err));
    enum status status = store_open(&config, &r.store, err);
    if (status == ST_OK) status = rescue_restore(&r, damaged, err);
    store_close(r.store);
    db_close(damaged);
    arena_clear(&r.mem);
    if (status != ST_OK) return status;
    *out_batches = r.batches;
    *out_unreadable = r.unreadable;
    return ST_OK;
}
